"""A HIS in a process of its own, for tests that kill it.

close FACILITY SPOOL COUNT   closes COUNT visits, prints each receipt as a line of JSON as soon as it has it, waits
folder FACILITY SPOOL DIR STEP   runs the folder adapter and kills itself at STEP
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from events.his import Adapter
from events.his.folder import FolderAdapter
from events.his.inbox import Inbox
from events.his.report import Report
from tests.support.his import dossier

STEPS = ("before hand-over", "after hand-over", "after broker", "between reports", "after reports")


async def close(facility: str, spool: str, count: str) -> None:
    async with Adapter(facility, spool) as his:
        for number in range(int(count)):
            # Two revisions of each visit, one after the other.
            receipt = await his.close_visit(dossier(f"V{number // 2}", "ab"[number % 2], size=20_000))
            sys.stdout.write(json.dumps([str(receipt.event_id), receipt.ma_lk, receipt.revision]) + "\n")
            sys.stdout.flush()
        await asyncio.Event().wait()


async def folder(facility: str, spool: str, directory: str, step: str) -> None:
    async with Adapter(facility, spool) as his:
        _die_at(step, his)
        await FolderAdapter(Path(directory), his).run(0.05, once=True)


def _die_at(step: str, his: Adapter) -> None:
    """Wraps the one call at which this process shall die."""
    hand_over: Any = his.close_visit
    finish: Any = Inbox.finish
    write: Any = Report.write

    async def closing(*args: Any, **more: Any) -> Any:
        if step == "before hand-over":
            _die()
        receipt = await hand_over(*args, **more)
        if step == "after hand-over":
            _die()
        return receipt

    def finishing(*args: Any) -> Any:
        if step == "after broker":
            _die()
        return finish(*args)

    def writing(report: Report, item: Path) -> None:
        if step == "between reports":
            item.with_name(f"{item.name}.txt").write_text(report.text())
            _die()
        write(report, item)
        if step == "after reports":
            _die()

    his.close_visit = closing  # type: ignore[method-assign]
    Inbox.finish = finishing  # type: ignore[assignment,method-assign]
    Report.write = writing  # type: ignore[assignment,method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(close(*sys.argv[2:]) if sys.argv[1] == "close" else folder(*sys.argv[2:]))
