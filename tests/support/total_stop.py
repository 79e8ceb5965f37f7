"""The flow as Prometheus scrapes it every 15 seconds: it moves, stops as a whole, moves again and catches up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from streams.runtime.processes import PROCESSES
from tests.support.simulated_days import OUTCOMES, PARTS, Gap, Values, notation

TICK_SECONDS = 15
STOP, AGAIN, END = (minutes * 60 // TICK_SECONDS for minutes in (10, 40, 70))
"""Ticks: it stands still for half an hour, and is seen for another half afterwards."""
_A_TICK, _AT_MOST = 3, 9
"""Visits closed, and visits that a stage can do: three times as many, so that the backlog is gone 15 minutes later."""
_CHAIN = ("validate", "sign", "forward", "relay", "publish")
_BESIDE = tuple(name for name in PROCESSES if name not in _CHAIN)


@dataclass(frozen=True)
class Stop:
    """What happens: these stages do nothing; these processes do not answer either (or are no targets any more)."""

    still: frozenset[str]
    silent: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    stuck: frozenset[str] = frozenset()
    part: str = ""


@dataclass
class Stage:
    """What came to a stage and what it did, tick by tick; what came first goes first."""

    came: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    def step(self, came: int, able: int) -> int:
        total = (self.came[-1] if self.came else 0) + came
        before = self.done[-1] if self.done else 0
        done = min(total, before + able)
        self.came.append(total)
        self.done.append(done)
        return done - before

    def waiting(self, tick: int) -> int:
        return self.came[tick] - self.done[tick]

    def oldest(self, tick: int) -> float:
        since = next((at for at in range(tick + 1) if self.came[at] > self.done[tick]), tick)
        return float((tick - since) * TICK_SECONDS)


def input_series(stop: Stop) -> list[dict[str, str]]:
    """As promtool reads them."""
    return [
        {"series": series, "values": notation(values)}
        for name, stage in _flow(stop).items()
        for series, values in _of_process(name, stage, stop)
    ]


def _of_process(name: str, stage: Stage, stop: Stop) -> Iterator[tuple[str, Values]]:
    again = stage.done[AGAIN - 1] if name in stop.silent else 0  # a process that was started anew counts anew

    def unless_away(value: Callable[[int], float], away: frozenset[str] = stop.silent | stop.unknown) -> Values:
        return [Gap if stopped(tick) and name in away else value(tick) for tick in range(END)]

    def handled(tick: int) -> float:
        return stage.done[tick] - (again if tick >= AGAIN else 0)

    def age(tick: int) -> float:
        return (tick - STOP) * TICK_SECONDS if stopped(tick) and name in stop.stuck else 1

    where = f'{{stage="{name}",process="{name}"'
    taken = {"stored": stage.came.__getitem__} if name == "forward" else {}  # into its ledger, whatever goes on
    for outcome in OUTCOMES.get(name, ("stored",)):
        yield f'healthbook_events_total{where},outcome="{outcome}"}}', unless_away(taken.get(outcome, handled))
    yield f"healthbook_backlog{where}}}", unless_away(stage.waiting)
    yield f"healthbook_backlog_oldest_seconds{where}}}", unless_away(stage.oldest)
    yield f'healthbook_progress_age_seconds{{process="{name}"}}', unless_away(age)
    for part in PARTS:
        reachable = [float(not (stopped(tick) and part == stop.part)) for tick in range(END)]
        yield f'healthbook_part_reachable{{part="{part}",process="{name}"}}', unless_away(reachable.__getitem__)
    up = [float(not (stopped(tick) and name in stop.silent)) for tick in range(END)]
    yield f'up{{job="healthbook",process="{name}"}}', unless_away(up.__getitem__, stop.unknown)


def _flow(stop: Stop) -> dict[str, Stage]:
    """What one stage did comes to the next one; those beside the chain see what was closed."""
    stages = {name: Stage() for name in (*_CHAIN, *_BESIDE)}
    for tick in range(END):
        coming = _A_TICK
        for name in _CHAIN:
            coming = stages[name].step(coming, 0 if stopped(tick) and name in stop.still else _AT_MOST)
        for name in _BESIDE:
            stages[name].step(_A_TICK, 0 if stopped(tick) and name in stop.still else _AT_MOST)
    return stages


def stopped(tick: int) -> bool:
    """Whether the stop lasts."""
    return STOP <= tick < AGAIN
