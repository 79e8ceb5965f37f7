"""Tells the bus what the spool counted (`day.counted.v1`): beside the dossiers, never in their way.

So that it can be said of a day whether all of it arrived, also when the spool was lost meanwhile.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from events.day import DayCounted
from events.envelope import headers
from events.his.errors import SpoolFullError
from events.his.store import Store
from events.registry import UnknownSchemaError
from events.serde import Serde
from events.topics import DAY_COUNTED

logger = logging.getLogger("healthbook.his")

FIRST, PAUSE = 5.0, 60.0
"""Seconds until the first count, so that a short life tells once, and between two."""

_LAST_WORD = 3.0
_ANSWERED = (MessageSizeTooLargeError, RecordListTooLargeError)
_LATER = (KafkaError, OSError, TimeoutError, SpoolFullError)


class Counter:
    """Tells the counts of one spool for as long as there is a producer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = True

    async def prepare(self, serde: Serde) -> None:
        """A bus that does not know the event yet gets no counts; dossiers go all the same."""
        try:
            await serde.prepare(DayCounted)
        except UnknownSchemaError:
            if self._known:
                logger.warning("the bus does not know %s: it is not told how many visits closed", DAY_COUNTED.name)
            self._known = False
        else:
            self._known = True

    @asynccontextmanager
    async def telling(self, producer: Any, serde: Serde) -> AsyncIterator[None]:
        """Tells while the block runs, and a last time at its end, when the bus is known to answer."""
        if not self._known:
            yield
            return
        task = asyncio.create_task(self._run(producer, serde))
        try:
            try:
                yield
            except _ANSWERED:
                await self._last_word(producer, serde)
                raise
            await self._last_word(producer, serde)
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, producer: Any, serde: Serde) -> None:
        await asyncio.sleep(FIRST)
        while True:
            with contextlib.suppress(*_LATER):
                await self._tell(producer, serde)
            await asyncio.sleep(PAUSE)

    async def _last_word(self, producer: Any, serde: Serde) -> None:
        with contextlib.suppress(*_LATER):
            async with asyncio.timeout(_LAST_WORD):
                await self._tell(producer, serde)

    async def _tell(self, producer: Any, serde: Serde) -> None:
        counts = await self._store.news(datetime.now(UTC))
        sending = [
            await producer.send(
                DAY_COUNTED.name, serde.encode(count), count.key.encode(), headers=headers(count, count.counted_at)
            )
            for count in counts
        ]
        await asyncio.gather(*sending)
        await self._store.told(counts)
