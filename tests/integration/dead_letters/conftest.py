"""A reader of `visit.closed.v1` that cannot use everything, on real Kafka and PostgreSQL, and the command beside it."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from events.serde import Serde
from events.visit import VisitClosed
from tests.support.commands import Answer, healthbook
from tests.support.dead_letters import Bench, Command, Reader, reading


@pytest.fixture
async def producer(kafka: str, declared: None) -> AsyncIterator[Any]:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as opened:
        yield opened


@pytest.fixture
def visit() -> str:
    """A MA_LK prefix that no other test has."""
    return f"DLQ-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def command(kafka: str, database_url: str) -> Command:
    async def run(*arguments: object) -> Answer:
        return await healthbook(*arguments, database_url=database_url, kafka_bootstrap_servers=kafka)

    return run


@pytest.fixture
async def bench(kafka: str, serde: Serde, producer: Any, visit: str) -> AsyncIterator[Bench]:
    reader = Reader(visit)
    async with reading(kafka, serde, reader, VisitClosed):
        yield Bench(kafka, producer, serde, reader)
