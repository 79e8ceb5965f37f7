"""How many late visits were predicted, and how long before: many slow-downs, replayed over the pure functions.

    .venv/bin/python -m benchmarks.prediction

Simulated time: a region's visits come in over a morning and are served by the nearest due time; every 30 seconds a
prediction is made, as `deadlines` does. No parts; the same figures everywhere.
"""

import random
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from streams.sla import clocks
from streams.sla.prediction import Drain, Waiting, predict, window

(CLOCK,) = clocks.versions(clocks.CLOSED_TO_RECEIPT, clocks.shipped())
LASTS = 15 * 60
START = datetime(2026, 11, 2, 0, 0, tzinfo=UTC)  # 7 o'clock in Vietnam
SECONDS = 6 * 3600
SEEDS = range(3)
EVERY = 30
"""Seconds between two predictions."""
_BY_HALF_HOUR = (0.4, 1.0, 1.4, 1.6, 1.5, 1.3, 1.2, 1.0, 0.7, 0.5, 0.7, 0.7)
"""What comes in, against the mean, from 7 to 13 o'clock."""


@dataclass(frozen=True)
class Shape:
    """A morning: visits a second on average, what the gateway can take a second, how many come at once."""

    about: str
    rate: float
    able: Callable[[int], float]
    burst: int = 1


def until(start: int, end: int, share: float, normal: float) -> Callable[[int], float]:
    """`normal`, and a share of it from second `start` to `end`."""
    return lambda second: normal * share if start <= second < end else normal


_NINE = 2 * 3600
SLOW: tuple[Shape, ...] = (
    Shape("half the usual drain rate, 9–11", 1.0, until(_NINE, _NINE + 7200, 0.5, 2.0)),
    Shape("a tenth, 9–11", 1.0, until(_NINE, _NINE + 7200, 0.1, 2.0)),
    Shape("a stop, 9–10", 1.0, until(_NINE, _NINE + 3600, 0.0, 2.0)),
    Shape("a stop of 20 minutes", 1.0, until(_NINE, _NINE + 1200, 0.0, 2.0)),
    Shape("the morning's peak is more than can be sent", 1.0, lambda _: 1.2),
    Shape("a small hospital, a stop, 9–11", 0.01, until(_NINE, _NINE + 7200, 0.0, 2.0)),
    Shape("hospitals that hand over 200 at once, a tenth, 9–11", 1.0, until(_NINE, _NINE + 7200, 0.1, 2.0), burst=200),
)
QUIET: tuple[Shape, ...] = (
    Shape("a region", 1.0, lambda _: 2.0),
    Shape("a small hospital", 0.01, lambda _: 2.0),
    Shape("hospitals that hand over 200 at once", 1.0, lambda _: 2.0, burst=200),
)


@dataclass
class Replayed:
    """Of each visit that became late: seconds before its due time at which it was predicted first (None: never)."""

    leads: list[int | None] = field(default_factory=list)
    alarms: int = 0
    """Predictions of more than none."""

    @property
    def known(self) -> list[int]:
        return sorted(lead for lead in self.leads if lead is not None)

    @property
    def share(self) -> float:
        return len(self.known) / len(self.leads) if self.leads else 1.0


def replay(shape: Shape, seed: int) -> Replayed:
    """The morning, second by second. The dispatcher serves what is due first, late ones before all others."""
    chance = random.Random(seed)
    found, drain = Replayed(), Drain(window(CLOCK))
    waiting: deque[int] = deque()  # the seconds at which they closed
    in_time: deque[int] = deque()  # those of them that are not late
    predicted: dict[int, int] = {}
    kept, able = 0, 0.0
    for second in range(SECONDS):
        for closed in [second] * _coming(shape, second, chance):
            waiting.append(closed)
            in_time.append(closed)
        able = min(able + shape.able(second), max(1.0, shape.able(second)))
        while waiting and able >= 1:
            able -= 1
            served = waiting.popleft()
            if in_time and served == in_time[0]:
                in_time.popleft()
                kept += 1
        while in_time and second - in_time[0] > LASTS:
            due = in_time.popleft() + LASTS
            since = predicted.get(due)
            found.leads.append(None if since is None else due - since)
        if second % EVERY == 0:
            drain.note(_at(second), kept)
            found.alarms += _predict(in_time, drain, second, predicted)
    return found


def _predict(in_time: Sequence[int], drain: Drain, second: int, predicted: dict[int, int]) -> bool:
    """As the gauges of `deadlines` do it; notes the due times of whom it counted."""
    rate = drain.per_second(_at(in_time[0]) if in_time else None)
    told = predict([Waiting(_at(closed + LASTS), 1) for closed in in_time], rate, _at(second))
    late = [at + LASTS for place, at in enumerate(in_time, 1) if place > int((at + LASTS - second) * rate)]
    assert len(late) == told.breaches
    for due in late:
        predicted.setdefault(due, second)
    return bool(late)


def _coming(shape: Shape, second: int, chance: random.Random) -> int:
    mean = shape.rate * _BY_HALF_HOUR[second // 1800] / shape.burst
    whole = int(mean)
    return (whole + (chance.random() < mean - whole)) * shape.burst


def _at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def main() -> None:
    """Prints the figures."""
    print("| slow-down, 3 seeds | late | predicted before | lead: median | p5 | least |", "| --- " * 6 + "|", sep="\n")
    for shape in SLOW:
        days = [replay(shape, seed) for seed in SEEDS]
        leads = sorted(lead for day in days for lead in day.known)
        late = sum(len(day.leads) for day in days)
        figures = (statistics.median(leads), leads[len(leads) // 20], leads[0])
        minutes = [f"{seconds / 60:.1f} min" for seconds in figures]
        print(f"| {shape.about} | {late:,} | {len(leads) / late:.1%} | {' | '.join(minutes)} |")
    print("", "| quiet, 3 seeds | predictions of a late visit | late |", "| --- " * 3 + "|", sep="\n")
    for shape in QUIET:
        days = [replay(shape, seed) for seed in SEEDS]
        print(f"| {shape.about} | {sum(day.alarms for day in days)} | {sum(len(day.leads) for day in days)} |")


if __name__ == "__main__":
    main()
