"""Which brokers there are, and the settings by which they are one cluster (docs/durability.md).

One broker, or three. With three, every partition is on all of them and a write counts when two have it, so that one
may be killed without losing or stopping anything. Each is a combined KRaft node: two make the quorum too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.failure import PartFailed
from infra.embedded.home import keep_port

NAME = "kafka"
LARGEST_MESSAGE = 32 * 2**20  # a dossier of 20 MB, its envelope and headers; checked after compression


@dataclass(frozen=True)
class Node:
    """One broker, which is a controller as well. Its name is also its folder below the home."""

    name: str
    number: int
    port: int
    controller: int


@dataclass(frozen=True)
class Cluster:
    """The brokers of one home. Their ports stay for as long as they run, since they know each other by them."""

    home: Path
    nodes: Sequence[Node]

    @property
    def bootstrap(self) -> str:
        """Addresses of all: a client finds the cluster by any that lives."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def replicas(self) -> int:
        """Of every partition."""
        return min(3, len(self.nodes))

    def folder(self, node: Node) -> Path:
        """Its settings, and below them its data."""
        return self.home / node.name

    def properties(self, node: Node) -> str:
        """The content of `server.properties`."""
        voters = ",".join(f"{other.number}@127.0.0.1:{other.controller}" for other in self.nodes)
        settings = {
            "process.roles": "broker,controller",
            "node.id": node.number,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{node.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.folder(node) / "data",
        }
        settings |= COMMON | replication(self.replicas)
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def planned(home: Path, brokers: int) -> Cluster:
    """The cluster of `home`, with the ports of its last start where they are free.

    Raises PartFailed for data of another number of brokers: they would start empty beside what is there.
    """
    names = [NAME] if brokers == 1 else [f"{NAME}-{number}" for number in range(1, brokers + 1)]
    found = {file.parents[1].name for file in home.glob(f"{NAME}*/data/meta.properties")}
    if found and not found <= set(names):
        why = f"{home} holds the data of {', '.join(sorted(found))}, asked for are {', '.join(names)}"
        raise PartFailed(NAME, f"{why}: the number of brokers stays as it is; take another home")
    nodes = [
        Node(name, number, keep_port(home, name), keep_port(home, f"{name}-controller"))
        for number, name in enumerate(names, start=1)
    ]
    return Cluster(home, nodes)


def replication(replicas: int) -> dict[str, object]:
    """Copies of everything, and how many must have a write before it counts: a majority."""
    majority = replicas // 2 + 1
    return {
        "default.replication.factor": replicas,
        "min.insync.replicas": majority,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": majority,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": majority,
    }


COMMON: dict[str, object] = {
    # Topics are declared (`healthbook topic apply`); a misspelled name must be an error, not a new topic.
    "auto.create.topics.enable": "false",
    # A replica that lags never leads: better no leader than one without records that were acknowledged.
    "unclean.leader.election.enable": "false",
    "message.max.bytes": LARGEST_MESSAGE,
    "replica.fetch.max.bytes": LARGEST_MESSAGE,
    # A small machine: fewer internal partitions to load, less memory for the cleaner, no wait for more group members.
    "offsets.topic.num.partitions": 8,
    "transaction.state.log.num.partitions": 8,
    "log.cleaner.dedupe.buffer.size": 8 * 2**20,
    "group.initial.rebalance.delay.ms": 0,
    # Tests take sessions of few seconds (HEALTHBOOK_KAFKA_SESSION).
    "group.min.session.timeout.ms": 1000,
    # Back 4 s after a kill -9 instead of 11 s: the old session must run out before the broker is unfenced again.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    # A transaction whose producer died blocks read_committed consumers until it is aborted: look every second.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
}
