"""A process that is frozen keeps no lock of the database for ever, and a restart moves no partitions."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.adapters import kafka as clients
from streams.adapters import postgres
from streams.errors import RetryLater
from tests.support.eventually import eventually

FROZEN_PROCESS = Path(__file__).parent / "frozen_process.py"


async def test_a_transaction_that_falls_silent_gives_its_locks_up_and_can_write_no_more(database_url: str) -> None:
    async with await postgres.connect(database_url, 2, idle=1.0) as pool, pool.acquire() as silent:
        await silent.execute("create table note (text text)")
        transaction = silent.transaction()
        await transaction.start()
        await silent.execute("select pg_advisory_xact_lock(7)")
        await silent.execute("insert into note values ('late')")
        await asyncio.wait_for(pool.execute("select pg_advisory_lock(7)"), 30)
        with pytest.raises(RetryLater):
            await postgres.patiently(transaction.commit, "database")
        assert await pool.fetch("select * from note") == []


async def test_an_answer_that_a_frozen_process_does_not_take_holds_no_lock(database_url: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, str(FROZEN_PROCESS), database_url, "1")
    connection = await asyncpg.connect(database_url)
    try:

        async def is_stuck() -> bool:
            """Frozen, the server waits for it to read; else it goes on and is tried again."""
            process.send_signal(signal.SIGSTOP)
            query = "select wait_event from pg_stat_activity where application_name = 'frozen' and state = 'active'"
            for _ in range(5):
                if await connection.fetchval(query) != "ClientWrite":
                    process.send_signal(signal.SIGCONT)
                    return False
            return True

        await eventually(is_stuck, timeout=60)
        await asyncio.wait_for(connection.execute("select pg_advisory_lock(7)"), 30)
    finally:
        process.kill()
        await process.wait()
        await connection.close()


class Assignments(ConsumerRebalanceListener):  # type: ignore[misc]
    """How often a member was given partitions, and which it has."""

    def __init__(self) -> None:
        self.number = 0
        self.partitions: set[TopicPartition] = set()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self.partitions = set()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.number += 1
        self.partitions = assigned


@asynccontextmanager
async def member(kafka: str, group: str, topic: str, instance: str) -> AsyncIterator[Assignments]:
    assignments = Assignments()
    consumer: Any = clients.consumer(kafka, group, **clients.Membership(10.0, instance).settings)
    await consumer.start()
    try:
        consumer.subscribe([topic], listener=assignments)
        yield assignments
    finally:
        await consumer.stop()


@pytest.mark.parametrize(("names", "moved"), [(("a", "b"), False), (("", ""), True)], ids=["static", "dynamic"])
async def test_a_restarted_worker_with_a_name_finds_its_partitions_and_the_others_keep_theirs(
    kafka: str, unique: Callable[[str], str], names: tuple[str, str], moved: bool
) -> None:
    group, topic = unique("group"), unique("topic")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 4, 1)])
    await admin.close()
    async with member(kafka, group, topic, names[0]) as stays:
        async with member(kafka, group, topic, names[1]) as leaves:
            await eventually(lambda: len(stays.partitions) == len(leaves.partitions) == 2, timeout=60)
            number, partitions = stays.number, leaves.partitions
        async with member(kafka, group, topic, names[1]) as back:
            await eventually(lambda: len(stays.partitions) == len(back.partitions) == 2, timeout=60)
            assert (stays.number > number) == moved
            if not moved:
                assert back.partitions == partitions
