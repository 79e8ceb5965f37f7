"""silence: a stop is noticed, a quiet month is not; holidays, nights and irregular senders alarm nobody."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from streams.domain.dossier.moments import VIETNAM
from streams.sla.calendar import is_working_day
from streams.sla.silence import (
    HOUR,
    KNOWN_AFTER,
    SLOTS,
    is_silent,
    learn,
    missed,
    ordinary_slots,
    slot,
    slots_until,
    whole_hours,
)

MONDAY = datetime(2026, 11, 2, tzinfo=VIETNAM)
Rate = Callable[[datetime], float]


def works(at: datetime) -> bool:
    return is_working_day(at.astimezone(VIETNAM).date())


def hospital(at: datetime) -> float:
    """Visits in an hour: by day, fewer at night and on days off."""
    local = at.astimezone(VIETNAM)
    busy = 20.0 if 7 <= local.hour < 17 else 1.0
    return busy if works(at) else busy / 10


def clinic(at: datetime) -> float:
    return 1.5 if works(at) and 8 <= at.astimezone(VIETNAM).hour < 11 else 0.0


def evening_batch(at: datetime) -> float:
    """All of a day at once; see `_arrivals`."""
    return -60.0 if works(at) and at.astimezone(VIETNAM).hour == 17 else 0.0


def _arrivals(rate: Rate, since: datetime, until: datetime, chance: random.Random) -> list[datetime]:
    found: list[datetime] = []
    for hour in whole_hours(since, until):
        wanted = rate(hour)
        if wanted < 0:  # a batch, at some moment of an hour or the next
            found += [hour + timedelta(minutes=chance.uniform(0, 110))] * round(-wanted)
            continue
        number, left = 0, chance.random()  # Poisson, by inversion
        term = math.exp(-wanted)
        while left > term and number < 200:
            left -= term
            number += 1
            term *= wanted / number
        found += [hour + timedelta(minutes=chance.uniform(0, 60)) for _ in range(number)]
    return sorted(found)


def silent(rhythm: Sequence[float] | None, last: datetime, now: datetime) -> bool:
    assert rhythm is not None
    return is_silent(rhythm, missed(slots_until(now, works), last, now))


def rhythm_of(arrivals: Sequence[datetime], until: datetime) -> tuple[float, ...] | None:
    counted = Counter(at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for at in arrivals)
    return learn(counted, arrivals[0], arrivals[-1], ordinary_slots(until, works))


@pytest.mark.parametrize("rate", [hospital, clinic, evening_batch])
@pytest.mark.parametrize("start", [datetime(2026, 8, 3, tzinfo=VIETNAM), datetime(2027, 1, 4, tzinfo=VIETNAM)])
def test_a_quiet_month_alarms_nobody(rate: Rate, start: datetime) -> None:
    """The second month has Tết in it, the first the national holiday."""
    for seed in range(3):
        chance = random.Random(seed)
        learned_at = start + timedelta(weeks=5)
        end = learned_at + timedelta(days=30)
        arrivals = _arrivals(rate, start, end, chance)
        rhythm = rhythm_of([at for at in arrivals if at < learned_at], learned_at)
        assert rhythm is not None
        hours = [*whole_hours(start, end)]
        slots = [slot(hour, works) for hour in hours]
        position = 0
        for number, now in enumerate(hours):
            while position < len(arrivals) and arrivals[position] <= now:
                position += 1
            if now >= learned_at:
                gap = missed(slots[:number], arrivals[position - 1], now)
                assert not is_silent(rhythm, gap), (seed, now)


def test_a_hospital_that_stops_on_a_working_morning_is_noticed_after_three_whole_hours() -> None:
    learned_at = MONDAY
    arrivals = _arrivals(hospital, MONDAY - timedelta(weeks=5), MONDAY, random.Random(1))
    rhythm = rhythm_of(arrivals, learned_at)
    stopped = MONDAY + timedelta(hours=9, minutes=10)
    assert not silent(rhythm, stopped, stopped + timedelta(hours=2))
    assert silent(rhythm, stopped, stopped + timedelta(hours=3, minutes=50))


def test_a_small_clinic_takes_days_and_is_noticed_too() -> None:
    arrivals = _arrivals(clinic, MONDAY - timedelta(weeks=6), MONDAY, random.Random(1))
    rhythm = rhythm_of(arrivals, MONDAY)
    assert not silent(rhythm, arrivals[-1], MONDAY + timedelta(days=2))
    assert silent(rhythm, arrivals[-1], MONDAY + timedelta(days=14))


def test_a_newcomer_is_not_judged() -> None:
    first = MONDAY - KNOWN_AFTER + timedelta(days=1)
    assert learn({}, first, MONDAY, ordinary_slots(MONDAY, works)) is None


def test_when_nobody_is_heard_it_is_not_the_facilities() -> None:
    """`now` is the newest event of anybody: it stands still with the last one."""
    rhythm = tuple(100.0 for _ in range(SLOTS))
    assert not silent(rhythm, MONDAY, MONDAY)


def test_a_holiday_in_the_week_expects_and_teaches_no_more_than_a_sunday() -> None:
    holiday = datetime(2026, 9, 2, 9, tzinfo=VIETNAM)  # a Wednesday
    assert slot(holiday, works) == 6 * 24 + 9
    assert slot(holiday - timedelta(days=7), works) == 2 * 24 + 9
    hours = [hour for hour, _ in ordinary_slots(datetime(2026, 9, 10, tzinfo=VIETNAM), works)]
    assert holiday.astimezone(UTC) not in hours


def test_only_whole_hours_count() -> None:
    ten, half = MONDAY + timedelta(hours=10), timedelta(minutes=30)
    assert [*whole_hours(ten, ten + HOUR)] == [ten]
    assert [*whole_hours(ten + half, ten + 3 * HOUR + half)] == [ten + HOUR, ten + 2 * HOUR]
    assert [*whole_hours(ten, ten + half)] == []
    slots = slots_until(ten + half, works)
    assert missed(slots, ten - HOUR + half, ten + half) == ()
    assert missed(slots, ten - 3 * HOUR, ten + half) == [7 + 1, 7 + 2]
    assert missed(slots, ten - timedelta(days=365), ten + half) == slots


def test_a_silence_that_lasts_does_not_excuse_itself() -> None:
    """Learned anew in the midst of it, the rhythm is what it was before."""
    arrivals = _arrivals(hospital, MONDAY - timedelta(weeks=6), MONDAY - timedelta(days=5), random.Random(1))
    assert rhythm_of(arrivals, MONDAY) == rhythm_of(arrivals, MONDAY - timedelta(days=5) + HOUR)
