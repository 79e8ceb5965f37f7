"""The relay: carries the outbox to Kafka, each row once and in order, whatever dies in between (decision 0002).

One transaction carries rows seq+1… of one shard under a fixed `transactional.id`: InitProducerId fences any
predecessor first (KIP-98), then the position is read from the log itself, from the floor forward; so an unknown commit
is resolved by the log. A PostgreSQL advisory lock for each shard only keeps two relays from fencing each other without
end.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from events.topics import OUTBOX_TOPICS
from streams import tracing
from streams.adapters import kafka
from streams.adapters.outbox import SEQ_HEADER
from streams.adapters.postgres import UNREACHABLE
from streams.cancellation import heed_cancellation
from streams.errors import Fatal, RetryLater
from streams.metrics import EVENTS

log = structlog.get_logger()

POLL_SECONDS = 0.05
MAX_ROWS = 500
MAX_BYTES = 8 * 1024 * 1024
_LOCK_SPACE = 0x6F757462  # "outb": keeps our advisory locks apart from others in the database

_ROWS = """
select seq, key, headers, value from (
    select seq, key, headers, value, sum(octet_length(value)) over (order by seq) - octet_length(value) as before
    from (
        select seq, key, headers, value from outbox
        where topic = $1 and partition = $2 and seq > $3 order by seq limit $4
    ) as next
) as sized where before < $5 order by seq
"""
_WAITING = """
select topic, partition from outbox_shard join outbox_floor using (topic, partition) where last_seq > seq
"""
# Advisory locks of two keys have objsubid 2.
_REPLACE = """
select pg_terminate_backend(pid) from pg_locks
where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
    and classid = $1 and objid = $2 and objsubid = 2 and granted and pid <> pg_backend_pid()
"""
_LAST = "select last_seq from outbox_shard where topic = $1 and partition = $2"
_FLOOR = "select seq, next_offset from outbox_floor where topic = $1 and partition = $2"
_SET_FLOOR = "update outbox_floor set seq = $3, next_offset = $4 where topic = $1 and partition = $2"
_CLEAN = """
delete from outbox using outbox_floor as floor
where outbox.topic = floor.topic and outbox.partition = floor.partition and outbox.seq <= floor.seq
    and created_at < now() - make_interval(secs => $1)
"""


class DatabaseBehindError(Fatal):
    """The log holds more than the database ever wrote: an older copy of the database was restored under it."""

    def __init__(self, shard: str, position: int, last: int) -> None:
        super().__init__(
            f"{shard}: the log ends with sequence number {position}, the database has only counted to {last}. It was"
            " restored from an older copy or made anew; going on would drop events. See docs/runbooks/relay.md"
        )


class LogLostError(Fatal):
    """The topic's log is not the one that the floor was written for; going on would repeat or lose entries."""

    def __init__(self, shard: str, floor: int, start: int, end: int) -> None:
        super().__init__(
            f"{shard}: the log holds offsets {start} to {end}, but records up to {floor} were seen committed. The topic"
            " was made anew, truncated or lost its last records. Nothing is relayed to it. See docs/runbooks/relay.md"
        )


@dataclass
class Shard:
    """One partition of one outbox topic, and the flag by which the poller tells it that rows wait."""

    topic: str
    partition: int
    waiting: asyncio.Event
    seen: tuple[int, float] = (-1, 0.0)
    """The floor at which another relay was seen to have work, and since when (monotonic seconds)."""

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"

    @property
    def lock(self) -> int:
        """Second key of its advisory lock: stable, and different for each shard of this database."""
        return [topic.name for topic in OUTBOX_TOPICS].index(self.topic) * 10_000 + self.partition


class Relay:
    """Relays every shard. `run` returns only by cancellation or with Fatal.

    A relay that has carried nothing of a shard for `lease` seconds, though rows wait, is replaced by one that runs.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        bootstrap: str,
        keep_seconds: float = 3600.0,
        lease: float = 30.0,
    ) -> None:
        self._pool = pool
        self._bootstrap = bootstrap
        self._keep_seconds = keep_seconds
        self._lease = lease
        self._partitions = {topic.name: topic.partitions for topic in OUTBOX_TOPICS}
        for topic in OUTBOX_TOPICS:
            EVENTS.labels("relay", topic.name)
        self._shards = [
            Shard(topic.name, partition, asyncio.Event())
            for topic in OUTBOX_TOPICS
            for partition in range(topic.partitions)
        ]
        self.progress = time.monotonic()

    async def run(self) -> None:
        """Relays until cancelled. Raises Fatal (LogLostError)."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poll())
            tasks.create_task(self._clean())
            for shard in self._shards:
                tasks.create_task(self._keep_relaying(shard))

    async def _poll(self) -> None:
        by_name = {(shard.topic, shard.partition): shard for shard in self._shards}
        while True:
            try:
                for row in await self._pool.fetch(_WAITING):
                    by_name[row["topic"], row["partition"]].waiting.set()
                self.progress = time.monotonic()
            except UNREACHABLE as error:
                log.warning("outbox cannot be read", cause=type(error).__name__)
                self.progress = time.monotonic()  # waiting for the database is no reason to be restarted
                await asyncio.sleep(1)
            await asyncio.sleep(POLL_SECONDS)

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(60)
            try:
                await self._pool.execute(_CLEAN, self._keep_seconds)
            except UNREACHABLE as error:
                log.warning("outbox cannot be cleaned", cause=type(error).__name__)

    async def _keep_relaying(self, shard: Shard) -> None:
        while True:
            try:
                await self._session(shard)
            except (RetryLater, KafkaError, *UNREACHABLE) as error:
                heed_cancellation()
                # Whatever it was, the log tells where we are: build everything anew and read it.
                log.warning("relay starts over", shard=str(shard), cause=type(error).__name__)
            await asyncio.sleep(random.uniform(0.1, 0.6))  # noqa: S311 - spreads restarts, guards nothing

    async def _session(self, shard: Shard) -> None:
        await shard.waiting.wait()  # a shard without rows costs no connection
        async with self._pool.acquire() as connection:
            if not await connection.fetchval("select pg_try_advisory_lock($1, $2)", _LOCK_SPACE, shard.lock):
                shard.waiting.clear()  # another relay has it; the poller asks again
                await self._replace_if_stuck(shard, connection)
                return
            try:
                await self._relay(shard, connection)
            finally:
                if not connection.is_closed():
                    await connection.execute("select pg_advisory_unlock($1, $2)", _LOCK_SPACE, shard.lock)

    async def _replace_if_stuck(self, shard: Shard, connection: Any) -> None:
        """A frozen relay keeps its lock. Ending its database session frees it; fencing refuses what it still sends."""
        floor, now = await connection.fetchval(_FLOOR, shard.topic, shard.partition), time.monotonic()
        if floor != shard.seen[0]:
            shard.seen = (floor, now)
        elif now - shard.seen[1] > self._lease:
            log.warning("a relay is stuck and is replaced", shard=str(shard), seconds=self._lease)
            await connection.execute(_REPLACE, _LOCK_SPACE, shard.lock)
            shard.seen = (floor, now)

    async def _relay(self, shard: Shard, connection: Any) -> None:
        producer = kafka.producer(
            self._bootstrap,
            f"relay-{shard}",
            transactional_id=f"healthbook-relay-{shard}",
            transaction_timeout_ms=round(self._lease * 1000),
        )
        await kafka.start(producer, "relay")  # InitProducerId: from here on no predecessor can commit
        try:
            await kafka.check_partitions(producer, shard.topic, self._partitions[shard.topic])
            floor = await connection.fetchrow(_FLOOR, shard.topic, shard.partition)
            position, next_offset = await self._position(shard, floor)
            last = await connection.fetchval(_LAST, shard.topic, shard.partition)
            if position > last:
                raise DatabaseBehindError(str(shard), position, last)
            if position > floor["seq"]:  # a predecessor died between its commit and the floor
                await connection.execute(_SET_FLOOR, shard.topic, shard.partition, position, next_offset)
            while True:
                rows = await connection.fetch(_ROWS, shard.topic, shard.partition, position, MAX_ROWS, MAX_BYTES)
                if not rows:
                    shard.waiting.clear()
                    await shard.waiting.wait()
                    continue
                if rows[0]["seq"] != position + 1 or rows[-1]["seq"] != position + len(rows):
                    raise Fatal(
                        f"{shard}: the outbox has a gap behind {position}; rows were removed before they were relayed"
                    )
                position, next_offset = await self._send(producer, shard, rows)
                await connection.execute(_SET_FLOOR, shard.topic, shard.partition, position, next_offset)
        finally:
            await producer.stop()

    async def _send(self, producer: Any, shard: Shard, rows: list[asyncpg.Record]) -> tuple[int, int]:
        began = time.time_ns()
        headers = [json.loads(row["headers"]) for row in rows]
        async with producer.transaction():
            sent = [
                await producer.send(
                    shard.topic,
                    partition=shard.partition,
                    key=row["key"].encode(),
                    value=bytes(row["value"]),
                    headers=[(name, text.encode()) for name, text in told] + [(SEQ_HEADER, str(row["seq"]).encode())],
                )
                for row, told in zip(rows, headers, strict=True)
            ]
            last = (await asyncio.gather(*sent))[-1]
        EVENTS.labels("relay", shard.topic).inc(len(rows))
        traces = [found for told in headers if (found := dict(told).get("traceparent"))]
        tracing.sent(shard.topic, shard.partition, traces, began)
        return rows[-1]["seq"], last.offset + 2  # behind the record stands the transaction's commit marker

    async def _position(self, shard: Shard, floor: Mapping[str, int]) -> tuple[int, int]:
        """Sequence number of the last committed record and the offset behind it: read from the floor forward."""
        where = TopicPartition(shard.topic, shard.partition)
        consumer = kafka.consumer(self._bootstrap, None)
        await kafka.start(consumer, "relay")
        try:
            consumer.assign([where])
            start = (await consumer.beginning_offsets([where]))[where]
            end = (await consumer.end_offsets([where]))[where]
            if floor["seq"] and not start <= floor["next_offset"] <= end:
                raise LogLostError(str(shard), floor["next_offset"], start, end)
            position = floor["seq"]
            consumer.seek(where, max(start, floor["next_offset"]))
            while await consumer.position(where) < end:
                for record in (await consumer.getmany(where, timeout_ms=500)).get(where, []):
                    seq = dict(record.headers).get(SEQ_HEADER)
                    if seq is None:  # somebody wrote to our topic by hand; it is not of the outbox
                        log.error("a record without sequence number", shard=str(shard), offset=record.offset)
                        continue
                    position = int(seq)
            return position, end
        finally:
            await consumer.stop()
