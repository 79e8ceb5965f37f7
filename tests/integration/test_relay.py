"""The relay: every row of the outbox once and in order, whatever dies; and never onto a log that lost records."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from events.registry import Registry, load_schema
from events.serde import Serde
from events.topics import Topic
from events.visit import VisitHeld
from streams.adapters import outbox, relay
from streams.adapters.outbox import Outbox, declare_shards
from streams.adapters.relay import DatabaseBehindError, LogLostError, Relay
from tests.support.eventually import eventually

pytestmark = pytest.mark.usefixtures("only_held")

RELAY_PROCESS = Path(__file__).parent / "relay_process.py"


@pytest.fixture
def only_held(monkeypatch: pytest.MonkeyPatch, unique: Callable[[str], str]) -> Topic:
    """One outbox topic with two shards under a name of its own."""
    name = unique("visit.held.v1")
    topic = Topic(name, VisitHeld, "forward", 2, None, 1024 * 1024, outbox=True)
    for module in (outbox, relay):
        monkeypatch.setattr(module, "OUTBOX_TOPICS", (topic,))
    monkeypatch.setattr(outbox, "topic_named", lambda _name: topic)
    monkeypatch.setattr(VisitHeld, "topic", name)
    return topic


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=12) as opened:
        async with opened.acquire() as connection:
            await declare_shards(connection)
        yield opened


@pytest.fixture
async def serde(schema_registry: str, only_held: Topic, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serde]:
    schema = load_schema("visit.held.v1")
    for module in ("events.registry", "events.serde"):
        monkeypatch.setattr(f"{module}.load_schema", lambda _topic: schema)
    async with Registry(schema_registry) as registry:
        await registry.register(only_held.name, "BACKWARD")
        prepared = Serde(registry)
        await prepared.prepare(VisitHeld)
        yield prepared


async def create(kafka: str, topic: Topic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic.name, topic.partitions, 1)])
    await admin.close()


async def remove(kafka: str, topic: Topic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_topics([topic.name])

    async def gone() -> bool:
        return topic.name not in await admin.list_topics()

    await eventually(gone)
    await admin.close()


def held(number: int) -> VisitHeld:
    now = datetime.now(UTC)
    return VisitHeld("01999", f"V{number % 7}", number, now, "forward", "R", "v", "e", "v", "e", now)


async def put(pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde, numbers: range) -> None:
    box = Outbox(serde)
    async with pool.acquire() as connection, connection.transaction():
        await box.put(connection, [held(number) for number in numbers])


async def committed(kafka: str, topic: Topic) -> dict[int, list[int]]:
    """Sequence numbers that a read_committed subscriber sees, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    try:
        where = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
        consumer.assign(where)
        ends = await consumer.end_offsets(where)
        seen: dict[int, list[int]] = {partition: [] for partition in range(topic.partitions)}
        await consumer.seek_to_beginning(*where)
        while any([await consumer.position(at) < ends[at] for at in where]):
            for at, records in (await consumer.getmany(timeout_ms=200)).items():
                seen[at.partition] += [int(dict(record.headers)["seq"]) for record in records]
        return seen
    finally:
        await consumer.stop()


async def arrived(kafka: str, topic: Topic) -> int:
    return sum(len(seqs) for seqs in (await committed(kafka, topic)).values())


async def more_than(before: int, kafka: str, topic: Topic) -> bool:
    return await arrived(kafka, topic) > before


@asynccontextmanager
async def relaying(
    pool: "asyncpg.Pool[asyncpg.Record]", kafka: str, lease: float = 30.0
) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(Relay(pool, kafka, lease=lease).run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, BaseExceptionGroup):
            await task


async def expected(pool: "asyncpg.Pool[asyncpg.Record]", topic: Topic) -> dict[int, list[int]]:
    rows = await pool.fetch("select partition, last_seq from outbox_shard where topic = $1", topic.name)
    return {row["partition"]: list(range(1, row["last_seq"] + 1)) for row in rows}


async def test_every_row_arrives_once_and_in_order(
    kafka: str, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde, only_held: Topic
) -> None:
    await create(kafka, only_held)
    async with relaying(pool, kafka):
        for start in range(0, 200, 20):
            await put(pool, serde, range(start, start + 20))

        async def all_there() -> bool:
            return await committed(kafka, only_held) == await expected(pool, only_held)

        await eventually(all_there, timeout=30)


async def test_what_waits_for_the_relay_is_counted_with_its_age(
    kafka: str, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde, only_held: Topic
) -> None:
    assert await outbox.backlog(pool) == (0, None)
    before = datetime.now(UTC).timestamp()
    await put(pool, serde, range(12))
    waiting, oldest = await outbox.backlog(pool)
    assert waiting == 12
    assert oldest is not None
    assert abs(oldest - before) < 60
    await create(kafka, only_held)
    async with relaying(pool, kafka):

        async def nothing_waits() -> bool:
            return await outbox.backlog(pool) == (0, None)

        await eventually(nothing_waits, timeout=60)


async def test_the_floor_of_a_relay_that_died_before_it_raised_it_is_raised_though_no_row_follows(
    kafka: str, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde, only_held: Topic
) -> None:
    await create(kafka, only_held)
    await put(pool, serde, range(20))
    raised = partial(pool.fetchval, "select sum(seq) = 20 from outbox_floor where topic = $1", only_held.name)
    async with relaying(pool, kafka):
        await eventually(raised, timeout=30)
    await pool.execute("update outbox_floor set seq = 0, next_offset = 0")
    async with relaying(pool, kafka):
        await eventually(raised, timeout=30)
    assert await committed(kafka, only_held) == await expected(pool, only_held)


async def test_a_record_that_somebody_wrote_by_hand_does_not_stop_the_relay(
    kafka: str, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde, only_held: Topic
) -> None:
    await create(kafka, only_held)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for partition in range(only_held.partitions):
        await producer.send_and_wait(only_held.name, b"by hand", partition=partition)
    await producer.stop()
    await put(pool, serde, range(20))
    async with relaying(pool, kafka):

        async def all_relayed() -> bool:
            rows = await pool.fetch("select seq from outbox_floor where topic = $1", only_held.name)
            return bool(sum(row["seq"] for row in rows) == 20)

        await eventually(all_relayed, timeout=30)


async def test_a_relay_that_is_killed_at_any_moment_loses_and_repeats_nothing(
    kafka: str,
    pool: "asyncpg.Pool[asyncpg.Record]",
    database_url: str,
    serde: Serde,
    only_held: Topic,
) -> None:
    await create(kafka, only_held)
    for kill in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(RELAY_PROCESS), database_url, kafka, only_held.name, str(only_held.partitions)
        )
        for start in range(kill * 200, kill * 200 + 200, 10):
            await put(pool, serde, range(start, start + 10))
        before = await arrived(kafka, only_held)
        await eventually(partial(more_than, before, kafka, only_held), timeout=30)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with relaying(pool, kafka):

        async def all_there() -> bool:
            return await committed(kafka, only_held) == await expected(pool, only_held)

        await eventually(all_there, timeout=60)


async def test_a_frozen_relay_is_replaced_and_what_it_sends_late_is_refused(
    kafka: str,
    pool: "asyncpg.Pool[asyncpg.Record]",
    database_url: str,
    serde: Serde,
    only_held: Topic,
) -> None:
    await create(kafka, only_held)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RELAY_PROCESS), database_url, kafka, only_held.name, str(only_held.partitions)
    )

    async def all_there() -> bool:
        return await committed(kafka, only_held) == await expected(pool, only_held)

    try:
        await put(pool, serde, range(40))
        await eventually(all_there, timeout=60, message="it relays")
        await put(pool, serde, range(40, 400))
        process.send_signal(signal.SIGSTOP)  # with these rows on their way
        await put(pool, serde, range(400, 440))
        async with relaying(pool, kafka, lease=1.0):
            await eventually(all_there, timeout=60, message="another one carries on while it is frozen")
            process.send_signal(signal.SIGCONT)
            for start in range(440, 640, 20):
                await put(pool, serde, range(start, start + 20))
            await eventually(all_there, timeout=60)
        await put(pool, serde, range(640, 660))
        await eventually(all_there, timeout=60, message="it begins anew where the log ends")
    finally:
        process.kill()
        await process.wait()


async def test_a_log_that_lost_its_records_is_refused(
    kafka: str, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde, only_held: Topic
) -> None:
    await create(kafka, only_held)
    async with relaying(pool, kafka):
        await put(pool, serde, range(50))

        async def floors_known() -> bool:
            query = "select count(*) from outbox_shard join outbox_floor using (topic, partition) where last_seq > seq"
            return bool(await pool.fetchval(query) == 0)

        await eventually(floors_known, timeout=30)
    await remove(kafka, only_held)
    await create(kafka, only_held)  # the topic made anew: the log that the floor was written for is gone
    await put(pool, serde, range(50, 100))
    async with relaying(pool, kafka) as task:
        await asyncio.wait({task}, timeout=30)
        assert task.done()
        refused = task.exception()
    assert isinstance(refused, BaseExceptionGroup)
    assert refused.subgroup(LogLostError) is not None
    assert await committed(kafka, only_held) == {0: [], 1: []}


async def test_a_database_that_is_older_than_the_log_is_refused(
    kafka: str, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde, only_held: Topic
) -> None:
    await create(kafka, only_held)
    async with relaying(pool, kafka):
        await put(pool, serde, range(50))

        async def relayed() -> bool:
            return await arrived(kafka, only_held) == 50

        await eventually(relayed, timeout=30)
    await pool.execute("delete from outbox")  # as an older copy of the database would have it
    await pool.execute("update outbox_shard set last_seq = 0")
    await pool.execute("update outbox_floor set seq = 0, next_offset = 0")
    await put(pool, serde, range(50, 60))
    async with relaying(pool, kafka) as task:
        await asyncio.wait({task}, timeout=30)
        assert task.done()
        refused = task.exception()
    assert isinstance(refused, BaseExceptionGroup)
    assert refused.subgroup(DatabaseBehindError) is not None
    assert await arrived(kafka, only_held) == 50
