"""The whole system, living by the day's clock: PostgreSQL, every process of the bus, console, simulators, HIS."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.embedded import kafka, postgres, registry
from infra.embedded.cluster import planned
from infra.embedded.home import keep_port, locked, write_addresses
from infra.embedded.process import Child, spawn
from streams.adapters.facilities import Facility, FacilityKind, FacilityRegister
from streams.config import Settings
from streams.runtime.processes import PROCESSES
from streams.runtime.system import listening, prepare
from streams.simulators.pki import TestAuthority, prepare_facilities
from tests.day.clock import Clock
from tests.day.story import EXPIRING, FACILITIES
from tests.faults.machine import Clocks
from tests.support.eventually import eventually

REPOSITORY = Path(__file__).parents[2]
STARTS_WITHIN = 180.0


@dataclass
class System:
    """What runs under `home`, and since when by which clock."""

    home: Path
    clock: Clock
    settings: Settings
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def addresses(self) -> dict[str, str]:
        """Settings of every process."""
        return {
            "HEALTHBOOK_HOME": str(self.home),
            "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "HEALTHBOOK_DATABASE_URL": self.settings.database_url,
            "HEALTHBOOK_SCHEMA_REGISTRY_URL": self.settings.schema_registry_url,
            "HEALTHBOOK_GATEWAY_URL": self.settings.gateway_url,
            "HEALTHBOOK_CONSOLE_PORT": str(self.settings.console_port),
            # Kafka lives by our clock: what is ten seconds for it would be a moment of the day.
            "HEALTHBOOK_KAFKA_SESSION": "30",
            "HEALTHBOOK_HTTP_PORT": "0",
        }

    @property
    def console(self) -> str:
        return f"http://127.0.0.1:{self.settings.console_port}"

    async def start(self, name: str, *module: str, clock: Clocks | None = None) -> None:
        """`python -m MODULE` by the day's clock, or by one of its own that is set by hand."""
        environment = self.addresses | (clock.environment(name) if clock else await self.clock.environment())
        self.children[name] = await spawn(
            self.home, name, [sys.executable, "-m", *module], env=environment, cwd=REPOSITORY
        )

    async def healthbook(self, *arguments: str) -> str:
        """What a command in a second terminal prints; it must end with 0."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams", *arguments),
            env={**os.environ, **self.addresses, **await self.clock.environment()},
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complaint = await process.communicate()
        assert process.returncode == 0, f"{arguments}: {complaint.decode()}"
        return said.decode()

    async def gateway_faults(self, *faults: Mapping[str, Any]) -> None:
        """The gateway behaves like this from now on; without any, as it should."""
        async with aiohttp.ClientSession() as http:
            url = f"{self.settings.gateway_url}/_sim/faults"
            async with http.delete(url) as answer:
                answer.raise_for_status()
            async with http.post(url, json=faults) as answer:
                answer.raise_for_status()

    async def vneid(self, *faults: str) -> None:
        """VNeID, started anew with these faults."""
        if child := self.children.get("vneid"):
            await child.stop()
        options = [option for fault in faults for option in ("--fault", fault)]
        state = str(self.home / "vneid.json")
        await self.start("vneid", "streams", "simulate", "vneid", "--delay", "5", "--state", state, *options)


@asynccontextmanager
async def running(
    home: Path, downloads: Path, clock: Clock, certificate_ends: datetime, faults: Sequence[str] = ()
) -> AsyncIterator[System]:
    """The system, from ready until the block is left; `faults` are VNeID's from the start.

    A second one in the same home goes on with what is there.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(locked(home))
        settings = await _parts(home, downloads, clock, stack)
        await prepare(settings)
        await eventually(partial(_forgotten, settings.kafka_bootstrap_servers), timeout=STARTS_WITHIN)
        system = System(home, clock, settings)
        _facilities(system, certificate_ends)
        write_addresses(home, {"gateway": settings.gateway_url, "console": system.console})
        stack.push_async_callback(_stop, system.children)
        port, accounts = settings.gateway_url.rpartition(":")[2], str(home / "accounts")
        state = str(home / "gateway.jsonl")
        gateway = ("simulate", "gateway", "--port", port, "--accounts", accounts, "--state", state)
        await system.start("gateway", "streams", *gateway)
        await system.vneid(*faults)
        await system.start("console", "streams", "console")
        # One after the other: all at once they would starve each other for what are minutes of their day.
        for name in PROCESSES:
            await system.start(name, "streams", "stage", name)
            await eventually(partial(_ready, system, name), timeout=STARTS_WITHIN, message=f"{name} is ready")
        yield system


async def _parts(home: Path, downloads: Path, clock: Clock, stack: AsyncExitStack) -> Settings:
    cluster = planned(home, 1)
    broker = await kafka.start(cluster, cluster.nodes[0], downloads)
    stack.push_async_callback(broker.stop)
    database, database_url = await postgres.start(home)  # makes the data folder, which takes a while of the day
    await database.stop()
    with _inherited(await clock.environment(sleeps_by_ours=True)):
        database, database_url = await postgres.start(home)
    stack.push_async_callback(database.stop)
    schemas, registry_url = await registry.start(home, downloads, database=database_url)
    stack.push_async_callback(schemas.stop)
    return Settings(
        home=home,
        kafka_bootstrap_servers=cluster.bootstrap,
        database_url=database_url,
        schema_registry_url=registry_url,
        gateway_url=f"http://127.0.0.1:{keep_port(home, 'gateway')}",
        console_port=keep_port(home, "console"),
    )


@contextmanager
def _inherited(environment: Mapping[str, str]) -> Iterator[None]:
    """What is started meanwhile gets it as well."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _facilities(system: System, certificate_ends: datetime) -> None:
    """Four hospitals, here and at the gateway; the certificate of one of them ends during the day."""
    register, accounts = FacilityRegister(system.settings.facilities_dir), system.home / "accounts"
    now = system.clock.start
    if register.get(EXPIRING) is None:
        name = f"Bệnh viện Thử nghiệm {EXPIRING}"
        authority = TestAuthority(accounts, now)
        key, certificate = authority.issue(name, f"99{EXPIRING}999", now - timedelta(days=365), certificate_ends)
        facility = Facility(EXPIRING, name, FacilityKind.INSURED, date(2024, 1, 1), None, f"{EXPIRING}_BV")
        register.add(facility, password=f"sample-{EXPIRING}", key=key, certificate=certificate)
    prepare_facilities(register, accounts, {code: f"Bệnh viện Thử nghiệm {code}" for code in FACILITIES}, now)


async def _ready(system: System, name: str) -> bool:
    told = listening(system.home).get(name)
    if told is None or told["pid"] != system.children[name].pid:
        return False
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http,
        http.get(f"{told['url']}/readyz") as answer,
    ):
        return answer.status == 200


async def _forgotten(bootstrap: str) -> bool:
    """Kafka waits by our clock for workers that are gone, longer than those of a quick day would wait for it."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    described = await asyncio.to_thread(admin.describe_consumer_groups, list(PROCESSES))
    try:
        return all([not (await asyncio.to_thread(group.result)).members for group in described.values()])
    except KafkaException:
        return False  # its coordinator has only just begun


async def _stop(children: Mapping[str, Child]) -> None:
    await asyncio.gather(*(child.stop() for child in children.values()))
