"""A stage as a process of its own: probes, drain on SIGTERM, the poison limit, a registry that is away."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from events.envelope import headers
from events.registry import Registry
from events.serde import Serde
from events.topics import HEALTH_BOOK_DISPLAYED
from events.visit import TableFile, VisitClosed
from infra.embedded.parts import Addresses
from tests.support.eventually import eventually
from tests.support.stage_process import process


@pytest.fixture
async def producer(parts: Addresses, declared: None) -> AsyncIterator[Any]:
    async with AIOKafkaProducer(bootstrap_servers=parts.kafka) as opened:
        yield opened


class Forwarder:
    """A port of its own in front of the registry, that can be closed and opened."""

    def __init__(self, registry: str) -> None:
        self._target = urlsplit(registry)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return self._target._replace(netloc=f"127.0.0.1:{self.port}").geturl()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._open |= {writer, behind[1]}
        await asyncio.gather(_copy(reader, behind[1]), _copy(behind[0], writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
    writer.close()


@pytest.fixture
async def registry(parts: Addresses) -> AsyncIterator[Forwarder]:
    forwarder = Forwarder(parts.schema_registry)
    await forwarder.open()
    yield forwarder
    await forwarder.close()


def closed(ma_lk: str) -> VisitClosed:
    return VisitClosed("01999", ma_lk, 1, datetime.now(UTC), (TableFile("XML1", b"<TONG_HOP/>"),))


async def send(parts: Addresses, producer: Any, *events: VisitClosed) -> None:
    async with Registry(parts.schema_registry) as registry:
        serde = Serde(registry)
        await serde.prepare(VisitClosed)
        for event in events:
            await producer.send_and_wait(
                event.topic,
                key=event.key.encode(),
                value=serde.encode(event),
                headers=headers(event, datetime.now(UTC)),
            )


async def recorded(database_url: str, prefix: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval("select count(*) from timeline where ma_lk like $1 || '%'", prefix))
    finally:
        await connection.close()


@pytest.fixture
def visit() -> str:
    return f"PROC-{uuid.uuid4().hex[:8]}"


async def test_sigterm_in_the_middle_of_the_stream_ends_with_0_and_the_next_process_goes_on(
    parts: Addresses, producer: Any, database_url: str, tmp_path: Path, visit: str
) -> None:
    events = [closed(f"{visit}-{number:03}") for number in range(300)]
    async with process("record", parts, database_url, tmp_path) as first:
        await first.until("/readyz", 200)
        sending = asyncio.create_task(send(parts, producer, *events))

        async def some() -> bool:
            return await recorded(database_url, visit) > 0

        await eventually(some, timeout=60)
        assert await first.terminate() == 0
        assert "drained" in first.log
        await sending
    async with process("record", parts, database_url, tmp_path) as second:
        await second.until("/readyz", 200)  # there may be nothing left to do: it must be there to be stopped

        async def all_of_them() -> bool:
            return await recorded(database_url, visit) == 300

        await eventually(all_of_them, timeout=60)
        assert await second.terminate() == 0


async def test_more_poison_than_the_limit_ends_the_process_with_70_and_a_reason(
    parts: Addresses, producer: Any, database_url: str, tmp_path: Path
) -> None:
    async with process("record", parts, database_url, tmp_path, HEALTHBOOK_POISON_PER_MINUTE="3") as stage:
        await stage.until("/readyz", 200)
        for number in range(40):
            await producer.send_and_wait(HEALTH_BOOK_DISPLAYED.name, key=b"nobody", value=b"poison %d" % number)
        assert await asyncio.wait_for(stage.child.wait(), 60) == 70
        assert "more than 3 dead letters within a minute" in stage.log
        assert "HEALTHBOOK_POISON_PER_MINUTE" in stage.log
    # Whoever goes on has them all before it: a limit loses nothing.
    async with process("record", parts, database_url, tmp_path) as again:
        await again.until("/readyz", 200)
        await send(parts, producer, closed("after-poison"))

        async def there() -> bool:
            return await recorded(database_url, "after-poison") == 1

        await eventually(there, timeout=60)
        assert await again.terminate() == 0


async def test_a_registry_that_is_away_at_the_start_is_waited_for(
    parts: Addresses, producer: Any, database_url: str, tmp_path: Path, visit: str, registry: Forwarder
) -> None:
    await registry.close()
    await send(parts, producer, closed(visit))
    async with process("record", parts, database_url, tmp_path, HEALTHBOOK_SCHEMA_REGISTRY_URL=registry.url) as stage:
        await stage.until("/livez", 200)

        async def complains() -> bool:
            assert stage.child.returncode is None, stage.log
            return "schema registry" in stage.log

        await eventually(complains, timeout=60)
        assert await recorded(database_url, visit) == 0
        await registry.open()

        async def there() -> bool:
            return await recorded(database_url, visit) == 1

        await eventually(there, timeout=60)
        assert await stage.terminate() == 0
        assert "record put aside" not in stage.log


async def test_known_schemas_need_no_registry_and_a_new_one_is_waited_for(
    parts: Addresses, producer: Any, database_url: str, tmp_path: Path, visit: str, registry: Forwarder
) -> None:
    async with process("record", parts, database_url, tmp_path, HEALTHBOOK_SCHEMA_REGISTRY_URL=registry.url) as stage:

        async def there(ma_lk: str) -> bool:
            assert stage.child.returncode is None, stage.log
            return await recorded(database_url, ma_lk) == 1

        await send(parts, producer, closed(f"{visit}-1"))
        await eventually(lambda: there(f"{visit}-1"), timeout=60)
        await registry.close()
        await send(parts, producer, closed(f"{visit}-2"))
        await eventually(lambda: there(f"{visit}-2"), timeout=60)
        assert await stage.terminate() == 0
