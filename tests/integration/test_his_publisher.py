"""From the spool to a real broker: what arrives, as what, in which order, and what happens while a part is away."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.envelope import event_id
from events.his import Adapter, RefusedError
from events.topics import VISIT_CLOSED
from infra.embedded.parts import Addresses, Parts
from tests.support.eventually import eventually
from tests.support.his import Bus, dossier, ids, set_limit, some_facility


@pytest.fixture
async def bus(parts: Addresses) -> Bus:
    bus = Bus(parts)
    await bus.prepare()
    return bus


@pytest.fixture
async def private_bus(private_parts: Parts) -> Bus:
    bus = Bus(private_parts.addresses)
    await bus.prepare()
    return bus


def connected(bus: Bus, facility: str, spool: Path) -> Adapter:
    return Adapter(facility, spool, bus.addresses.kafka, bus.addresses.schema_registry)


async def test_a_closed_visit_arrives_whole_with_its_key_headers_and_id(bus: Bus, tmp_path: Path) -> None:
    facility, closed = some_facility(), datetime(2026, 11, 24, 9, 30, 15, 250_000, tzinfo=UTC)
    async with connected(bus, facility, tmp_path) as his:
        receipt = await his.close_visit(dossier("V1"), closed_at=closed.astimezone())
        await his.flush()
        assert await his.state(receipt) is None
        assert his.trouble is None
    (found,) = await bus.arrived(facility)
    assert found.key == f"{facility}|V1".encode()
    assert found.event.closed_at == closed == found.meta.time
    assert found.event.revision == receipt.revision
    assert {table.kind: table.content for table in found.event.tables} == dossier("V1")
    assert found.meta.id == str(receipt.event_id) == str(event_id(found.event))
    assert (found.meta.type, found.meta.source, found.meta.subject) == (
        "visit.closed.v1",
        "/healthbook/close",
        f"{facility}|V1",
    )


async def test_revisions_of_a_visit_arrive_rising_and_the_same_bytes_again_do_not_arrive_again(
    bus: Bus, tmp_path: Path
) -> None:
    facility = some_facility()
    async with connected(bus, facility, tmp_path) as his:
        for note in "abcba":
            await asyncio.gather(*(his.close_visit(dossier(f"V{number}", note)) for number in range(20)))
        await his.flush()
    found = await bus.arrived(facility)
    assert len(found) == 60
    for number in range(20):
        revisions = [item.event.revision for item in found if item.event.ma_lk == f"V{number}"]
        assert revisions == sorted(set(revisions))


async def test_a_dossier_of_20_mb_arrives(bus: Bus, tmp_path: Path) -> None:
    facility = some_facility()
    async with connected(bus, facility, tmp_path) as his:
        await his.close_visit(dossier("V1", size=20_971_520))
        await his.close_visit(dossier("V2"))
        await his.flush()
    sizes = {item.event.ma_lk: len(item.event.tables[1].content) for item in await bus.arrived(facility)}
    assert sizes["V1"] > 20_971_520
    assert sizes["V2"] < 100


async def test_a_system_that_starts_after_the_his_is_found(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither given nor in the environment, and the home is empty at first."""
    monkeypatch.setenv("HEALTHBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("HEALTHBOOK_SCHEMA_REGISTRY_URL", raising=False)
    facility = some_facility()
    async with Adapter(facility, tmp_path / "spool") as his:
        receipt = await his.close_visit(dossier("V1"))
        await eventually(lambda: his.trouble == "ADDRESS_UNKNOWN")
        (tmp_path / "home" / "run").mkdir(parents=True)
        (tmp_path / "home" / "run" / "addresses.json").write_text(
            json.dumps({"kafka": bus.addresses.kafka, "schema_registry": bus.addresses.schema_registry})
        )
        await asyncio.wait_for(his.flush(), 60)
    assert ids(await bus.arrived(facility)) == [str(receipt.event_id)]


async def test_while_kafka_is_dead_the_spool_keeps_everything_and_then_sends_it_once_in_order(
    private_parts: Parts, private_bus: Bus, tmp_path: Path
) -> None:
    facility = some_facility()
    async with connected(private_bus, facility, tmp_path) as his:
        await his.close_visit(dossier("V0"))
        await his.flush()
        await private_parts.kill("kafka")
        for note in "ab":
            for number in range(10):
                await his.close_visit(dossier(f"V{number}", note))
        flushing = asyncio.create_task(his.flush())
        await private_parts.restart("kafka")
        await asyncio.wait_for(flushing, 90)
    found = await private_bus.arrived(facility)
    assert len(found) == len(set(ids(found))) == 21
    for number in range(10):
        revisions = [item.event.revision for item in found if item.event.ma_lk == f"V{number}"]
        assert revisions == sorted(revisions)


async def test_a_his_that_starts_while_kafka_is_dead_says_so_and_recovers_by_itself(
    private_parts: Parts, private_bus: Bus, tmp_path: Path
) -> None:
    facility = some_facility()
    await private_parts.kill("kafka")
    async with connected(private_bus, facility, tmp_path) as his:
        await his.close_visit(dossier("V1"))
        await eventually(lambda: his.trouble == "BUS_AWAY", timeout=60)
        await private_parts.restart("kafka")
        await asyncio.wait_for(his.flush(), 90)
        assert his.trouble is None
    assert len(await private_bus.arrived(facility)) == 1


async def test_a_registry_that_is_away_at_the_start_is_waited_for_and_one_that_dies_later_is_not_missed(
    private_parts: Parts, private_bus: Bus, tmp_path: Path
) -> None:
    facility = some_facility()
    await private_parts.kill("registry")
    async with connected(private_bus, facility, tmp_path) as his:
        await his.close_visit(dossier("V1"))
        await eventually(lambda: his.trouble == "REGISTRY_AWAY", timeout=60)
        await private_parts.restart("registry")
        await asyncio.wait_for(his.flush(), 90)
        await private_parts.kill("registry")
        await his.close_visit(dossier("V2"))
        await asyncio.wait_for(his.flush(), 90)
        await private_parts.restart("registry")
    assert len(await private_bus.arrived(facility)) == 2


async def test_what_the_broker_refuses_for_ever_is_reported_and_blocks_nobody(private_bus: Bus, tmp_path: Path) -> None:
    facility = some_facility()
    await set_limit(private_bus, 100_000)
    try:
        async with connected(private_bus, facility, tmp_path) as his:
            # Together, so that they share a batch on the way.
            receipts = await asyncio.gather(
                *(his.close_visit(dossier(f"V{number}", size=400_000 if number == 5 else 0)) for number in range(30))
            )
            with pytest.raises(RefusedError) as caught:
                await asyncio.wait_for(his.flush(), 90)
            assert caught.value.entries == ((facility, "V5", receipts[5].revision),)
            assert await his.state(receipts[5]) == "BUS_TOO_LARGE"
            assert {item.event.ma_lk for item in await private_bus.arrived(facility)} == {
                f"V{number}" for number in range(30) if number != 5
            }
            await his.close_visit(dossier("V99"))
            await eventually(lambda: arrived(private_bus, facility, "V99"))
        await set_limit(private_bus, VISIT_CLOSED.max_bytes)
        async with connected(private_bus, facility, tmp_path) as his:
            again = await his.close_visit(dossier("V5", size=400_000))
            await asyncio.wait_for(his.flush(), 90)
            assert again.event_id == receipts[5].event_id
        assert await arrived(private_bus, facility, "V5")
    finally:
        await set_limit(private_bus, VISIT_CLOSED.max_bytes)


async def test_leaving_does_not_wait_for_a_bus_that_is_away(
    private_parts: Parts, private_bus: Bus, tmp_path: Path
) -> None:
    """The broker dies with entries on their way; the next adapter on the spool sends them."""
    facility = some_facility()
    async with asyncio.timeout(60):
        async with connected(private_bus, facility, tmp_path) as his:
            await his.close_visit(dossier("V0"))
            await his.flush()
            await private_parts.kill("kafka")
            receipt = await his.close_visit(dossier("V1"))
    assert not [task for task in asyncio.all_tasks() if "_sender_routine" in repr(task)], "a producer goes on in secret"
    await private_parts.restart("kafka")
    async with connected(private_bus, facility, tmp_path) as his:
        await asyncio.wait_for(his.flush(), 90)
    assert ids(await private_bus.arrived(facility)).count(str(receipt.event_id)) == 1


async def arrived(bus: Bus, facility: str, ma_lk: str) -> bool:
    return ma_lk in {item.event.ma_lk for item in await bus.arrived(facility)}
