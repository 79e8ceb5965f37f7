"""The whole system on one machine: the parts, the simulators, one process for each stage (`healthbook run`)."""

import asyncio
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from events.registry import Registry
from events.topics import TOPICS
from infra.embedded import alertmanager, prometheus
from infra.embedded.failure import PartFailed, first_failure
from infra.embedded.home import keep_port, write_addresses
from infra.embedded.parts import Addresses, Parts
from infra.embedded.process import Child, spawn
from infra.embedded.restarts import keep_running
from streams.adapters import postgres, topic_admin
from streams.adapters.outbox import declare_shards
from streams.config import Settings
from streams.runtime.processes import PROCESSES

READY_WITHIN = 60.0
CONSOLE = "console"
"""Name of the child that serves the pages, and of its command; above this layer, so only its name is known here."""
_HEALTHBOOK = (sys.executable, "-m", "streams")


@dataclass
class System:
    """What runs: its settings with every address filled in, and its children by name."""

    settings: Settings
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.settings.home

    async def start(self, name: str, arguments: Sequence[str]) -> Child:
        """Starts `healthbook ARGUMENTS` as the child `name`; returns when it is ready. Raises PartFailed."""
        child = await self.start_again(name, arguments)
        if arguments[0] == "simulate":
            await child.ready(partial(_exists, self._announced(name)), READY_WITHIN)
        elif arguments[0] in ("stage", CONSOLE):
            await child.ready(partial(_answers, self.home, child), READY_WITHIN)
        return child

    async def start_again(self, name: str, arguments: Sequence[str]) -> Child:
        """The same in place of one that ended, without waiting: the part it needs may be starting again as well."""
        environment = {
            "HEALTHBOOK_HOME": str(self.home),
            "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "HEALTHBOOK_DATABASE_URL": self.settings.database_url,
            "HEALTHBOOK_SCHEMA_REGISTRY_URL": self.settings.schema_registry_url,
            "HEALTHBOOK_GATEWAY_URL": self.settings.gateway_url,
            "HEALTHBOOK_INSTANCE": f"{name}.{socket.gethostname()}",
            "HEALTHBOOK_HTTP_PORT": str(keep_port(self.home, f"http-{name}")),
            "HEALTHBOOK_CONSOLE_PORT": str(self.settings.console_port),
        }
        command = [*_HEALTHBOOK, *arguments]
        if arguments[0] == "simulate":
            self._announced(name).unlink(missing_ok=True)
            command += ["--ready-file", str(self._announced(name))]
        child = await spawn(self.home, name, command, env=environment)
        self.children[name] = child
        return child

    def _announced(self, name: str) -> Path:
        return self.home / "run" / "ready" / f"{name}.json"


@asynccontextmanager
async def running(settings: Settings, others: Mapping[str, Sequence[str]]) -> AsyncIterator[System]:
    """The system, from ready until the block is left; everything it started is stopped then.

    Every process of the bus, and `others`: name → arguments of `healthbook`, such as simulators and adapters. One that
    ends unasked is started again. Raises PartFailed, which says which one, why, and where its log is; HomeBusy for a
    home that runs already.
    """
    parts = Parts(
        settings.home,
        downloads=settings.parts_dir,
        kafka=settings.kafka_bootstrap_servers or None,
        database=settings.database_url or None,
        registry=settings.schema_registry_url or None,
        brokers=settings.kafka_brokers,
    )
    commands = {**others, CONSOLE: [CONSOLE], **_workers(settings.workers)}
    async with parts as addresses, AsyncExitStack() as stopping:
        system = System(_with(settings, addresses))
        shutil.rmtree(_announcements(system.home), ignore_errors=True)  # of workers that run no more
        await prepare(system.settings)
        stopping.push_async_callback(_stop, system)
        with first_failure():
            async with asyncio.TaskGroup() as group:
                for name, arguments in commands.items():
                    group.create_task(system.start(name, arguments))
        _write_addresses(system)
        with first_failure():
            async with asyncio.TaskGroup() as group:
                watching = [group.create_task(parts.keep_running()), group.create_task(_watch(system))]
                for name, arguments in commands.items():
                    restart = partial(system.start_again, name, arguments)
                    watching.append(group.create_task(keep_running(system.children[name], restart)))
                try:
                    yield system
                finally:
                    for task in watching:
                        task.cancel()


def _workers(number: int) -> dict[str, list[str]]:
    """Every process of the bus by the name of its worker: validate, validate-2…"""
    return {
        stage if count == 1 else f"{stage}-{count}": ["stage", stage]
        for stage in PROCESSES
        for count in range(1, number + 1)
    }


def _with(settings: Settings, addresses: Addresses) -> Settings:
    home = settings.home.resolve()
    update = {
        "home": home,
        "kafka_bootstrap_servers": addresses.kafka,
        "database_url": addresses.database,
        "schema_registry_url": addresses.schema_registry,
        "console_port": settings.console_port or keep_port(home, CONSOLE),
        "gateway_url": settings.gateway_url or f"http://127.0.0.1:{keep_port(home, 'gateway')}",
    }
    return settings.model_copy(update=update)


async def prepare(settings: Settings) -> None:
    """Tables, topics and schemas as declared; harmless when they are."""
    pool = await postgres.connect(settings.database_url, 2)
    try:
        await postgres.migrate(pool)
        async with pool.acquire() as connection:
            await declare_shards(connection)
    finally:
        await pool.close()
    await topic_admin.apply(settings.kafka_bootstrap_servers)
    async with Registry(settings.schema_registry_url) as registry:
        for topic in TOPICS:
            await registry.register(topic.name, topic.compatibility)


async def _answers(home: Path, child: Child) -> bool:
    """Whether the process says that it is ready, at the address that it wrote itself."""
    told = listening(home).get(child.name)
    if told is None or told["pid"] != child.pid:
        return False
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        try:
            async with session.get(f"{told['url']}/readyz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


async def _exists(file: Path) -> bool:
    return await asyncio.to_thread(file.exists)


async def _watch(system: System) -> None:
    """Alertmanager and Prometheus, where the machine has them or can get them; nothing waits for them."""
    alerts = await alertmanager.start(system.home)
    if alerts is not None:
        system.children[alertmanager.NAME], address = alerts
        write_addresses(system.home, {alertmanager.NAME: address})
    runbooks = f"{_console(system.settings)}docs/runbooks"
    started = await prometheus.start(system.home, address if alerts else None, runbooks)
    if started is None:
        return
    system.children[prometheus.NAME], url = started
    targets = {name: told["url"].removeprefix("http://") for name, told in listening(system.home).items()}
    prometheus.write_targets(system.home, targets)
    write_addresses(system.home, {prometheus.NAME: url})


def _write_addresses(system: System) -> None:
    """For `status` and for commands in a second terminal."""
    metrics = [f"{told['url']}/metrics" for told in listening(system.home).values()]
    addresses: dict[str, object] = {
        "gateway": system.settings.gateway_url,
        "console": _console(system.settings),
        "prometheus": None,
        "alertmanager": None,
        "metrics": metrics,
    }
    write_addresses(system.home, addresses)


def _console(settings: Settings) -> str:
    return f"http://{settings.console_host}:{settings.console_port}/"


def listening(home: Path) -> dict[str, dict[str, Any]]:
    """Where each process listens for probes and Prometheus, as it wrote itself: name → {name, pid, url}."""
    files = sorted(_announcements(home).glob("*.json"))
    return {told["name"]: told for told in (json.loads(file.read_text(encoding="utf-8")) for file in files)}


def _announcements(home: Path) -> Path:
    return home / "run" / "http"


async def _stop(system: System) -> None:
    """All at once: each drains what it holds."""
    await asyncio.gather(*(child.stop() for child in system.children.values()))


__all__ = ["PartFailed", "System", "running"]
