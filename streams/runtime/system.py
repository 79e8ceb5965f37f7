"""The whole system on one machine: the parts, the simulators, one process for each stage (`healthbook run`)."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from events.registry import Registry
from events.topics import TOPICS
from infra.embedded.failure import PartFailed
from infra.embedded.home import write_addresses
from infra.embedded.parts import Addresses, Parts
from infra.embedded.process import Child, spawn
from streams.adapters import postgres, topic_admin
from streams.config import Settings
from streams.runtime.processes import PROCESSES

READY_WITHIN = 60.0
_HEALTHBOOK = (sys.executable, "-m", "streams")


@dataclass
class System:
    """What runs: its settings with every address filled in, and its children by name."""

    settings: Settings
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a child needs to know to be part of this system."""
        return {
            "HEALTHBOOK_HOME": str(self.settings.home),
            "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "HEALTHBOOK_DATABASE_URL": self.settings.database_url,
            "HEALTHBOOK_SCHEMA_REGISTRY_URL": self.settings.schema_registry_url,
            "HEALTHBOOK_GATEWAY_URL": self.settings.gateway_url,
        }

    async def start(self, name: str, arguments: Sequence[str]) -> Child:
        """Starts `healthbook ARGUMENTS` as the child `name`, in place of one that ended."""
        self.children[name] = await spawn(self.settings.home, name, [*_HEALTHBOOK, *arguments], env=self.environment)
        return self.children[name]


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[System]:
    """The system, from ready until the block is left; everything it started is stopped then.

    Raises PartFailed, which says which part, why, and where its log is; HomeBusy for a home that runs already.
    """
    parts = Parts(
        settings.home,
        downloads=settings.parts_dir,
        kafka=settings.kafka_bootstrap_servers or None,
        database=settings.database_url or None,
        registry=settings.schema_registry_url or None,
    )
    async with parts as addresses, AsyncExitStack() as stopping:
        system = System(_with(settings, addresses))
        await _prepare(system.settings)
        stopping.push_async_callback(_stop, system)
        for name in PROCESSES:
            await system.start(name, ["stage", name])
        await asyncio.gather(*(_ready(system, name) for name in PROCESSES))
        write_addresses(system.settings.home, {"metrics": _metrics(system.settings.home)})
        yield system


def _with(settings: Settings, addresses: Addresses) -> Settings:
    update = {
        "home": settings.home.resolve(),
        "kafka_bootstrap_servers": addresses.kafka,
        "database_url": addresses.database,
        "schema_registry_url": addresses.schema_registry,
    }
    return settings.model_copy(update=update)


async def _prepare(settings: Settings) -> None:
    """Tables, topics and schemas as declared; harmless when they are."""
    pool = await postgres.connect(settings.database_url, 2)
    try:
        await postgres.migrate(pool)
    finally:
        await pool.close()
    await topic_admin.apply(settings.kafka_bootstrap_servers)
    async with Registry(settings.schema_registry_url) as registry:
        for topic in TOPICS:
            await registry.register(topic.name, topic.compatibility)


async def _ready(system: System, name: str) -> None:
    """Waits until the process answers its readiness probe. Raises PartFailed when it ends or takes too long."""

    async def probe() -> bool:
        url = _http(system.settings.home).get(name)
        if url is None:
            return False
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            try:
                async with session.get(f"{url}/readyz") as answer:
                    return answer.status == 200
            except (aiohttp.ClientError, TimeoutError):
                return False

    await system.children[name].ready(probe, READY_WITHIN)


def _http(home: Path) -> Mapping[str, str]:
    """Where each process listens for probes and Prometheus, as it wrote itself."""
    found = {}
    for file in sorted((home / "run" / "http").glob("*.json")):
        told = json.loads(file.read_text(encoding="utf-8"))
        found[told["name"]] = told["url"]
    return found


def _metrics(home: Path) -> list[str]:
    return [f"{url}/metrics" for url in _http(home).values()]


async def _stop(system: System) -> None:
    """Stages first, all at once: each drains what it holds."""
    await asyncio.gather(*(child.stop() for child in system.children.values()))


__all__ = ["PartFailed", "System", "running"]
