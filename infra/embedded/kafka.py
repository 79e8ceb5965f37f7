"""Apache Kafka: KRaft nodes, each broker and controller in one process, on 127.0.0.1 only. Which: `cluster.py`.

Listeners are plaintext without authentication, which is why they never leave the loopback: a broker for one machine's
own use.
"""

import asyncio
import base64
import struct
import uuid
from dataclasses import replace
from pathlib import Path

from infra.embedded.cluster import NAME, Cluster, Node
from infra.embedded.home import required_port
from infra.embedded.jars import resolve
from infra.embedded.java import Application
from infra.embedded.process import Child, run_to_end, spawn
from infra.embedded.records import write_text_atomically

READY_WITHIN = 60.0  # for each broker: several share the machine, and wait for each other
LOGGING = Path(__file__).with_name("kafka-log4j2.properties")


def application(home: Path, jars: Path) -> Application:
    return Application(jars, ("-cp", f"{jars}/*"), ("kafka.Kafka",), home / "run" / "kafka-%p.classes")


async def start(cluster: Cluster, node: Node, downloads: Path) -> Child:
    """Start one broker and wait until it answers; with others, it does not before most of them run.

    Raises PartFailed.
    """
    required_port(node.name, node.port)
    required_port(node.name, node.controller)
    folder = cluster.folder(node)
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(cluster.properties(node), encoding="utf-8")
    app = application(cluster.home, await resolve(NAME, downloads))
    if not (folder / "data" / "meta.properties").exists():
        await _format(cluster, node, app, properties)
    command = app.command("-Xms128m", f"-Dlog4j2.configurationFile={LOGGING}")
    child = await spawn(cluster.home, node.name, [*command, properties])
    try:
        await child.ready(lambda: answers(node.port), READY_WITHIN * len(cluster.nodes))
    except BaseException:
        await child.stop()
        raise
    return child


async def _format(cluster: Cluster, node: Node, app: Application, properties: Path) -> None:
    tool = replace(app, main=("kafka.tools.StorageTool",))
    command: list[str | Path] = [*tool.command(), "format", "-t", _cluster_id(cluster), "-c", properties]
    await run_to_end(cluster.home, f"{node.name}-format", command)


def _cluster_id(cluster: Cluster) -> str:
    """One for all of them, on disk before the first is formatted: a start may be broken off between two."""
    kept = cluster.home / "run" / "kafka-cluster"
    if not kept.exists():
        write_text_atomically(kept, new_cluster_id())
    return kept.read_text(encoding="ascii").strip()


def new_cluster_id() -> str:
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
