"""A little of every trouble that has a metric of its own, on a whole system that runs."""

from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer

from events.day import DayCounted
from events.envelope import headers
from events.registry import Registry
from events.serde import Serde
from events.visit import VisitClosed
from streams.adapters.facilities import SIGNING_CERTIFICATE
from streams.domain.dossier.sample import FACILITIES
from streams.simulators.his import Plan, simulate
from streams.sla.silence import SLOTS
from tests.support.system import RunningSystem

BROKEN, MISSED, QUIET = FACILITIES
"""Whose certificate cannot be read; who counted more than ever came; whose rhythm is known."""


async def every_trouble(system: RunningSystem, folder: Path) -> None:
    """A record that cannot be read, a visit that cannot be signed, visits counted that never came, a rhythm."""
    (system.home / "facilities" / BROKEN / SIGNING_CERTIFICATE).write_text("nothing that can be read")
    addresses, now = system.addresses, datetime.now(UTC)
    plan = Plan((BROKEN,), seed=612, rate=None, count=1, corrections=0, defects=0)
    await simulate(plan, folder / "spool", folder / "closed.jsonl", addresses["kafka"], addresses["schema_registry"])
    counted = DayCounted(MISSED, now.date(), "a-spool-that-was-lost", 1, 1000, (), 0, now)
    producer = AIOKafkaProducer(bootstrap_servers=addresses["kafka"])
    await producer.start()
    try:
        async with Registry(addresses["schema_registry"]) as registry:
            serde = Serde(registry)
            await serde.prepare(DayCounted)
            value = serde.encode(counted)
        await producer.send_and_wait(counted.topic, value, counted.key.encode(), headers=headers(counted, now))
        await producer.send_and_wait(VisitClosed.topic, b"no event", f"{QUIET}|POISON".encode())
    finally:
        await producer.stop()
    connection = await asyncpg.connect(addresses["database"])
    try:
        rhythm = [1.0] * SLOTS
        await connection.execute(
            "update rhythm set expected = $2, learned_at = now() where facility = $1", QUIET, rhythm
        )
    finally:
        await connection.close()
