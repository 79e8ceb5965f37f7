"""Working days: weekends, holidays, Saturdays in exchange, and what is decreed later."""

from datetime import UTC, date, datetime

import pytest

from streams.domain.dossier.codelists import CodeList
from streams.sla.calendar import end_of_working_day, is_working_day


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 11, 23), True),
        (date(2026, 11, 24), False),  # Vietnam Cultural Day
        (date(2026, 11, 21), False),  # a Saturday
        (date(2026, 8, 22), True),  # a Saturday, in exchange for 31 August
        (date(2026, 8, 31), False),
        (date(2026, 2, 17), False),  # the lunar new year
        (date(2026, 4, 27), False),  # the Hung Kings' day was a Sunday
    ],
)
def test_working_days_of_vietnam(day: date, works: bool) -> None:
    assert is_working_day(day) is works


def test_a_decree_overrules_the_calendar() -> None:
    decreed = CodeList(
        "DAYS_OFF", "decree", ({"code": "20261130", "kind": "off"}, {"code": "20261128", "kind": "working"})
    )
    assert not is_working_day(date(2026, 11, 30), lambda _: decreed)
    assert is_working_day(date(2026, 11, 28), lambda _: decreed)
    assert is_working_day(date(2026, 11, 27), lambda _: decreed)


@pytest.mark.parametrize(
    ("told", "end"),
    [
        ("2026-11-16T00:30+07:00", "2026-11-18T24:00"),
        ("2026-11-16T23:30+07:00", "2026-11-18T24:00"),
        ("2026-11-16T18:00+00:00", "2026-11-19T24:00"),  # in Vietnam it is the 17th
        ("2026-02-13T10:00+07:00", "2026-02-24T24:00"),  # over the lunar new year
    ],
)
def test_two_working_days_end_at_midnight_in_vietnam(told: str, end: str) -> None:
    day, _, _ = end.partition("T")
    midnight = datetime.fromisoformat(f"{day}T17:00+00:00")
    assert end_of_working_day(datetime.fromisoformat(told), 2).astimezone(UTC) == midnight
