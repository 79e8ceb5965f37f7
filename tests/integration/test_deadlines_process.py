"""deadlines as a process on real Kafka: stopped, killed, replayed, answered by a display side that was silent."""

import asyncio
import random
import signal
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from events.deadline import DeadlineState
from events.envelope import Event, headers
from events.serde import Serde
from events.visit import TableFile, VisitClosed
from infra.embedded.parts import Addresses
from streams.simulators.vneid.behaviour import Faults
from streams.simulators.vneid.simulator import VneidSimulator
from streams.simulators.vneid.subscriber import Channels
from tests.support.entries_topic import entry
from tests.support.eventually import eventually
from tests.support.health_book import accepted
from tests.support.his import some_facility
from tests.support.stage_process import StageProcess, process
from tests.support.system import forget_offsets

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
STATES = """
select clock, ma_lk, revision, started_at, due_at, state, stopped_at, late from deadline
where facility = $1 order by clock, ma_lk, revision
"""
_WRITES = """
select count(*) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into deadline_facts%'
"""


class Bus:
    """The topics, the processor's tables, and the processor as often as a test starts it."""

    def __init__(self, parts: Addresses, database_url: str, pool: Pool, serde: Serde, home: Path) -> None:
        self._parts, self._database_url, self._serde, self._home = parts, database_url, serde, home
        self.pool = pool
        self.facility = some_facility()
        self._sent: dict[str, tuple[str, int, int]] = {}

    def deadlines(self) -> AbstractAsyncContextManager[StageProcess]:
        return process("deadlines", self._parts, self._database_url, self._home)

    async def send(self, *events: Event) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._parts.kafka) as producer:
            for event in events:
                sent = await producer.send_and_wait(
                    event.topic,
                    key=event.key.encode(),
                    value=self._serde.encode(event),
                    headers=headers(event, datetime.now(UTC)),
                )
                self._sent[event.key] = (sent.topic, sent.partition, sent.offset)

    async def acknowledged(self, event: Event) -> None:
        """Once Faust has committed this event, the last one that was sent."""
        admin = AdminClient({"bootstrap.servers": self._parts.kafka})  # kept: without it there is no answer
        asked = [ConsumerGroupTopicPartitions("deadlines")]

        async def committed() -> bool:
            (answer,) = admin.list_consumer_group_offsets(asked).values()
            found = (await asyncio.to_thread(answer.result)).topic_partitions
            place = self._sent[event.key]
            return any((at.topic, at.partition) == place[:2] and at.offset > place[2] for at in found)

        await eventually(committed, timeout=60, message="the event is acknowledged")

    async def states(self, facility: str = "") -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.pool.fetch(STATES, facility or self.facility)]

    async def learned(self, number: int) -> None:
        """Once so many clocks are known."""

        async def enough() -> bool:
            return len(await self.states()) >= number

        await eventually(enough, timeout=90, message=f"{number} clocks")


@pytest.fixture
def bus(declared: None, parts: Addresses, database_url: str, pool: Pool, serde: Serde, tmp_path: Path) -> Bus:
    return Bus(parts, database_url, pool, serde, tmp_path)


def closed_and_corrected(facility: str, ma_lk: str) -> Sequence[VisitClosed]:
    """A visit that closed two days ago and again a day ago: what its clocks say does not depend on this minute."""
    today = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    tables = (TableFile("XML1", b"<TONG_HOP/>"),)
    return [VisitClosed(facility, ma_lk, revision, today - timedelta(days=3 - revision), tables) for revision in (1, 2)]


@pytest.mark.timeout(300)
async def test_stopped_amid_a_batch_it_learns_the_batch_after_its_restart(bus: Bus) -> None:
    """Faust acknowledges what it cancels: a graceful stop must not lose what kill -9 does not."""
    first, second = closed_and_corrected(bus.facility, "V1")
    async with bus.deadlines() as running:
        await bus.send(first)
        await bus.learned(1)
        await bus.acknowledged(first)
        async with bus.pool.acquire() as other, other.transaction():
            await other.execute("lock table deadline_facts in access exclusive mode")
            await bus.send(second)
            await eventually(lambda: bus.pool.fetchval(_WRITES), timeout=60, message="it is amid the batch")
            await running.terminate()
    async with bus.deadlines():
        await bus.learned(2)


@pytest.mark.timeout(300)
async def test_killed_restarted_and_replayed_from_the_start_it_has_the_same_states(bus: Bus, kafka: str) -> None:
    events = [event for number in range(40) for event in closed_and_corrected(bus.facility, f"V{number:02}")]
    async with bus.deadlines() as running:
        await bus.send(*events[:60])
        await bus.learned(20)
        running.child.send_signal(signal.SIGKILL)
        await running.child.wait()
    await bus.send(*events[40:])  # some of them a second time
    # Avro knows a text with U+0000, no table does: it is put aside, and no clock waits for it.
    await bus.send(*closed_and_corrected(bus.facility, "\0"), events[0])
    async with bus.deadlines() as running:
        await bus.learned(80)
        await eventually(lambda: running.log.count("record put aside") == 2, timeout=90)
        assert await running.terminate() == 0
    before = await bus.states()

    await bus.pool.execute("truncate deadline, deadline_facts, deadline_count")
    await forget_offsets(kafka, "deadlines")
    async with bus.deadlines():
        await bus.learned(80)
        assert await bus.states() == before


@pytest.mark.timeout(300)
async def test_a_display_side_that_was_silent_answers_the_reminder_and_the_promise_is_kept(
    bus: Bus, parts: Addresses
) -> None:
    """The real processor and the display side, and nothing between them but the topics."""
    ma_lk = f"R{random.Random().randrange(10**9)}"
    visit = replace(accepted(1, ma_lk=ma_lk), received_at=datetime.now(UTC) - timedelta(hours=13))
    await bus.send(visit, entry(ma_lk))

    async def kept() -> bool:
        found = {row[1]: row[5] for row in await bus.states(visit.facility) if row[0] == "receipt-to-shown"}
        return found.get(ma_lk) == DeadlineState.MET

    channels = Channels(parts.kafka, parts.schema_registry)
    silent = VneidSimulator(channels, median_delay=0.0, faults=Faults(silence_until_reminded=1.0))
    async with silent, bus.deadlines():
        await eventually(kept, timeout=120)
