"""The gauges of the clocks (INTERFACE §6): how many stand where, the nearest due time, predicted breaches."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import product

from events.deadline import DeadlineState
from streams.adapters.deadline_figures import PostgresFigures
from streams.domain.dossier.moments import VIETNAM
from streams.metrics import (
    DEADLINE_NEAREST,
    DEADLINE_PREDICTED_BREACH,
    DEADLINE_PREDICTED_BREACHES,
    DEADLINES,
)
from streams.sla.clock import Clock
from streams.sla.moments import of_a_revision
from streams.sla.prediction import Drain, predict, window

_GROUPS = 60
"""A group of due times lasts this part of the window over which the rate is measured."""


class Gauges:
    """Measures the clocks of visits from time to time; the drain between two measurements gives the rate."""

    def __init__(self, figures: PostgresFigures, clocks: Callable[[], Sequence[Clock]]) -> None:
        self._figures = figures
        self._clocks = clocks
        self._drains: dict[tuple[str, timedelta], Drain] = {}

    def _windows(self) -> dict[str, timedelta]:
        """Of each clock the window of its last version that has begun, else of its first."""
        found: dict[str, timedelta] = {}
        today = datetime.now(VIETNAM).date()
        for clock in self._clocks():
            if of_a_revision(clock) and (clock.name not in found or (clock.valid_from or today) <= today):
                found[clock.name] = window(clock)
        return found

    async def measure(self) -> None:
        """How many stand where, and the nearest due time. Raises RetryLater while the database is away."""
        states: Counter[tuple[str, str]] = Counter()
        for row in await self._figures.counts():
            states[row["clock"], row["state"]] += row["number"]
        windows = self._windows()
        for name in product(windows, map(str, DeadlineState)):
            states[name] += 0  # one that no clock ever had is none, and not unknown
        for (clock, state), number in states.items():
            DEADLINES.labels(clock, state).set(number)
        for clock in windows:
            await self._nearest(clock)

    async def predict(self) -> None:
        """Predicted breaches: reads the due times of all that run, so more seldom. Raises RetryLater."""
        # What is late is served first, and its share of the drain is none for those that could still be in time.
        in_time: Counter[str] = Counter()
        for row in await self._figures.counts():
            late = row["state"] == DeadlineState.BREACHED
            in_time[row["clock"]] += 0 if row["running"] or late else row["number"]
        for clock, longest in self._windows().items():
            await self._predict(clock, longest, in_time[clock])

    async def _nearest(self, clock: str) -> None:
        left = await self._figures.nearest(clock)
        if left is not None:
            DEADLINE_NEAREST.labels(clock).set(left.total_seconds())
        else:
            DEADLINE_NEAREST.remove(clock)

    async def _predict(self, clock: str, longest: timedelta, in_time: int) -> None:
        drain = self._drains.setdefault((clock, longest), Drain(longest))
        backlog = await self._figures.backlog(clock, longest / _GROUPS)
        drain.note(backlog.now, in_time)
        found = predict(backlog.waiting, drain.per_second(backlog.busy_since), backlog.now)
        DEADLINE_PREDICTED_BREACHES.labels(clock).set(found.breaches)
        DEADLINE_PREDICTED_BREACH.labels(clock).set(found.first_at.timestamp() if found.first_at else 0)
        await self._figures.keep(clock, backlog.now, found)
