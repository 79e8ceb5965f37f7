"""Figures that nothing else brings along: what waits for the relay and for the clocks, certificates, disks."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from streams.metrics import BACKLOG, BACKLOG_OLDEST, DISK_FREE, DISK_SIZE
from streams.runtime.backlog import Backlog

log = structlog.get_logger()

SECONDS = 5.0
_NAN = float("nan")


def show_backlog(stage: str, backlog: Callable[[], Backlog]) -> None:
    """Asked at each scrape, so that an age grows also while the stage stands still."""
    BACKLOG.labels(stage).set_function(lambda: backlog().waiting)
    BACKLOG_OLDEST.labels(stage).set_function(lambda: backlog().oldest_seconds)


@asynccontextmanager
async def backlog_shown(stage: str, look: Callable[[], Awaitable[Backlog]]) -> AsyncIterator[None]:
    """Inside the block, `look` is asked every few seconds what waits for `stage`."""
    found = Backlog()
    show_backlog(stage, lambda: found)

    async def again() -> None:
        nonlocal found
        found = await look()

    async with repeated(again):
        yield


@asynccontextmanager
async def repeated(work: Callable[[], Awaitable[None]], seconds: float = SECONDS) -> AsyncIterator[None]:
    """Inside the block, `work` is done again and again; when it fails, a figure is old, nothing more."""

    async def for_ever() -> None:
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever it is, a figure must not stop the flow
                log.warning("a figure cannot be measured", error=type(error).__name__)
            await asyncio.sleep(seconds)

    task = asyncio.create_task(for_ever())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def faust_backlog(app: Any, oldest: float | None) -> Backlog:
    """What the brokers hold for a Faust app and what it holds unacknowledged; `oldest` is of what it works on."""
    behind = 0
    for where in app.consumer.assignment():
        end, position = app.consumer.highwater(where), await app.consumer.position(where)
        if end is not None and position is not None:
            behind += max(0, end - position)
    return Backlog(behind + app.monitor.messages_active, oldest)


def show_disks(folders: Iterable[Path]) -> None:
    """Free and all bytes of the disk of each folder, asked at each scrape."""
    for folder in folders:
        DISK_FREE.labels(str(folder)).set_function(partial(_bytes, folder, free=True))
        DISK_SIZE.labels(str(folder)).set_function(partial(_bytes, folder, free=False))


def _bytes(folder: Path, *, free: bool) -> float:
    try:
        found = os.statvfs(folder)
    except OSError:
        return _NAN  # not there (yet): a scrape does not fail for it
    return float((found.f_bavail if free else found.f_blocks) * found.f_frsize)
