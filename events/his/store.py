"""The spool on a thread of its own, so that the event loop never waits for the disk."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from events.day import DayCounted
from events.his.disk import translated
from events.his.spool import HandOver, Placed, Refused, Spool, SpoolLoad
from events.visit import VisitClosed

T = TypeVar("T")

_GROUP = 200
"""Most hand-overs that one commit takes together."""


class Store:
    """Async face of one `Spool`; its methods raise what the spool raises."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")  # sqlite wants one thread
        self._spool: Spool
        self._queue: list[tuple[HandOver, asyncio.Future[Placed]]] = []
        self._committer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Takes the folder for this process."""
        try:
            self._spool = await self._run(lambda: Spool(self._folder, self._limit))
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Finishes what was being taken, then releases the folder."""
        if self._committer is not None:
            await asyncio.wait([self._committer])
        await self._run(self._spool.close)
        self._thread.shutdown(wait=False)

    async def put(self, item: HandOver) -> Placed:
        """Durable when it returns. Calls that come while a commit runs share the next one: one fsync for all."""
        future: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._committer is None or self._committer.done():
            self._committer = asyncio.create_task(self._commit())
        return await future

    async def _commit(self) -> None:
        while self._queue:
            group, self._queue = self._queue[:_GROUP], self._queue[_GROUP:]
            work = partial(self._spool.put, [item for item, _ in group], datetime.now(UTC))
            answers: Sequence[Placed | Exception]
            try:
                answers = await self._run(work)
            except Exception as error:  # noqa: BLE001 - handed on to those who wait
                answers = [error] * len(group)
            for (_, future), answer in zip(group, answers, strict=True):
                if future.done():
                    continue  # its caller went away; what was taken stays taken
                if isinstance(answer, Placed):
                    future.set_result(answer)
                else:
                    future.set_exception(answer)

    async def heads(self, most: int, most_bytes: int) -> list[tuple[int, VisitClosed]]:
        """See `Spool.heads`."""
        return await self._run(lambda: self._spool.heads(most, most_bytes))

    async def settle(self, sent: Sequence[int], refused: Mapping[int, str]) -> None:
        """See `Spool.settle`."""
        await self._run(lambda: self._spool.settle(sent, refused))

    async def drop(self, position: int) -> None:
        """See `Spool.drop`."""
        await self._run(lambda: self._spool.drop(position))

    async def waiting(self, up_to: int) -> int:
        """See `Spool.waiting`."""
        return await self._run(lambda: self._spool.waiting(up_to))

    async def last(self) -> int:
        """See `Spool.last`."""
        return await self._run(self._spool.last)

    async def refused(self) -> list[Refused]:
        """See `Spool.refused`."""
        return await self._run(self._spool.refused)

    async def reason(self, position: int) -> str | None:
        """See `Spool.reason`."""
        return await self._run(lambda: self._spool.reason(position))

    async def load(self) -> SpoolLoad:
        """See `Spool.load`."""
        return await self._run(self._spool.load)

    async def news(self, now: datetime) -> list[DayCounted]:
        """See `Tally.news`."""
        return await self._run(lambda: self._spool.tally.news(now))

    async def told(self, counts: Sequence[DayCounted]) -> None:
        """See `Tally.told`."""
        await self._run(lambda: self._spool.tally.told(counts))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _translating, work)


def _translating(work: Callable[[], T]) -> T:
    with translated():
        return work()
