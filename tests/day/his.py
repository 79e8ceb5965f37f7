"""The hospitals' systems, `python -m tests.day.his HOME DAY whole|short habit|day`.

`day` lives by the day's clock; `habit` sets its clock back to each hour of the weeks before.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from events.his import Adapter
from streams.domain.dossier.sample import VisitKind, new_dossier, table_files
from tests.day.story import Closing, story
from tests.faults.machine import Clocks


async def hand_over(spools: Path, closings: Sequence[Closing]) -> None:
    """Each at its time; returns when everything is on the bus."""
    async with AsyncExitStack() as stack:
        adapters = {
            facility: await stack.enter_async_context(Adapter(facility, spools / facility))
            for facility in {closing.facility for closing in closings}
        }
        for number, closing in enumerate(closings):
            dossier = new_dossier(
                number,
                facility=closing.facility,
                kind=VisitKind.EXAM,
                insured=True,
                discharged_at=closing.closed_at,
                ma_lk=closing.ma_lk,
            )
            await asyncio.sleep(max(0.0, (closing.at - datetime.now(UTC)).total_seconds()))
            await adapters[closing.facility].close_visit(table_files(dossier.tables), closed_at=closing.closed_at)
        for adapter in adapters.values():
            await adapter.flush()


async def hand_over_as_then(home: Path, hours: Sequence[Sequence[Closing]]) -> None:
    """Each hour's visits with a clock that is set to it: a hospital was heard at the time that its records bear."""
    clocks, started = Clocks(home / "clocks"), datetime.now(UTC) - timedelta(seconds=time.monotonic())
    for closings in hours:
        then = closings[0].at
        ours = started + timedelta(seconds=time.monotonic())
        clocks.step("his", f"{(then - ours).total_seconds():+.0f}")
        while abs(datetime.now(UTC) - then) > timedelta(minutes=5):  # noqa: ASYNC110 - libfaketime looks once a second
            await asyncio.sleep(0.1)
        await hand_over(home / "spool", closings)


if __name__ == "__main__":
    home, day, length, part = sys.argv[1:]
    told = story(date.fromisoformat(day), whole=length == "whole")
    if part == "habit":
        asyncio.run(hand_over_as_then(Path(home), told.habit()))
    else:
        asyncio.run(hand_over(Path(home) / "spool", told.closings()))
