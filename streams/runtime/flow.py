"""flow: what the adapters counted of each day, a processor on Faust."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from events.day import DayCounted
from streams.adapters.day_counts import add_counts
from streams.adapters.postgres import patiently as database_patiently
from streams.runtime.processor import Work


class FlowProcessor:
    """Keeps the newest count of each spool and day."""

    name = "flow"
    reads = (DayCounted,)

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @property
    def timers(self) -> Mapping[Work, float]:
        """See Processor."""
        return {}

    async def learn(self, events: Sequence[Any]) -> None:
        """See Processor."""
        await database_patiently(lambda: self._learn(events), "database")

    async def _learn(self, events: Sequence[Any]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await add_counts(connection, events)
