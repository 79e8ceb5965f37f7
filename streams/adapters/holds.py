"""Visits held before or behind the gateway (table `hold`), told through the outbox like every hold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from events.envelope import Headers
from events.visit import VisitEvent, VisitHeld
from streams.adapters.outbox import Outbox
from streams.adapters.postgres import patiently

_ADD = """
insert into hold (facility, ma_lk, revision, held_by, reason, held_at, topic, value, headers)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (facility, ma_lk, revision, held_by) do update set
    number = hold.number + 1, reason = excluded.reason, held_at = excluded.held_at, topic = excluded.topic,
    value = excluded.value, headers = excluded.headers, state = 'HELD', changed_at = now()
where hold.state <> 'HELD'
returning number
"""
_WAITING = "select value from hold where held_by = $1 and state = 'HELD' order by held_at limit $2"
_RELEASED = """
select facility, ma_lk, revision, number, topic, value, headers from hold
where held_by = $1 and state = 'READY' order by held_at limit 50
"""
_GONE = """
update hold set state = 'ENDED', changed_at = now()
where facility = $1 and ma_lk = $2 and revision = $3 and held_by = $4 and number = $5 and state = 'READY'
"""
_END = """
update hold set state = 'ENDED', changed_at = now()
from unnest($2::text[], $3::text[], $4::bigint[]) as ended (facility, ma_lk, revision)
where held_by = $1 and state <> 'ENDED' and hold.facility = ended.facility and hold.ma_lk = ended.ma_lk
    and hold.revision <= ended.revision
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record whose hold a person released; `number` says which hold of this revision it was."""

    facility: str
    ma_lk: str
    revision: int
    number: int
    topic: str
    value: bytes = field(repr=False)
    headers: Headers

    @property
    def key(self) -> bytes:
        """The record's, as of every visit topic."""
        return f"{self.facility}|{self.ma_lk}".encode()


class PostgresHolds:
    """Keeps the record that could not be processed, so that it can come again."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def add(self, held: Sequence[tuple[VisitHeld, Any]]) -> None:
        """Each: the event, and the Kafka record that it is about. A repeat changes nothing.

        Raises RetryLater while the database is away.
        """
        if held:
            await patiently(lambda: self._add(held), "database")

    async def waiting(self, held_by: str, limit: int) -> list[bytes]:
        """The records that this stage holds, oldest first. Raises RetryLater."""
        rows = await patiently(lambda: self._pool.fetch(_WAITING, held_by, limit), "database")
        return [row["value"] for row in rows]

    async def released(self, held_by: str) -> list[Kept]:
        """Records of this stage that a person released, until they have come again; oldest first. Raises RetryLater."""
        rows = await patiently(lambda: self._pool.fetch(_RELEASED, held_by), "database")
        return [
            Kept(**{**row, "headers": [(name, text.encode()) for name, text in json.loads(row["headers"])]})
            for row in rows
        ]

    async def gone(self, held_by: str, kept: Kept) -> None:
        """The record is on its topic again, unless it was held once more meanwhile. Raises RetryLater."""
        await patiently(
            lambda: self._pool.execute(_GONE, kept.facility, kept.ma_lk, kept.revision, held_by, kept.number),
            "database",
        )

    async def end(self, held_by: str, visits: Sequence[VisitEvent]) -> None:
        """These are processed now, and what was held of them before with it. Raises RetryLater."""
        columns = [list(column) for column in zip(*((v.facility, v.ma_lk, v.revision) for v in visits), strict=True)]
        if columns:
            await patiently(lambda: self._pool.execute(_END, held_by, *columns), "database")

    async def _add(self, held: Sequence[tuple[VisitHeld, Any]]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            new = []
            for event, record in held:
                number = await connection.fetchval(
                    _ADD,
                    event.facility,
                    event.ma_lk,
                    event.revision,
                    event.held_by,
                    event.reason,
                    event.held_at,
                    record.topic,
                    record.value,
                    _headers(record),
                )
                if number is not None:
                    new.append(replace(event, hold=number))
            await self._outbox.put(connection, new)


def _headers(record: Any) -> str:
    """Ours are text; what is not is a foreign producer's."""
    pairs = [(name, value.decode("utf-8", "replace")) for name, value in record.headers if value is not None]
    return json.dumps([(name, text) for name, text in pairs if "\0" not in text])
