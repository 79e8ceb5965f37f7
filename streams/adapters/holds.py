"""Visits held before they reach the gateway (table `hold`), told through the outbox like every hold."""

from collections.abc import Sequence
from dataclasses import replace

import asyncpg

from events.visit import VisitEvent, VisitHeld
from streams.adapters.outbox import Outbox
from streams.adapters.postgres import patiently

_ADD = """
insert into hold (facility, ma_lk, revision, held_by, reason, held_at, topic, value)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (facility, ma_lk, revision, held_by) do update set
    number = hold.number + 1, reason = excluded.reason, held_at = excluded.held_at, topic = excluded.topic,
    value = excluded.value, ended_at = null
where hold.ended_at is not null
returning number
"""
_WAITING = "select value from hold where held_by = $1 and ended_at is null order by held_at limit $2"
_END = """
update hold set ended_at = now()
from unnest($2::text[], $3::text[], $4::bigint[]) as ended (facility, ma_lk, revision)
where held_by = $1 and ended_at is null and hold.facility = ended.facility and hold.ma_lk = ended.ma_lk
    and hold.revision <= ended.revision
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

    async def waiting(self, held_by: str, limit: int) -> list[bytes]:
        """The records that this stage holds, oldest first. Raises RetryLater."""
        rows = await patiently(lambda: self._pool.fetch(_WAITING, held_by, limit), "database")
        return [row["value"] for row in rows]

    async def end(self, held_by: str, visits: Sequence[VisitEvent]) -> None:
        """These are processed now, and what was held of them before with it. Raises RetryLater."""
        columns = [list(column) for column in zip(*((v.facility, v.ma_lk, v.revision) for v in visits), strict=True)]
        if columns:
            await patiently(lambda: self._pool.execute(_END, held_by, *columns), "database")

    async def _add(self, held: Sequence[tuple[VisitHeld, str, bytes]]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            new = []
            for event, topic, value in held:
                number = await connection.fetchval(
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
                if number is not None:
                    new.append(replace(event, hold=number))
            await self._outbox.put(connection, new)
