"""The outbox: events written in the transaction of the state that they tell about (DESIGN §4).

Gapless sequence for each shard (partition of the target topic). The shard's counter row is locked by the last statement
before the commit, so that it is held only while PostgreSQL commits, and rows become visible in the order of `seq`.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
from aiokafka.partitioner import murmur2

from events.envelope import Event, event_id, headers
from events.serde import Serde
from events.topics import OUTBOX_TOPICS, topic_named
from streams import tracing
from streams.adapters.postgres import patiently
from streams.errors import Fatal

SEQ_HEADER = "seq"

_PUT = """
with counter as (
    update outbox_shard set last_seq = last_seq + $3
    where topic = $1 and partition = $2
    returning last_seq - $3 as base
)
insert into outbox (topic, partition, seq, event_id, key, headers, value)
select $1, $2, counter.base + item.number, item.event_id, item.key, item.headers, item.value
from counter, unnest($4::uuid[], $5::text[], $6::jsonb[], $7::bytea[]) with ordinality
    as item (event_id, key, headers, value, number)
"""

_DECLARE = """
with shard as (
    select topic, number from unnest($1::text[], $2::int[]) as item (topic, partitions),
        lateral generate_series(0, partitions - 1) as number
), floor as (
    insert into outbox_floor (topic, partition) select topic, number from shard on conflict do nothing
)
insert into outbox_shard (topic, partition) select topic, number from shard on conflict do nothing
"""

_BACKLOG = """
select coalesce(sum(last_seq - floor.seq), 0)::bigint as waiting,
    extract(epoch from min(first.created_at))::float8 as oldest
from outbox_shard as shard join outbox_floor as floor using (topic, partition)
left join lateral (
    select created_at from outbox
    where outbox.topic = shard.topic and outbox.partition = shard.partition and outbox.seq > floor.seq
    order by outbox.seq limit 1
) as first on true
where last_seq > floor.seq
"""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


def partition_of(key: str, partitions: int) -> int:
    """The partition Kafka's own default partitioner gives this key, so that every producer agrees (KIP-480)."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)


class Outbox:
    """Puts events into the outbox. `serde.prepare` must know their types."""

    def __init__(self, serde: Serde, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._serde = serde
        self._now = now

    async def put(self, connection: Connection, events: Sequence[Event]) -> None:
        """Inside the caller's transaction, as its last statement.

        Raises UniqueViolationError for an event twice, Fatal for undeclared shards: an event must not vanish.
        """
        shards: dict[tuple[str, int], list[Event]] = defaultdict(list)
        for event in events:
            shards[event.topic, partition_of(event.key, topic_named(event.topic).partitions)].append(event)
        now = self._now()
        for (topic, partition), shard in sorted(shards.items()):  # one order for all writers: no deadlock
            done = await connection.execute(
                _PUT,
                topic,
                partition,
                len(shard),
                [event_id(event) for event in shard],
                [event.key for event in shard],
                [json.dumps([(name, text.decode()) for name, text in headers(event, now)]) for event in shard],
                [self._serde.encode(event) for event in shard],
            )
            if done != f"INSERT 0 {len(shard)}":
                raise Fatal(f"outbox shard {topic}/{partition} is not declared: run `healthbook database migrate`")
        tracing.created(events)


async def declare_shards(connection: Connection) -> None:
    """Counter and floor for every partition of every outbox topic; harmless when repeated."""
    await connection.execute(
        _DECLARE, [topic.name for topic in OUTBOX_TOPICS], [topic.partitions for topic in OUTBOX_TOPICS]
    )


async def backlog(pool: "asyncpg.Pool[asyncpg.Record]") -> tuple[int, float | None]:
    """What waits for the relay: number, Unix time of the oldest. Raises RetryLater while the database is away."""
    row = await patiently(lambda: pool.fetchrow(_BACKLOG), "database")
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row["waiting"], row["oldest"]
