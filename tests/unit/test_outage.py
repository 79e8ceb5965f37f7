"""Outages: when the gateway counts as away, when it is back, and what a person can tell."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters.attempts import LEASE_EXPIRED, LEASE_LOST
from streams.domain.held import RefusedError
from streams.domain.outage import (
    DELAYED,
    FLAPPING,
    OUR_OWN,
    Evidence,
    Failures,
    FoundBy,
    Outage,
    Phase,
    Side,
    Spell,
    Told,
    cause,
    end,
    judged,
    time_out,
)
from streams.runtime.breakers import NOT_SENT
from streams.sla.clocks import CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN

T0 = datetime(2026, 11, 2, 4, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


PROOF = (Failures("UNKNOWN", "NOT_READABLE", 503, 12, 11, at(0), at(3)),)


def outage(begin: float, until: float | None, **changes: object) -> Outage:
    given: dict[str, object] = {
        "id": 7,
        "subject": Side.GATEWAY,
        "facility": None,
        "announced": False,
        "from_at": at(begin),
        "until_at": None if until is None else at(until),
        "found_by": FoundBy.ATTEMPTS,
        "cause": "away",
        "proof": PROOF,
    }
    return Outage(**{**given, **changes})  # type: ignore[arg-type]


FAILING = Evidence(failing=10, failing_since=at(0), answered_at=None)


def test_several_visits_that_fail_while_a_breaker_is_open_are_an_outage_from_the_first_failure_on() -> None:
    assert judged(None, FAILING, failing=True) == Spell(None, at(0), None)


def test_without_an_open_breaker_or_with_too_few_visits_nothing_is_an_outage() -> None:
    assert judged(None, FAILING, failing=False) is None
    assert judged(None, Evidence(2, at(0), None), failing=True) is None


def test_an_outage_that_lasts_is_not_found_again_whoever_looks() -> None:
    lasting = outage(0, None)
    for failing in (True, False):
        assert judged(lasting, Evidence(30, at(0), None), failing=failing) == Spell(lasting, at(0), None)


def test_the_first_answer_ends_it() -> None:
    lasting = outage(0, None)
    assert judged(lasting, Evidence(0, None, at(180)), failing=True) == Spell(lasting, at(0), at(180))


def test_a_poisoned_dossier_that_goes_on_to_fail_does_not_keep_it_open() -> None:
    lasting = outage(0, None)
    assert judged(lasting, Evidence(1, at(181), at(180)), failing=False) == Spell(lasting, at(0), at(180))


def test_probes_that_go_on_to_fail_keep_it_open_although_one_was_answered() -> None:
    lasting = outage(0, None)
    assert judged(lasting, Evidence(4, at(5), at(4)), failing=True) == Spell(lasting, at(0), None)


@pytest.mark.parametrize(
    ("pause", "same"), [(timedelta(0), True), (FLAPPING - timedelta(seconds=1), True), (FLAPPING, False)]
)
def test_what_is_back_within_a_short_time_had_not_ended(pause: timedelta, same: bool) -> None:
    over = outage(-60, 0)
    again = Evidence(10, at(0) + pause, None)
    expected = Spell(over, at(-60), None) if same else Spell(None, at(0) + pause, None)
    assert judged(over, again, failing=True) == expected


def test_what_a_person_told_is_ended_by_an_answer_only_if_attempts_had_shown_it() -> None:
    told = outage(0, None, found_by=FoundBy.PERSON, proof=())
    answered = Evidence(0, None, at(9))
    assert judged(told, answered, failing=False) is None
    shown = outage(0, None, found_by=FoundBy.PERSON)
    assert judged(shown, answered, failing=False) == Spell(shown, at(0), at(9))


def test_the_cause_is_how_most_attempts_failed() -> None:
    refused = Failures("TEMPORARY", "NO_CONNECTION", None, 40, 9, at(0), at(3))
    assert cause((*PROOF, refused)) == "TEMPORARY NO_CONNECTION"
    assert cause(PROOF) == "UNKNOWN NOT_READABLE (HTTP 503)"


def test_attempts_that_we_broke_off_ourselves_prove_nothing() -> None:
    assert {LEASE_EXPIRED, LEASE_LOST, NOT_SENT} < OUR_OWN


def test_the_clocks_that_an_outage_delays_are_clocks() -> None:
    named = {clock for clocks in DELAYED.values() for clock in clocks}
    assert named == {CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN}


def test_phases() -> None:
    maintenance = outage(10, 20, announced=True)
    assert [maintenance.phase(at(m)) for m in (9, 10, 19, 20)] == [Phase.PLANNED, Phase.OPEN, Phase.OPEN, Phase.OVER]
    assert outage(10, 10, announced=True).phase(at(9)) is Phase.CANCELLED
    assert outage(0, None).phase(at(9999)) is Phase.OPEN


def test_time_out_counts_what_overlaps_once() -> None:
    spells = [outage(10, 40), outage(20, 30), outage(35, 50, announced=True), outage(90, None)]
    assert time_out(spells, at(0), at(100)) == timedelta(minutes=50)
    assert time_out(spells, at(45), at(95)) == timedelta(minutes=10)
    assert time_out([], at(0), at(100)) == timedelta()


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=6), st.integers(0, 99), st.integers(0, 99))
def test_time_out_is_the_number_of_minutes_that_lie_in_some_outage(
    spans: list[tuple[int, int]], since: int, until: int
) -> None:
    spells = [outage(min(span), max(span)) for span in spans]
    minutes = sum(any(min(span) <= m < max(span) for span in spans) for m in range(since, until))
    assert time_out(spells, at(since), at(until)) == timedelta(minutes=minutes)


def told(begin: float, until: float | None, *, announced: bool = False, facility: str | None = None) -> Told:
    subject = Side.HIS if facility else Side.GATEWAY
    return Told(subject, facility, at(begin), None if until is None else at(until), announced)


@pytest.mark.parametrize(
    "good",
    [
        told(-5, None),
        told(-9, -1),
        told(5, 9, announced=True),
        told(-5, 9, announced=True),
        told(-5, None, facility="01999"),
    ],
)
def test_what_a_person_may_tell(good: Told) -> None:
    assert good.wrong(at(0)) is None


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (told(5, None), "--announced"),
        (told(-5, 5), "--announced"),
        (told(5, None, announced=True), "--until"),
        (told(-9, -5, announced=True), "--until"),
        (told(-5, -5), "before it begins"),
        (Told(Side.HIS, None, at(-5), None, announced=False), "--facility"),
        (Told(Side.US, "01999", at(-5), None, announced=False), "--facility"),
    ],
)
def test_what_cannot_be_meant_is_said(bad: Told, why: str) -> None:
    assert why in (bad.wrong(at(0)) or "")


def test_the_same_outage_is_not_told_twice() -> None:
    lasting = outage(0, None)
    assert told(5, None).told_already([lasting]) is lasting
    assert told(5, 9, announced=True).told_already([lasting]) is None, "a maintenance may be announced within an outage"
    assert told(5, None, facility="01999").told_already([lasting]) is None
    assert told(9, None).told_already([outage(0, 9)]) is None


def test_when_an_outage_ends_that_a_person_closes() -> None:
    assert end(outage(0, None), None, at(9)) == at(9)
    assert end(outage(0, None), at(5), at(9)) == at(5)
    maintenance = outage(0, 60, announced=True)
    assert end(maintenance, None, at(9)) == at(9)
    assert end(maintenance, None, at(-9)) == at(0), "cancelled: it never lasts"


@pytest.mark.parametrize(
    ("what", "when", "now"),
    [(outage(0, 5), None, 9), (outage(0, None), -1, 9), (outage(0, None), 10, 9), (outage(5, 9), 4, 0)],
)
def test_when_it_cannot_end(what: Outage, when: float | None, now: float) -> None:
    with pytest.raises(RefusedError):
        end(what, None if when is None else at(when), at(now))
