"""What the gateway simulator decides beside the content: size, window, form, spelling of answers, clock, switches."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.simulators.gateway import form
from streams.simulators.gateway.answers import Answer, Code, Refusal, respelled
from streams.simulators.gateway.clock import VIETNAM, VirtualClock, fourteen_digits
from streams.simulators.gateway.dossier import Visit
from streams.simulators.gateway.limits import check_size, check_window
from streams.simulators.gateway.rules import Rules, SizeRule, Window, with_switches


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


@pytest.mark.parametrize(
    ("rule", "at", "limit"),
    [
        (SizeRule.STRICT, "2026-11-21T02:00", 20),
        (SizeRule.BY_HOUR, "2026-11-20T08:00", 20),  # a Friday
        (SizeRule.BY_HOUR, "2026-11-20T11:00", 100),
        (SizeRule.BY_HOUR, "2026-11-20T18:59", 20),
        (SizeRule.BY_HOUR, "2026-11-21T09:00", 100),  # a Saturday
    ],
)
def test_the_size_limit_depends_on_rule_and_hour(rule: SizeRule, at: str, limit: int) -> None:
    check_size(limit * 1024 * 1024, rule, local(at))
    with pytest.raises(Refusal) as refused:
        check_size(limit * 1024 * 1024 + 1, rule, local(at))
    assert refused.value.code == Code.SIZE


NOVEMBER = Visit("V-1", (2026, 11), datetime(2026, 11, 2, tzinfo=UTC).date())
DECEMBER = Visit("V-1", (2026, 12), datetime(2026, 12, 2, tzinfo=UTC).date())
TRANSITION = Visit("V-1", (2024, 8), datetime(2024, 8, 2, tzinfo=UTC).date())


@pytest.mark.parametrize(
    ("window", "visit", "at", "replaces", "taken"),
    [
        (Window.OPEN, NOVEMBER, "2028-01-01T00:00", False, True),
        (Window.MONTH_AND_FIVE_DAYS, NOVEMBER, "2026-12-05T23:59", False, True),
        (Window.MONTH_AND_FIVE_DAYS, NOVEMBER, "2026-12-06T00:00", False, False),
        (Window.MONTH_AND_FIVE_DAYS, NOVEMBER, "2026-12-06T00:00", True, False),
        (Window.MONTH_AND_FIVE_DAYS, DECEMBER, "2027-01-05T12:00", False, True),
        (Window.MONTH_AND_FIVE_DAYS, DECEMBER, "2027-01-06T12:00", False, False),
        (Window.CLOSED, NOVEMBER, "2026-11-02T12:00", False, False),
        (Window.CLOSED, TRANSITION, "2026-11-02T12:00", True, True),
        (Window.MONTH_AND_FIVE_DAYS, TRANSITION, "2026-11-02T12:00", True, True),
        (Window.MONTH_AND_FIVE_DAYS, TRANSITION, "2026-11-02T12:00", False, False),
    ],
)
def test_the_window_is_open_in_the_month_and_five_days(
    window: Window, visit: Visit, at: str, replaces: bool, taken: bool
) -> None:
    if taken:
        check_window(Rules(window=window), visit, local(at), replaces=replaces)
        return
    with pytest.raises(Refusal) as refused:
        check_window(Rules(window=window), visit, local(at), replaces=replaces)
    assert refused.value.code == Code.WINDOW


def test_a_form_is_decoded_strictly() -> None:
    assert form.fields(form.FORM, b"a=1%2B2&b=%C3%AA+x", json_allowed=False) == {"a": "1+2", "b": "ê x"}
    for body in (b"a=1&a=2", b"a=%FF"):
        with pytest.raises(Refusal) as refused:
            form.fields(form.FORM, body, json_allowed=False)
        assert refused.value.code == Code.PARAMETER


@pytest.mark.parametrize("body", [b"[]", b"{", b"1"])
def test_json_is_taken_only_where_allowed_and_only_as_an_object(body: bytes) -> None:
    assert form.fields(form.JSON, b'{"a": 1}', json_allowed=True) == {"a": "1"}
    for allowed in (True, False):
        with pytest.raises(Refusal):
            form.fields(form.JSON, body, json_allowed=allowed)


def test_an_answer_may_be_spelled_otherwise() -> None:
    refused = Answer("205", "lý do")
    assert refused.body(reason_in_transaction=True)["maGiaoDich"] == "lý do"
    assert respelled(refused.body(), number=True, other_keys=True) == {
        "MaKetQua": 205,
        "MaGD": "",
        "ThoiGianTiepNhan": "",
        "GhiChu": "lý do",
    }
    accepted = Answer("200", "", "01999.x", "20261102100000")
    assert accepted.body(reason_in_transaction=True)["maGiaoDich"] == "01999.x"


def test_the_clock_runs_stands_still_and_is_set() -> None:
    system = datetime(2026, 1, 1, tzinfo=UTC)

    def source() -> datetime:
        return system

    clock = VirtualClock(datetime(2026, 11, 30, 17, 30, tzinfo=UTC), source=source)
    system += timedelta(hours=1)
    assert fourteen_digits(clock.now()) == "20261201013000"
    clock.set(clock.now(), frozen=True)
    system += timedelta(hours=1)
    clock.advance(timedelta(days=1))
    assert fourteen_digits(clock.now()) == "20261202013000"


def test_switches_are_read_from_text() -> None:
    rules = with_switches(Rules(), {"window": "month+5", "allow_batch": "true", "token_seconds": "5"})
    assert (rules.window, rules.allow_batch, rules.token_seconds) == (Window.MONTH_AND_FIVE_DAYS, True, 5)
    moved = with_switches(Rules(window=Window.CLOSED), {"replacement": "2026-11-01/2026-11-30"})
    check_window(moved, NOVEMBER, local("2027-06-01T00:00"), replaces=True)
    for visit in (DECEMBER, TRANSITION):
        with pytest.raises(Refusal):
            check_window(moved, visit, local("2027-06-01T00:00"), replaces=True)
    wrong_ones = ({"windows": "open"}, {"window": "ajar"}, {"allow_batch": "perhaps"}, {"replacement": "2024"})
    for wrong in wrong_ones:
        with pytest.raises(ValueError, match="rule"):
            with_switches(Rules(), wrong)
