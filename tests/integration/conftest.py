"""What tests share: topics, schemas, a database; for forward two facilities, a ledger and a gateway simulator."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from events.registry import Registry
from events.serde import Serde
from events.topics import TOPICS
from streams.adapters import topic_admin
from streams.adapters.facilities import FacilityRegister
from streams.adapters.outbox import declare_shards
from streams.simulators.gateway.clock import VirtualClock
from streams.simulators.gateway.server import GatewaySimulator
from streams.simulators.pki import prepare_facilities
from tests.support.forward_bench import FACILITY, OTHER, Bench, Benches


@pytest.fixture(scope="session")
async def serde(schema_registry: str) -> AsyncIterator[Serde]:
    """Of all events, whose schemas are registered as `healthbook schema register` does it."""
    async with Registry(schema_registry) as registry:
        for topic in TOPICS:
            await registry.register(topic.name, topic.compatibility)
        prepared = Serde(registry)
        await prepared.prepare(*(topic.event for topic in TOPICS))
        yield prepared


@pytest.fixture(scope="session")
async def declared(kafka: str, serde: Serde) -> None:
    """All topics of the bus, as `healthbook topic apply` makes them, and their schemas."""
    await topic_admin.apply(kafka)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=8) as opened:
        async with opened.acquire() as connection:
            await declare_shards(connection)
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forward")


@pytest.fixture(scope="module")
def register(folder: Path) -> FacilityRegister:
    found = FacilityRegister(folder / "facilities")
    prepare_facilities(found, folder / "accounts", {FACILITY: "Bệnh viện Thử A", OTHER: "Bệnh viện Thử B"})
    return found


@pytest.fixture
def bench(pool: "asyncpg.Pool[asyncpg.Record]", register: FacilityRegister, serde: Serde, folder: Path) -> Benches:
    @asynccontextmanager
    async def made(
        *faults: str,
        horizon: timedelta = timedelta(days=1),
        profile: str = "strict",
        rules: Mapping[str, str] | None = None,
        seed: int = 0,
        clock: VirtualClock | None = None,
    ) -> AsyncIterator[Bench]:
        simulator = GatewaySimulator(
            folder / "accounts", seed=seed, profile=profile, faults=faults, rules=rules, clock=clock
        )
        of_the_profile = list(simulator.gateway.faults)[len(faults) :]
        async with simulator:
            yield Bench(pool, register, serde, simulator, horizon)
            active = [each for each in simulator.gateway.faults if each not in of_the_profile]
            assert all(each.taken for each in active), "a fault that never struck proves nothing"

    return made
