"""The parts stand up on a bare machine, keep their data, come back after a crash, and leave nothing behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from infra.embedded import kafka as embedded_kafka
from infra.embedded.failure import HomeBusy
from infra.embedded.home import read_addresses
from infra.embedded.parts import Addresses, Parts
from infra.embedded.process import states
from tests.support.eventually import eventually

REPOSITORY = Path(__file__).parents[2]
PARTS = ("kafka", "postgres", "registry")
Unique = Callable[[str], str]


async def test_what_was_written_survives_the_kill_of_every_part(private_parts: Parts, unique: Unique) -> None:
    name = unique("killed")
    await write(private_parts.addresses, name)

    for part in PARTS:
        await private_parts.kill(part)
    for part in PARTS:
        await private_parts.restart(part)

    await assert_kept(private_parts.addresses, name)


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_dies_is_started_again_at_its_address(
    private_parts: Parts, unique: Unique, part: str
) -> None:
    # A PostgreSQL that dies with work in hand: this backend would go on for ever, and hold the shared memory.
    busy = await asyncpg.connect(private_parts.addresses.database)
    work = asyncio.create_task(busy.execute("do $$ begin loop null; end loop; end $$"))
    keeping = asyncio.create_task(private_parts.keep_running())
    try:
        died = private_parts.children[part]
        os.kill(died.pid, signal.SIGKILL)
        await eventually(lambda: private_parts.children[part] is not died or keeping.done(), timeout=60)
        await write(private_parts.addresses, unique("again"))
    finally:
        for task in (keeping, work):
            task.cancel()
            await asyncio.wait([task])
        busy.terminate()


async def test_a_misspelled_topic_is_an_error_and_not_a_new_topic(private_parts: Parts, unique: Unique) -> None:
    async with AIOKafkaProducer(bootstrap_servers=private_parts.addresses.kafka, request_timeout_ms=2000) as producer:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send(unique("misspelled"), b"")


async def test_a_message_of_21_mb_passes(private_parts: Parts, unique: Unique) -> None:
    topic, dossier = unique("large"), os.urandom(21_000_000)
    await create_topic(private_parts.addresses, topic, {"max.message.bytes": str(32 * 2**20)})
    await send(private_parts.addresses, topic, dossier)
    assert await first_value(private_parts.addresses, topic) == dossier


async def test_a_fresh_registry_refuses_a_schema_that_old_readers_cannot_follow(
    private_parts: Parts, unique: Unique
) -> None:
    versions = f"{private_parts.addresses.schema_registry}/subjects/{unique('changed')}/versions"
    async with aiohttp.ClientSession() as http:
        assert (await http.post(versions, json={"schema": '"string"'})).status == 200
        assert (await http.post(versions, json={"schema": '"int"'})).status == 409


async def test_a_second_supervisor_of_a_home_is_refused(private_parts: Parts) -> None:
    with pytest.raises(HomeBusy, match=f"in use by process {os.getpid()}"):
        await Parts(private_parts.home).__aenter__()
    assert await embedded_kafka.answers(port_of(private_parts.addresses.kafka))


async def test_a_stopped_set_leaves_nothing_running_and_starts_with_its_data(tmp_path: Path, downloads: Path) -> None:
    async with supervisor(tmp_path, downloads) as first:
        before = await ready(first, tmp_path)
        await write(before, "kept")
        running = states(tmp_path)
        assert {name for name, state in running.items() if state.running} >= set(PARTS)

        first.send_signal(signal.SIGTERM)
        assert await first.wait() == 0
        assert not any(state.running for state in states(tmp_path).values())
        assert read_addresses(tmp_path) == {}

    async with supervisor(tmp_path, downloads) as second:
        assert await ready(second, tmp_path) == before
        await assert_kept(before, "kept")

        second.send_signal(signal.SIGINT)
        assert await second.wait() == 0
        assert not any(state.running for state in states(tmp_path).values())


async def test_the_next_start_ends_what_a_killed_supervisor_left(tmp_path: Path, downloads: Path) -> None:
    async with supervisor(tmp_path, downloads) as killed:
        before = await ready(killed, tmp_path)
        await write(before, "kept")
        killed.kill()
        await killed.wait()
    orphans = states(tmp_path)
    assert all(orphans[part].running for part in PARTS), "the kill was to leave orphans"
    assert read_addresses(tmp_path) == {}, "nobody answers for these addresses any more"

    async with supervisor(tmp_path, downloads) as next_one:
        assert await ready(next_one, tmp_path) == before
        assert not {orphans[part].pid for part in PARTS} & set(psutil.pids())
        await assert_kept(before, "kept")


async def test_asked_to_end_while_it_starts_it_ends_everything(tmp_path: Path, downloads: Path) -> None:
    async with supervisor(tmp_path, downloads) as starting:
        await eventually(lambda: "postgres" in states(tmp_path), timeout=60)
        starting.send_signal(signal.SIGTERM)
        assert await starting.wait() == 0
    assert not any(state.running for state in states(tmp_path).values())


@asynccontextmanager
async def supervisor(home: Path, downloads: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m infra.embedded` on `home`, in a process of its own as a user has it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "infra.embedded",
        env={**os.environ, "HEALTHBOOK_HOME": str(home), "HEALTHBOOK_PARTS": str(downloads)},
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def ready(process: asyncio.subprocess.Process, home: Path) -> Addresses:
    def addresses() -> dict[str, object]:
        assert process.returncode is None, f"it ended with {process.returncode} instead of starting"
        return read_addresses(home)

    found = await eventually(addresses, timeout=90)
    return Addresses(**{name: str(address) for name, address in found.items()})


async def write(addresses: Addresses, name: str) -> None:
    """One message, one row and one schema under `name`."""
    await create_topic(addresses, name)
    await send(addresses, name, b"kept")
    connection = await asyncpg.connect(addresses.database)
    await connection.execute(f'create table "{name}" as select 7 as kept')
    await connection.close()
    url = f"{addresses.schema_registry}/subjects/{name}/versions"
    async with aiohttp.ClientSession() as http:

        async def registered() -> bool:  # not always at once: 500 for each pooled connection that died with PostgreSQL
            return (await http.post(url, json={"schema": '"string"'})).status == 200

        await eventually(registered)


async def assert_kept(addresses: Addresses, name: str) -> None:
    assert await first_value(addresses, name) == b"kept"
    connection = await asyncpg.connect(addresses.database)
    assert await connection.fetchval(f'select kept from "{name}"') == 7  # noqa: S608 - a name of our own
    await connection.close()
    url = f"{addresses.schema_registry}/subjects/{name}/versions/latest"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert (await answer.json(content_type=None))["schema"] == '"string"'


async def create_topic(addresses: Addresses, name: str, settings: dict[str, str] | None = None) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses.kafka)
    await admin.start()
    topic = NewTopic(name, num_partitions=1, replication_factor=1, topic_configs=settings or {})
    await admin.create_topics([topic])
    await admin.close()


async def send(addresses: Addresses, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=addresses.kafka, acks="all", max_request_size=32 * 2**20) as producer:
        await producer.send_and_wait(topic, value)


async def first_value(addresses: Addresses, topic: str) -> bytes:
    async with AIOKafkaConsumer(bootstrap_servers=addresses.kafka, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        message = await asyncio.wait_for(consumer.getone(), 30)
    assert isinstance(message.value, bytes)
    return message.value


def port_of(bootstrap_servers: str) -> int:
    return int(bootstrap_servers.rpartition(":")[2])
