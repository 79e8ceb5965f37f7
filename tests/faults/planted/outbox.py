"""Mistakes in the outbox."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from events.envelope import Event
from streams.adapters import outbox
from streams.config import load

_TAKE = """
update outbox_shard set last_seq = last_seq + $3 where topic = $1 and partition = $2 returning last_seq
"""
_PUT_BEHIND = """
insert into outbox (topic, partition, seq, event_id, key, headers, value)
select $1::text, $2::int, $8::bigint - $3::int + item.number, item.event_id, item.key, item.headers, item.value
from unnest($4::uuid[], $5::text[], $6::jsonb[], $7::bytea[]) with ordinality
    as item (event_id, key, headers, value, number)
"""


def sequence_not_locked() -> None:
    """Numbers are taken in a transaction of their own: one that is rolled back afterwards leaves a gap for ever."""
    put = outbox.Outbox.put

    async def taken_first(self: outbox.Outbox, connection: outbox.Connection, events: Sequence[Event]) -> None:
        await put(self, _Numbered(connection), events)  # type: ignore[arg-type]

    outbox.Outbox.put = taken_first  # type: ignore[method-assign]


class _Numbered:
    """The caller's connection, except that a shard's numbers come from another one."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, statement: str, topic: str, partition: int, number: int, *rest: object) -> str:
        other = await asyncpg.connect(load().database_url)
        try:
            last = await other.fetchval(_TAKE, topic, partition, number)
        finally:
            await other.close()
        done: str = await self._connection.execute(_PUT_BEHIND, topic, partition, number, *rest, last)
        return done
