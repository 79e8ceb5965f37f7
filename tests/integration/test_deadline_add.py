"""`deadline add` while the processes run: both that compute due times take the new version without a restart."""

import random
import signal
from asyncio.subprocess import Process
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from events.envelope import headers
from events.registry import Registry
from events.serde import Serde
from events.topics import TOPICS
from events.visit import PersonKeyKind, TableFile, VisitClosed, VisitSigned
from infra.embedded.parts import Addresses
from streams.adapters import topic_admin
from streams.adapters.outbox import declare_shards
from streams.domain.dossier.moments import VIETNAM
from tests.support.commands import healthbook, started
from tests.support.eventually import eventually

NEW = timedelta(minutes=45)
DAY = timedelta(days=1)
LATER = datetime.now(UTC).replace(microsecond=0) + 2 * DAY


def closed(facility: str, ma_lk: str) -> tuple[VisitClosed, VisitSigned]:
    """A visit that closes when the new version counts, as `deadlines` and as `forward` hear of it."""
    digest = "0" * 64
    return (
        VisitClosed(facility, ma_lk, 1, LATER, tables=(TableFile("XML1", b"<TONG_HOP/>"),)),
        VisitSigned(
            facility,
            ma_lk,
            1,
            LATER,
            standard="3176",
            visit_type="01",
            insured=True,
            person_key_kind=PersonKeyKind.CCCD,
            envelope=b"<GIAMDINHHS/>",
            envelope_sha256=digest,
            payload_sha256=digest,
            certificate_serial="1",
        ),
    )


@pytest.mark.timeout(300)
async def test_deadlines_and_forward_take_a_new_version_while_they_run(
    parts: Addresses, database_url: str, tmp_path: Path
) -> None:
    await topic_admin.apply(parts.kafka)
    facility = f"{random.Random().randrange(100000):05d}"
    settings = {
        "home": str(tmp_path),
        "kafka_bootstrap_servers": parts.kafka,
        "schema_registry_url": parts.schema_registry,
        "database_url": database_url,
        "gateway_url": "http://127.0.0.1:1",  # nothing is sent: what waits is what is looked at
        "poison_per_minute": "100000",  # other tests put what they like on the shared topics
        "log_level": "error",
    }
    visits = 0
    async with (
        Registry(parts.schema_registry) as registry,
        AIOKafkaProducer(bootstrap_servers=parts.kafka) as producer,
        asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool,
    ):
        for topic in TOPICS:
            await registry.register(topic.name, topic.compatibility)
        serde = Serde(registry)
        await serde.prepare(VisitClosed, VisitSigned)
        async with pool.acquire() as connection:
            await declare_shards(connection)

        async def due_of_another_visit() -> list[timedelta]:
            """How long the clocks of the next visit last, in the table of each process."""
            nonlocal visits
            visits += 1
            ma_lk = f"V{visits}"
            for event in closed(facility, ma_lk):
                value, given = serde.encode(event), headers(event, datetime.now(UTC))
                await producer.send_and_wait(event.topic, key=event.key.encode(), value=value, headers=given)

            async def both() -> list[timedelta]:
                rows = await pool.fetch(
                    "select due_at from deadline where facility = $1 and ma_lk = $2 and clock = 'closed-to-receipt'"
                    " union all select due_at from submission where facility = $1 and ma_lk = $2",
                    facility,
                    ma_lk,
                )
                return [row["due_at"] - LATER for row in rows] if len(rows) == 2 else []

            return await eventually(both, timeout=90, message=f"{ma_lk} has its due times")

        running: list[Process] = []
        try:
            running = [await started("stage", name, **settings) for name in ("deadlines", "forward")]
            assert set(await due_of_another_visit()) == {timedelta(minutes=15)}
            tomorrow = (datetime.now(VIETNAM) + DAY).date()
            basis = ("--legal-basis", "a rule of this test", "--article", "-")
            add = ("deadline", "add", "closed-to-receipt", "--duration", "45min", "--from", tomorrow, *basis)
            answer = await healthbook(*add, **settings)
            assert answer.code == 0, answer.stderr

            async def both_know() -> bool:
                return set(await due_of_another_visit()) == {NEW}

            await eventually(both_know, timeout=60)
        finally:
            for process in running:
                if process.returncode is None:
                    process.send_signal(signal.SIGTERM)
            said = [await process.communicate() for process in running]
        assert [process.returncode for process in running] == [0, 0], said
