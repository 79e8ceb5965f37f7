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
from tests.faults.his import Order
from tests.faults.history import History, Visit
from tests.faults.nemesis import Injected, calm, hurt
from tests.faults.observe import Log, look
from tests.faults.schedule import Focus, schedule
from tests.faults.story import story
from tests.faults.system import System, running
from tests.support.eventually import eventually

STUCK_AFTER = 60.0
"""Seconds of peace in which nothing moved: what has not ended by then is stuck."""
_LONGEST = 5
"""So many times as long, whatever moves: a system that is busy with the same for ever has not recovered either."""
_STARTS_WITHIN, _QUIET = 120.0, 1.5


@dataclass(frozen=True)
class Plan:
    """What a run is. `rate`: hand-overs a second, of all facilities together."""

    seed: int
    seconds: float
    rate: float = 8.0
    planted: str | None = None
    focus: Focus = ()
    stuck_after: float = STUCK_AFTER
    keep: bool = False
    """Keep the home: logs, the gateway's journal, the HIS's lists."""


@dataclass
class Report:
    """What came out."""

    plan: Plan
    injected: Injected
    history: History
    defects: list[Defect]
    settled: float
    """Seconds from peace until everything had ended."""
    ended_by_themselves: dict[str, list[int]]
    home: Path
    stories: list[str]
    """Of visits that were hurt, one for each kind of defect."""


async def run(plan: Plan, downloads: Path, tell: Callable[[str], None] = lambda _: None) -> Report:
    """A system of its own, hurt and left in peace. Raises PartFailed when it cannot even start."""
    with _home(keep=plan.keep) as home:
        order = _order(plan, home)
        async with running(home, downloads, order, plan.planted) as system:
            await eventually(lambda: _ready(system), timeout=_STARTS_WITHIN, message="everything runs")
            for reason in system.without:
                tell(reason)
            faults = schedule(plan.seed, plan.seconds, system.targets, plan.focus)
            replace(order, start=time.monotonic()).write()
            system.processes["his"].release()
            injected = await hurt(system, faults, tell)
            peace = time.monotonic()
            history = await _peaceful(system, order, plan.stuck_after)
            settled = time.monotonic() - peace
            defects = check(history)
            stories = [await asyncio.to_thread(story, system, history, visit) for visit in _hurt(defects)]
            by_themselves = {name: p.ended_by_itself for name, p in system.processes.items() if p.ended_by_itself}
        return Report(plan, injected, history, defects, settled, by_themselves, home, stories)


def _order(plan: Plan, home: Path) -> Order:
    """The HIS closes as long as the faults last."""
    return Order(
        facilities=FACILITIES,
        seed=plan.seed,
        count=max(1, round(plan.seconds * plan.rate / len(FACILITIES))),
        rate=plan.rate / len(FACILITIES),
        start=0.0,
        discharged_at=(datetime.now(UTC) - timedelta(hours=6)).isoformat(timespec="minutes"),
        folder=str(home / "his"),
    )


async def _ready(system: System) -> bool:
    waiting = await system.unready()
    assert not waiting, f"not ready: {', '.join(waiting)}"
    return True


async def _peaceful(system: System, order: Order, stuck_after: float) -> History:
    """What there is when all has ended and what comes twice has come, or when nothing moves any more."""
    give_up = time.monotonic() + stuck_after * _LONGEST
    await eventually(lambda: _calm(system), timeout=stuck_after, message="the gateway answers")
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


async def _calm(system: System) -> bool:
    try:
        await calm(system)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise AssertionError("the gateway does not answer yet") from error
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
