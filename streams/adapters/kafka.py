"""Kafka clients as every process of the product uses them; the reasons of the settings are in docs/decisions/."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    RecordListTooLargeError,
)

from streams.errors import Fatal, RetryLater

MAX_REQUEST = 32 * 1024 * 1024

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
"""What the client or the broker says for ever about one record; caught before AWAY, of which they are."""

AWAY = (KafkaConnectionError, KafkaError, OSError, TimeoutError)
"""What the client raises while the broker restarts, elects, or is out of reach."""

SPOILT = OutOfOrderSequenceNumber
"""Of AWAY, what does not pass: a batch ran out of time unsent (brokers away for longer than a request may take), and no
broker takes what comes behind the gap in this producer's sequence (KIP-98). Only a new producer helps.
"""


@dataclass(frozen=True, slots=True)
class Membership:
    """How a worker belongs to its consumer group.

    After `session` seconds of silence its partitions go to others. With an `instance`, a name that no other worker of
    the group has, they wait that long for it also when it ends: a restart moves nothing (static membership, KIP-345).
    Two with the same name would take the partitions from each other without end.
    """

    session: float = 10.0
    instance: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """For `consumer`."""
        return {
            "session_timeout_ms": round(self.session * 1000),
            "heartbeat_interval_ms": round(min(1.0, self.session / 4) * 1000),
            "group_instance_id": self.instance or None,
        }


DYNAMIC = Membership()


def producer(bootstrap: str, client_id: str, **more: Any) -> Any:
    """An idempotent producer: acks=all, zstd (aiokafka's lz4 runs at level 9), room for a dossier of 20 MB."""
    return aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        compression_type="zstd",
        max_batch_size=512 * 1024,
        linger_ms=5,
        max_request_size=MAX_REQUEST,  # checked before compression
        request_timeout_ms=30_000,
        **more,
    )


def consumer(bootstrap: str, group: str | None, topics: Sequence[str] = (), **more: Any) -> Any:
    """A consumer that never skips: earliest where it has no position, commits only what it was told to."""
    settings: dict[str, Any] = {
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",  # never latest: `committed()` may answer None while the coordinator moves
        "isolation_level": "read_committed",
        "max_poll_interval_ms": 600_000,
        "fetch_max_wait_ms": 200,
        "max_partition_fetch_bytes": 4 * 1024 * 1024,
    } | (DYNAMIC.settings | more)
    return aiokafka.AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, **settings)


async def start(client: Any, what: str) -> None:
    """Starts a client. Raises RetryLater when no broker answers: aiokafka says the same for several causes."""
    try:
        await client.start()
    except AWAY as error:
        await client.stop()
        raise RetryLater(
            f"{what}: no Kafka broker answers ({type(error).__name__}). It may be down, the address wrong, or the"
            " user, password or client certificate not accepted"
        ) from error


async def check_partitions(client: Any, topic: str, partitions: int) -> None:
    """Raises Fatal when a topic has another number of partitions: keys would move and the outbox break its order."""
    found = await client.partitions_for(topic)
    if len(found) != partitions:
        raise Fatal(
            f"topic {topic} has {len(found)} partitions, declared are {partitions}: see `healthbook topic plan`"
        )
