"""A pretended HIS: closes invented visits of several facilities at a steady rate, corrects some, gets some wrong.

Keeps its own list of what it closed, as a real HIS does: load tests and reconciliation compare the bus with it.
"""

import asyncio
import heapq
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TextIO

from events.his import Adapter, HisError
from streams.domain.dossier.sample import (
    BY_NAME,
    Defect,
    Sample,
    Size,
    VisitKind,
    defective_dossier,
    new_dossier,
    table_files,
)
from streams.domain.dossier.sample.edits import in_table, put
from streams.domain.dossier.sample.model import chance
from streams.domain.dossier.sample.write import cdata

_CORRECTED_WITHIN = 50
_AT_ONCE = 200
_UNREADABLE = frozenset({"missing-table", "envelope-not-xml", "doctype-outer", "entity-outer"})
"""Defects that leave no MA_LK to hand over: the folder adapter's tests have them."""

_ADVICE = put("GHI_CHU", cdata("Đã sửa lời dặn: tái khám sau bảy ngày"))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to close. `rate` visits a second (None: as fast as it goes), `count` closings in all (None: for ever).

    `corrections` and `defects` are shares from 0 to 1. `pool` above 0 makes only so many dossiers and gives each
    closing a new MA_LK: load for less CPU.
    """

    facilities: tuple[str, ...]
    seed: int = 1
    rate: float | None = 1.0
    count: int | None = None
    corrections: float = 0.05
    defects: float = 0.05
    size: int = Size.STANDARD
    pool: int = 0


@dataclass(frozen=True, slots=True)
class Closing:
    """One visit to close. `corrects`: it was closed before and this is the correction."""

    sample: Sample
    corrects: bool = False


@dataclass(slots=True)
class Tally:
    """What was closed so far; `refused` were not taken by the adapter."""

    closed: int = 0
    corrections: int = 0
    defects: int = 0
    refused: int = 0


def closings(plan: Plan, now: datetime) -> Iterator[Closing]:
    """The visits in their order; the same plan and `now` give the same bytes. Ends with `count`, else never.

    A correction comes some closings after what it corrects.
    """
    rng = chance(plan.seed, "his")
    kinds = tuple(VisitKind)
    defects = tuple(defect for defect in BY_NAME.values() if _can_be_closed(defect))
    pool: dict[tuple[str, int], Sample] = {}
    due: list[tuple[int, int, Sample]] = []

    def sound(number: int, facility: str) -> Sample:
        one = number % plan.pool if plan.pool else number
        known = pool.get((facility, one))
        sample = known or new_dossier(
            plan.seed * 1_000_000 + one,
            facility=facility,
            kind=kinds[one % len(kinds)],
            insured=one // len(kinds) % 2 == 0,
            discharged_at=now,
            size=plan.size,
        )
        if not plan.pool:
            return sample
        pool[facility, one] = sample
        return _renamed(sample, f"{sample.ma_lk}-{number}")

    number = 0
    while plan.count is None or number < plan.count:
        number += 1
        last = plan.count is not None and len(due) > plan.count - number
        if due and (due[0][0] <= number or last):
            yield Closing(heapq.heappop(due)[2], corrects=True)
            continue
        facility = rng.choice(plan.facilities)
        kind = rng.random()
        if kind < plan.defects:
            defect = rng.choice(defects)
            sample = defective_dossier(
                defect, plan.seed * 1_000_000 + number, facility=facility, discharged_at=now, size=plan.size
            )
        else:
            sample = sound(number, facility)
            # A share of all closings, of which defects and the corrections themselves cannot be corrected.
            room = plan.count is None or len(due) < plan.count - number
            if room and kind < plan.defects + plan.corrections / (1 - min(plan.corrections, 0.5)):
                later = number + rng.randrange(1, _CORRECTED_WITHIN)
                heapq.heappush(due, (later, number, _corrected(sample)))
        yield Closing(sample)


async def simulate(
    plan: Plan,
    spools: Path,
    closed: Path | None,
    bootstrap_servers: str | None = None,
    schema_registry: str | None = None,
    tally: Tally | None = None,
) -> Tally:
    """Closes the plan's visits through one adapter for each facility, and waits until the bus has them all.

    `closed` gets a line of JSON for each: facility, ma_lk, revision, closed_at, expected, defect, corrects; with
    `refused` (a code, and no revision) when the adapter did not take it. Open loop: a slow disk does not slow the HIS.
    `tally` is counted up while it runs.
    """
    tally = tally or Tally()
    async with AsyncExitStack() as stack:
        adapters = {
            facility: await stack.enter_async_context(
                Adapter(facility, spools / facility, bootstrap_servers, schema_registry)
            )
            for facility in plan.facilities
        }
        journal = stack.enter_context(closed.open("a", encoding="utf-8", buffering=1)) if closed else None
        at_once = asyncio.Semaphore(_AT_ONCE)
        running: dict[str, asyncio.Task[None]] = {}
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, closing in enumerate(closings(plan, datetime.now(UTC))):
                if plan.rate:
                    await asyncio.sleep(start + number / plan.rate - time.monotonic())
                await at_once.acquire()
                visit = closing.sample.ma_lk
                if visit in running:  # nobody corrects what is not closed yet
                    await asyncio.wait([running[visit]])
                task = group.create_task(_close(adapters, closing, journal, tally))
                running[visit] = task
                task.add_done_callback(partial(_ended, running, visit, at_once))
        for adapter in adapters.values():
            await adapter.flush()
    return tally


def _ended(
    running: dict[str, asyncio.Task[None]], visit: str, at_once: asyncio.Semaphore, task: asyncio.Task[None]
) -> None:
    if running.get(visit) is task:
        del running[visit]
    at_once.release()


async def _close(adapters: Mapping[str, Adapter], closing: Closing, journal: TextIO | None, tally: Tally) -> None:
    sample = closing.sample
    moment = datetime.now(UTC)
    line: dict[str, object] = {
        "facility": sample.facility,
        "ma_lk": sample.ma_lk,
        "revision": None,
        "closed_at": moment.isoformat(timespec="milliseconds"),
        "expected": str(sample.expected),
        "defect": sample.defect,
        "corrects": closing.corrects,
    }
    source = sample.envelope if sample.envelope is not None else table_files(sample.tables)
    try:
        receipt = await adapters[sample.facility].close_visit(source, closed_at=moment)
        line["revision"] = receipt.revision
    except HisError as error:
        line["refused"] = error.code
        tally.refused += 1
    tally.closed += 1
    tally.corrections += closing.corrects
    tally.defects += sample.defect is not None
    if journal:
        journal.write(json.dumps(line, ensure_ascii=False) + "\n")


def _can_be_closed(defect: Defect) -> bool:
    """Of this HIS's own facilities, today, small enough for a stream of thousands."""
    return defect.facility is None and not defect.later and defect.name not in _UNREADABLE | {"over-20mb"}


def _corrected(sample: Sample) -> Sample:
    return in_table("XML8", _ADVICE)(in_table("XML1", _ADVICE)(sample))


def _renamed(sample: Sample, ma_lk: str) -> Sample:
    old, new = f"<MA_LK>{sample.ma_lk}<".encode(), f"<MA_LK>{ma_lk}<".encode()
    return replace(sample, ma_lk=ma_lk, tables=tuple((kind, data.replace(old, new)) for kind, data in sample.tables))
