"""Predicted breaches: at the present rate, how many of those that wait will be late, and from when on. Pure.

What waits is served in the order of its due time, as the dispatcher does it. What is late already goes before all of
it, so the rate is that of what ended in time: none while a backlog of late ones is caught up. The rate is measured
while there was work: over a window at most, and not over the time before the oldest one that waits had started, when
there was nothing to do. One more than was seen is assumed to end within it, so that a single visit in a quiet night is
no alarm until it has waited for most of its time.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor

from streams.sla.clock import Clock

_SHORTEST = timedelta(minutes=5)
_OF_WORKING_DAYS = timedelta(hours=1)


def window(clock: Clock) -> timedelta:
    """Over how long the rate is measured: a twenty-fourth of the clock's duration, at least 5 minutes."""
    return max(_SHORTEST, clock.duration / 24) if isinstance(clock.duration, timedelta) else _OF_WORKING_DAYS


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many that run and are due about then."""

    due_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """`breaches` of those that run now will be late at this rate; the first of them at `first_at`."""

    per_second: float
    running: int
    breaches: int
    first_at: datetime | None


def predict(waiting: Iterable[Waiting], per_second: float, now: datetime) -> Prediction:
    """`waiting` in the order of due times."""
    running = breaches = 0
    first_at = None
    for group in waiting:
        served = floor(max(0.0, (group.due_at - now).total_seconds()) * per_second)
        before, running = running, running + group.number
        late = min(group.number, max(0, before + group.number - served))
        if late and first_at is None:
            first_at = group.due_at
        breaches += late
    return Prediction(per_second, running, breaches, first_at)


class Drain:
    """How many ended in time so far, as it was seen from time to time, and the rate that follows."""

    def __init__(self, longest: timedelta) -> None:
        self._window = longest
        self._seen: deque[tuple[datetime, int]] = deque()

    def note(self, now: datetime, ended: int) -> None:
        """`ended`: all that ever ended in time."""
        self._seen.append((now, ended))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._window:
            self._seen.popleft()

    def per_second(self, busy_since: datetime | None) -> float:
        """The rate by what was noted last; `busy_since`: the start of the oldest one that waits."""
        now, ended = self._seen[-1]
        since = max(now - self._window, busy_since or now)
        then, before = self._seen[0]
        for at, number in self._seen:
            if at <= since:
                then, before = at, number
        seconds = max(1.0, (now - max(then, since)).total_seconds())
        return (max(0, ended - before) + 1) / seconds
