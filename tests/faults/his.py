"""A HIS as a process of its own, `python -m tests.faults.his ORDER`: it may be killed anywhere, and loses nothing.

Its list of what it closed is written after the SDK's receipt, and synced. Started again, it goes on behind the last
line: what it had handed over without noting it down is handed over again, and the spool knows the bytes.
"""

import asyncio
import json
import os
import sys
import time
from itertools import islice
from pathlib import Path

from events.his import Adapter, SpoolFullError
from tests.faults.order import Act, Order

_ROOM = 0.2


async def close_all(order: Order) -> None:
    """Returns when everything is closed and on the bus."""
    async with asyncio.TaskGroup() as group:
        for facility in order.facilities:
            group.create_task(_close(order, facility))


async def _close(order: Order, facility: str) -> None:
    journal = order.journal(facility)
    done = _whole_lines(journal)
    async with Adapter(facility, order.spools / facility) as adapter:
        with journal.open("a", encoding="utf-8") as file:
            for act in islice(order.acts(facility), done, None):
                await asyncio.sleep(max(0.0, order.start + act.number / order.rate - time.monotonic()))
                revision = await _hand_over(adapter, act)
                line = {"ma_lk": act.ma_lk, "revision": revision, "expected": act.expected}
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
        await adapter.flush()


async def _hand_over(adapter: Adapter, act: Act) -> int:
    """Again and again while the disk is full: a HIS has nobody else to give it to."""
    while True:
        try:
            return (await adapter.close_visit(act.source, revision=act.revision)).revision
        except SpoolFullError:
            await asyncio.sleep(_ROOM)


def _whole_lines(journal: Path) -> int:
    """How many lines are there; half a line, which it was killed in, is taken away."""
    content = journal.read_bytes() if journal.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(journal, len(whole))
    return whole.count(b"\n")


if __name__ == "__main__":
    asyncio.run(close_all(Order.read(Path(sys.argv[1]))))
