"""One run: a system of its own, the workload, the faults, then peace, and what a checker finds."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from streams.domain.dossier.sample import FACILITIES
from tests.faults.checker import Defect, all_ended, check
from tests.faults.history import History, Visit
from tests.faults.nemesis import Injected, calm, hurt
from tests.faults.observe import Log, look
from tests.faults.order import Order
from tests.faults.planted import PLANTED, Planted
from tests.faults.schedule import Focus, schedule
from tests.faults.story import story
from tests.faults.system import STAGES, System, running
from tests.faults.workload import acts
from tests.support.eventually import eventually

STUCK_AFTER = 60.0
"""Seconds of peace in which nothing moved: what has not ended by then is stuck."""
STUCK_WITH_A_BUG = 30.0
"""The same with a bug in it: waiting longer for what will never come shows nothing more."""
_LONGEST = 5
"""So many times as long, whatever moves: a system that is busy with the same for ever has not recovered either."""
_STARTS_WITHIN, _QUIET = 120.0, 1.5
_AHEAD, _FIRST = 5.0, 5
"""Seconds for which the HIS closes before the faults begin, about; and receipts that show that the flow flows."""
_READY, _SLOWEST = 15.0, 4.0
"""Seconds in which everything is ready on two idle cores; a slower machine gets at most so many times as long."""


@dataclass(frozen=True)
class Plan:
    """What a run is. `rate`: hand-overs a second, of all facilities together. `plant`: the name of a planted bug."""

    seed: int
    seconds: float
    rate: float = 6.0
    plant: str | None = None
    keep: bool = False
    """Keep the home: logs, the gateway's journal, the HIS's lists."""

    @property
    def bug(self) -> Planted | None:
        return PLANTED[self.plant] if self.plant else None

    @property
    def focus(self) -> Focus:
        return self.bug.focus if self.bug else ()

    @property
    def stuck_after(self) -> float:
        return STUCK_WITH_A_BUG if self.plant else STUCK_AFTER


@dataclass
class Report:
    """What came out."""

    plan: Plan
    injected: Injected
    history: History
    defects: list[Defect]
    settled: float
    """Seconds from peace until everything had ended."""
    ended_by_themselves: dict[str, list[str]]
    home: Path
    stories: list[str]
    """Of visits that were hurt, one for each kind of defect."""

    @property
    def caught(self) -> bool:
        """Whether the planted bug shows as what it is."""
        bug = self.plan.bug
        return bug is not None and any(defect.wrong in bug.shows_as for defect in self.defects)


async def run(plan: Plan, downloads: Path, tell: Callable[[str], None] = lambda _: None) -> Report:
    """A system of its own, hurt and left in peace. Raises PartFailed when it cannot even start."""
    with _home(keep=plan.keep) as home:
        order = _order(plan, home)
        async with running(home, downloads, order, plan.seed, plan.plant) as system:
            started = time.monotonic()
            await eventually(lambda: _ready(system), timeout=_STARTS_WITHIN, message="everything runs")
            for reason in system.without:
                tell(reason)
            # With a bug in it, faults and visits come no quicker than the machine can bear: they must meet.
            pace = min(max(1.0, (time.monotonic() - started) / _READY), _SLOWEST) if plan.bug else 1.0
            faults = schedule(plan.seed, plan.seconds, system.targets, plan.focus)
            replace(order, start=time.monotonic(), rate=order.rate / pace).write()
            system.processes["his"].release()
            await eventually(lambda: _under_way(system), timeout=_STARTS_WITHIN, message="visits reach the gateway")
            injected = await hurt(system, faults, tell, pace=pace)
            peace = time.monotonic()
            history = await _peaceful(system, order, plan.stuck_after)
            settled = time.monotonic() - peace
            defects = check(history)
            stories = [await asyncio.to_thread(story, system, history, visit) for visit in _hurt(defects)]
            by_themselves = {name: p.ended_by_itself for name, p in system.processes.items() if p.ended_by_itself}
        return Report(plan, injected, history, defects, settled, by_themselves, home, stories)


def _order(plan: Plan, home: Path) -> Order:
    """The HIS closes a little longer than the faults last, so that something is on its way all the time."""
    rate = plan.rate / len(FACILITIES)
    order = Order(str(home / "his"), FACILITIES, rate)
    discharged_at = datetime.now(UTC) - timedelta(hours=6)
    for facility in FACILITIES:
        order.write_acts(facility, acts(plan.seed, round((plan.seconds + _AHEAD) * rate), facility, discharged_at))
    return order


async def _ready(system: System) -> bool:
    waiting = await system.unready()
    assert not waiting, f"not ready: {', '.join(waiting)}"
    return True


async def _under_way(system: System) -> bool:
    async with aiohttp.ClientSession() as http, http.get(f"{system.gateway}/_sim/stats") as answer:
        return bool((await answer.json())["receipts"] >= _FIRST)


async def _peaceful(system: System, order: Order, stuck_after: float) -> History:
    """What there is when all has ended and what comes twice has come, or when nothing moves any more."""
    give_up = time.monotonic() + stuck_after * _LONGEST
    await eventually(lambda: _healed(system), timeout=_STARTS_WITHIN, message="the world runs again")
    with await asyncio.to_thread(Log, system.direct.kafka, system.direct.schema_registry) as log:
        moved, seen = time.monotonic(), -1
        while time.monotonic() < min(moved + stuck_after, give_up):
            history = await look(system, order, log, verify=False)
            if all_ended(history):
                break
            if len(history.records) > seen:
                moved, seen = time.monotonic(), len(history.records)
            await asyncio.sleep(1)
        await asyncio.sleep(_QUIET)
        return await look(system, order, log, verify=True)


async def _healed(system: System) -> bool:
    """The parts run, and the outside world has no trouble left; how the product comes back is its own affair."""
    waiting = [name for name in await system.unready() if name not in STAGES]
    assert not waiting, f"not ready: {', '.join(waiting)}"
    await calm(system)
    return True


def _hurt(defects: list[Defect]) -> list[Visit]:
    """Of each kind of defect the first visits."""
    kinds = {defect.wrong for defect in defects}
    first = [next(defect.visit for defect in defects if defect.wrong is wrong) for wrong in kinds]
    return list(dict.fromkeys(first))


@contextmanager
def _home(*, keep: bool) -> Iterator[Path]:
    """Not closed to other users: PostgreSQL's must be able to enter it."""
    home = Path(tempfile.mkdtemp(prefix="healthbook-faults-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
