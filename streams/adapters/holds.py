"""Visits held before they reach the gateway (table `hold`), told through the outbox like every hold."""

from collections.abc import Sequence

import asyncpg

from events.visit import VisitHeld
from streams.adapters.outbox import Outbox
from streams.adapters.postgres import patiently

_ADD = """
insert into hold (facility, ma_lk, revision, held_by, reason, held_at, topic, value)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing
returning true
"""


class PostgresHolds:
    """Keeps the record that could not be processed, so that it can come again."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def add(self, held: Sequence[tuple[VisitHeld, str, bytes]]) -> None:
        """Each: the event, the topic it came from and that record's value. A repeat changes nothing.

        Raises RetryLater while the database is away.
        """
        if held:
            await patiently(lambda: self._add(held), "database")

    async def _add(self, held: Sequence[tuple[VisitHeld, str, bytes]]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            new = [
                event
                for event, topic, value in held
                if await connection.fetchval(
                    _ADD,
                    event.facility,
                    event.ma_lk,
                    event.revision,
                    event.held_by,
                    event.reason,
                    event.held_at,
                    topic,
                    value,
                )
            ]
            await self._outbox.put(connection, new)
