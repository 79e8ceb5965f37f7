"""Killed at any moment: what was answered with a receipt arrives, with that very id, and in order."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from events.his import Adapter
from infra.embedded.parts import Addresses
from tests.support.his import Bus, ids, some_facility

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
async def bus(parts: Addresses) -> Bus:
    bus = Bus(parts)
    await bus.prepare()
    return bus


async def his_process(kafka: str, registry: str, *arguments: str) -> Process:
    environment = os.environ | {
        "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "HEALTHBOOK_SCHEMA_REGISTRY_URL": registry,
        "PYTHONPATH": str(REPOSITORY),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.his_process", *arguments, stdout=PIPE, env=environment, cwd=REPOSITORY
    )


async def receipts(process: Process, count: int) -> list[list[str]]:
    assert process.stdout is not None
    return [json.loads(await process.stdout.readline()) for _ in range(count)]


async def test_killed_right_after_the_receipt_while_the_bus_is_away_the_event_arrives_after_a_restart(
    bus: Bus, tmp_path: Path
) -> None:
    facility = some_facility()
    process = await his_process("127.0.0.1:1", "http://127.0.0.1:1", "close", facility, str(tmp_path), "1")
    (receipt,) = await receipts(process, 1)
    process.kill()
    await process.wait()
    async with Adapter(facility, tmp_path, bus.addresses.kafka, bus.addresses.schema_registry) as his:
        await his.flush()
    assert ids(await bus.arrived(facility)) == [receipt[0]]


@pytest.mark.parametrize("receipts_before_the_kill", [1, 17, 60, 119])
async def test_killed_again_and_again_while_it_closes_and_sends_nothing_is_lost_and_order_is_kept(
    bus: Bus, tmp_path: Path, receipts_before_the_kill: int
) -> None:
    facility = some_facility()
    promised: list[list[str]] = []
    for _ in range(2):
        process = await his_process(
            bus.addresses.kafka, bus.addresses.schema_registry, "close", facility, str(tmp_path), "120"
        )
        promised += await receipts(process, receipts_before_the_kill)
        process.kill()
        await process.wait()
    async with Adapter(facility, tmp_path, bus.addresses.kafka, bus.addresses.schema_registry) as his:
        await his.flush()
    found = await bus.arrived(facility)
    assert {receipt[0] for receipt in promised} <= set(ids(found))
    revisions: dict[str, set[int]] = {}
    for item in found:
        known = revisions.setdefault(item.event.ma_lk, set())
        assert all(item.event.revision >= earlier for earlier in known), "an older revision came after a newer one"
        known.add(item.event.revision)
    # The second process handed the same bytes over again: still at most the two revisions that there are.
    assert all(len(known) <= 2 for known in revisions.values())
