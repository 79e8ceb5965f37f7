"""A facility that normally sends has gone quiet. What is normal is learned for each hour of the week. Pure.

For each hour of the week in which a facility was heard, the mean number of visits is known, weakened by how much it
varies (a facility that sends once a day, now at five, now at six, promises little of either hour). Silence is when so
many visits should have come in the whole hours since the last one that chance does not explain it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from streams.domain.dossier.moments import VIETNAM

HOUR = timedelta(hours=1)
SLOTS = 7 * 24
LEARNED_FROM = timedelta(weeks=8)
"""How far back is looked: long enough for a mean, short enough to follow the seasons."""

KNOWN_AFTER = timedelta(weeks=4)
"""A facility that is heard for less time is not judged."""

ENOUGH = 25.0
"""Expected visits that did not come. By chance alone e⁻²⁵: never, for 12,000 facilities in years."""

MOST_OF_AN_HOUR = 10.0
"""What one hour alone can say: three must be missed, so that a batch that comes an hour later than ever is no alarm."""

IsWorkingDay = Callable[[datetime], bool]
"""Whether offices work on the day of this instant."""


def slot(at: datetime, is_working_day: IsWorkingDay) -> int:
    """Hour of the week in Vietnam, Monday 0:00 is 0. A holiday in the week is like a Sunday."""
    local = at.astimezone(VIETNAM)
    weekday = local.weekday()
    if weekday < 5 and not is_working_day(at):
        weekday = 6
    return weekday * 24 + local.hour


def whole_hours(since: datetime, until: datetime) -> Iterator[datetime]:
    """The starts of the whole hours in [since, until)."""
    hour = _floor(since) if since == _floor(since) else _floor(since) + HOUR
    while hour + HOUR <= until:
        yield hour
        hour += HOUR


def ordinary_slots(until: datetime, is_working_day: IsWorkingDay) -> list[tuple[datetime, int]]:
    """The hours from which is learned, each with its slot; the same for all facilities. Holidays teach nothing."""
    hours = whole_hours(until - LEARNED_FROM, until)
    pairs = ((hour, slot(hour, is_working_day)) for hour in hours)
    return [(hour, found) for hour, found in pairs if found // 24 == hour.astimezone(VIETNAM).weekday()]


def learn(
    heard: Mapping[datetime, int], first: datetime, last: datetime, hours: Sequence[tuple[datetime, int]]
) -> tuple[float, ...] | None:
    """What to expect in each hour of the week; None while too little is known.

    `heard`: how many visits came in each hour, `first` and `last`: when the first and the last one did, `hours`: see
    `ordinary_slots`. A silence that lasts teaches nothing: else it would excuse itself.
    """
    if not hours or first > hours[-1][0] - KNOWN_AFTER:
        return None
    samples: dict[int, list[int]] = defaultdict(list)
    for hour, found in hours:
        if first <= hour < last:
            samples[found].append(heard.get(hour, 0))
    return tuple(_expected(samples[number]) for number in range(SLOTS))


def _expected(counts: Sequence[int]) -> float:
    if len(counts) < 2 or not any(counts):
        return 0.0
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
    return min(MOST_OF_AN_HOUR, mean / max(1.0, variance / mean))


def slots_until(now: datetime, is_working_day: IsWorkingDay) -> list[int]:
    """The slots of the whole hours of the last weeks; the same for all facilities."""
    return [slot(hour, is_working_day) for hour in whole_hours(now - LEARNED_FROM, now)]


def missed(slots: Sequence[int], last: datetime, now: datetime) -> Sequence[int]:
    """Those of `slots_until(now)` in which a facility that was heard last at `last` said nothing."""
    hours = (_floor(now) - (_floor(last) + HOUR)) // HOUR
    return slots[max(0, len(slots) - hours) :] if hours > 0 else ()


def is_silent(rhythm: Sequence[float], missed: Sequence[int]) -> bool:
    """Whether a facility that missed these hours has gone quiet.

    The hours end when *anybody* was heard last: when nobody is, it is not the facilities that are silent.
    """
    expected = 0.0
    for number in missed:
        expected += rhythm[number]
        if expected >= ENOUGH:
            return True
    return False


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
