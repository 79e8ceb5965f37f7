"""Apache Kafka: one KRaft node, broker and controller in one process, on 127.0.0.1 only.

Listeners are plaintext without authentication, which is why they never leave the loopback: a broker for one machine's
own use.
"""

import asyncio
import base64
import struct
import uuid
from dataclasses import replace
from pathlib import Path

from infra.embedded.home import keep_port, required_port
from infra.embedded.jars import resolve
from infra.embedded.java import Application
from infra.embedded.process import Child, run_to_end, spawn

NAME = "kafka"
READY_WITHIN = 60.0
LARGEST_MESSAGE = 32 * 2**20  # a dossier of 20 MB, its envelope and headers; checked after compression
LOGGING = Path(__file__).with_name("kafka-log4j2.properties")


def application(home: Path, jars: Path) -> Application:
    return Application(jars, ("-cp", f"{jars}/*"), ("kafka.Kafka",), home / "run" / "kafka-%p.classes")


async def start(home: Path, downloads: Path, *, port: int | None = None) -> tuple[Child, str]:
    """Start the broker of `home` and wait until it answers; its bootstrap address. Raises PartFailed."""
    port = keep_port(home, NAME) if port is None else required_port(NAME, port)
    folder = home / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(_properties(folder / "data", port, keep_port(home, f"{NAME}-controller")), encoding="utf-8")
    app = application(home, await resolve(NAME, downloads))
    if not (folder / "data" / "meta.properties").exists():
        await _format(home, app, properties)
    command = app.command("-Xms128m", f"-Dlog4j2.configurationFile={LOGGING}")
    child = await spawn(home, NAME, [*command, properties])
    try:
        await child.ready(lambda: answers(port), READY_WITHIN)
    except BaseException:
        await child.stop()
        raise
    return child, f"127.0.0.1:{port}"


async def _format(home: Path, app: Application, properties: Path) -> None:
    tool = replace(app, main=("kafka.tools.StorageTool",))
    command: list[str | Path] = [*tool.command(), "format", "-t", cluster_id(), "-c", properties]
    await run_to_end(home, f"{NAME}-format", command)


def cluster_id() -> str:
    """A random UUID in URL-safe base64. The tool takes one that starts with "-" (1 in 64) for an option: draw again."""
    while True:
        drawn = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not drawn.startswith("-"):
            return drawn


async def answers(port: int) -> bool:
    """Whether a broker answers ApiVersions. The port listens earlier, but served only once it is unfenced."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        # api key 18 (ApiVersions) version 0, correlation id, no client id
        request = struct.pack(">hhih", 18, 0, 1, -1)
        writer.write(struct.pack(">i", len(request)) + request)
        async with asyncio.timeout(1):
            _size, correlation, error = struct.unpack(">iih", await reader.readexactly(10))
    except (OSError, EOFError, TimeoutError):
        return False
    finally:
        writer.close()
    return bool(correlation == 1 and error == 0)


def _properties(data: Path, port: int, controller: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        # Topics are declared (`healthbook topic apply`); a misspelled name must be an error, not a new topic.
        "auto.create.topics.enable": "false",
        "message.max.bytes": LARGEST_MESSAGE,
        "replica.fetch.max.bytes": LARGEST_MESSAGE,
        # One node holds the only replica of everything.
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # A small machine: fewer internal partitions to load, less memory for the cleaner, no wait for more group
        # members.
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.num.partitions": 8,
        "log.cleaner.dedupe.buffer.size": 8 * 2**20,
        "group.initial.rebalance.delay.ms": 0,
        # Back 4 s after a kill -9 instead of 11 s: the old session must run out before the broker is unfenced again.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        # A transaction whose producer died blocks read_committed consumers until it is aborted: look every second.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
