"""The whole system: every process in the nemesis's hands, and a link between each process and each part it needs."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from infra.embedded.home import keep_port
from infra.embedded.parts import Addresses, Parts
from infra.embedded.process import Child, spawn
from infra.embedded.records import read_json
from streams.config import Settings
from streams.runtime.system import prepare
from streams.simulators import demonstration
from tests.faults.links import Link
from tests.faults.machine import LIBFAKETIME, Clocks, Disk, disk
from tests.faults.order import Order
from tests.faults.process import Process
from tests.faults.schedule import Targets

REPOSITORY = Path(__file__).parents[2]
PARTS = ("kafka", "postgres", "registry")
STAGES = {
    "validate": "validate",
    "sign": "sign",
    "forward-1": "forward",
    "forward-2": "forward",
    "publish": "publish",
    "record": "record",
    "relay-1": "relay",
    "relay-2": "relay",
    "deadlines": "deadlines",
    "flow": "flow",
}
"""Process → stage. Two of those that must fence each other."""
NEEDS: Mapping[str, tuple[str, ...]] = {
    **{name: (*PARTS, "gateway") if stage == "forward" else PARTS for name, stage in STAGES.items()},
    "vneid": ("kafka", "registry"),
    "his": ("kafka", "registry"),
    "gateway": (),
}
"""Process → what it has a link to."""
CLOCKED = (*STAGES, "his")
SETTINGS = {
    # Short leases and waits: what is looked at is the recovery, not the patience of production.
    "HEALTHBOOK_GATEWAY_LEASE": "3",
    "HEALTHBOOK_GATEWAY_TIMEOUT": "5",
    "HEALTHBOOK_RETRY_SCALE": "0.02",
    "HEALTHBOOK_HOLD_RETRY": "2",
    "HEALTHBOOK_KAFKA_SESSION": "5",
    "HEALTHBOOK_RELAY_LEASE": "4",
    "HEALTHBOOK_TRANSACTION_IDLE": "10",
}


@dataclass
class System:
    """What runs under `home`. `direct`: the addresses without a link in between, for whoever looks on."""

    home: Path
    direct: Addresses
    ports: Mapping[str, int]
    clocks: Clocks
    disk: Disk
    processes: dict[str, Process] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    @property
    def vneid(self) -> str:
        return f"http://127.0.0.1:{self.ports['vneid']}"

    @property
    def targets(self) -> Targets:
        """What there is to hurt on this machine."""
        return Targets(
            processes=tuple(NEEDS),
            parts=PARTS,
            links=tuple(self.links),
            clocks=CLOCKED if LIBFAKETIME else (),
            disks=("spools",) if self.disk.mounted else (),
        )

    @property
    def without(self) -> list[str]:
        """Which faults this machine does not permit, and why."""
        reasons = {
            "no clock steps: libfaketime is missing (Debian package faketime)": LIBFAKETIME is None,
            "no full disks: this user may not mount a tmpfs": not self.disk.mounted,
        }
        return [reason for reason, applies in reasons.items() if applies]

    def environment(self, process: str | None = None) -> dict[str, str]:
        """Addresses as one process has them, by its links; without one, as a command in a second terminal has them."""
        port = {
            part: self.links[link].port for part in (*PARTS, "gateway") if (link := f"{process}>{part}") in self.links
        }
        found = {
            **SETTINGS,
            "HEALTHBOOK_HOME": str(self.home),
            "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": _at(self.direct.kafka, port.get("kafka")),
            "HEALTHBOOK_DATABASE_URL": _at(self.direct.database, port.get("postgres")),
            "HEALTHBOOK_SCHEMA_REGISTRY_URL": _at(self.direct.schema_registry, port.get("registry")),
            "HEALTHBOOK_GATEWAY_URL": _at(self.gateway, port.get("gateway")),
        }
        if process in STAGES:
            found |= {"HEALTHBOOK_HTTP_PORT": "0", "HEALTHBOOK_INSTANCE": process}
        if process in CLOCKED:
            found |= self.clocks.environment(process)
        return found

    async def unready(self) -> list[str]:
        """Who does not run, or does not say that it is ready."""
        waiting = [name for name, process in self.processes.items() if process.missing]
        asked = [name for name in (*STAGES, "vneid", "gateway") if name not in waiting]
        ready = await asyncio.gather(*(_answers(self._probe(name)) for name in asked))
        return waiting + [name for name, says in zip(asked, ready, strict=True) if not says]

    def _probe(self, name: str) -> str:
        """Where it says that it is ready; a stage writes down which port it took."""
        if name not in STAGES:
            return f"http://127.0.0.1:{self.ports[name]}/livez"
        return f"{read_json(self.home / 'run' / 'http' / f'{name}.json').get('url', 'http://127.0.0.1:1')}/readyz"


@asynccontextmanager
async def running(
    home: Path, downloads: Path, order: Order, seed: int, planted: str | None = None
) -> AsyncIterator[System]:
    """The system, until the block is left; everything but its HIS is being started. Raises PartFailed.

    `order` is what the HIS closes once it is released, `seed` the simulators' own; `planted` starts every process with
    that bug (`planted/`).
    """
    async with AsyncExitStack() as stack:
        spools = stack.enter_context(disk(order.spools))
        parts = Parts(home, downloads=downloads)
        direct = await stack.enter_async_context(parts)
        settings = Settings(
            home=home,
            kafka_bootstrap_servers=direct.kafka,
            database_url=direct.database,
            schema_registry_url=direct.schema_registry,
        )
        ports = {"vneid": keep_port(home, "vneid")}
        commands = _commands(settings, order, seed, ports["vneid"])
        ports["gateway"] = keep_port(home, "gateway")
        system = System(home, direct, ports, Clocks(home / "clocks"), spools)
        await prepare(settings)
        await _open_links(system, stack)
        for part in PARTS:
            system.processes[part] = Process(part, partial(_part, parts, part), parts.children[part])
        for name, command in commands.items():
            start = partial(_start, system, name, command, planted)
            system.processes[name] = Process(name, start, finishes=name == "his")
        system.processes["his"].hold()
        async with asyncio.TaskGroup() as group:
            stack.push_async_callback(_end, system)
            watching = [group.create_task(process.keep_running()) for process in system.processes.values()]
            try:
                yield system
            finally:
                for task in watching:
                    task.cancel()


def _commands(settings: Settings, order: Order, seed: int, vneid: int) -> dict[str, list[str]]:
    """Process → the module to run and its arguments."""
    simulators = demonstration.prepare(settings)
    kept = str(settings.home / "received")
    product = {
        **{name: ["stage", stage] for name, stage in STAGES.items()},
        "gateway": [*simulators["gateway"], "--keep-bytes", kept, "--seed", str(seed)],
        "vneid": [*simulators["vneid"], "--port", str(vneid), "--delay", "0.1", "--seed", str(seed)],
    }
    return {
        **{name: ["streams", *arguments] for name, arguments in product.items()},
        "his": ["tests.faults.his", str(order.file)],
    }


async def _open_links(system: System, stack: AsyncExitStack) -> None:
    behind = {
        "kafka": urlsplit(f"//{system.direct.kafka}").port,
        "postgres": urlsplit(system.direct.database).port,
        "registry": urlsplit(system.direct.schema_registry).port,
        "gateway": system.ports["gateway"],
    }
    for process, needed in NEEDS.items():
        for part in needed:
            target = behind[part]
            assert target is not None
            link = Link(f"{process}>{part}", target, kafka=part == "kafka")
            await link.open()
            stack.push_async_callback(link.close)
            system.links[link.name] = link


async def _part(parts: Parts, name: str) -> Child:
    await parts.restart(name)
    return parts.children[name]


async def _start(system: System, name: str, command: list[str], planted: str | None) -> Child:
    through = ["tests.faults.planted", planted] if planted else []
    argv = [sys.executable, "-m", *through, *command]
    return await spawn(system.home, name, argv, env=system.environment(name), cwd=REPOSITORY)


async def _end(system: System) -> None:
    """At once: what they hold no longer matters. The parts are left to their own supervisor."""
    await asyncio.gather(*(process.end() for name, process in system.processes.items() if name not in PARTS))


async def _answers(url: str) -> bool:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        try:
            async with http.get(url) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def _at(address: str, port: int | None) -> str:
    """The same address with another port."""
    if port is None:
        return address
    before, _, after = address.partition("127.0.0.1:")
    return f"{before}127.0.0.1:{port}{after.lstrip('0123456789')}"
