"""Topics as declared (`events/topics.py`) against what the broker has; the broker itself creates none.

How many replicas belongs to the cluster, not to a topic's meaning: the brokers' own `default.replication.factor` says
it. A write counts when most of them have it (`min.insync.replicas`, docs/durability.md).
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from events.topics import TOPICS
from streams.adapters import kafka
from streams.errors import RetryLater

_DLQ_RETENTION = timedelta(days=366)
_SET_ON_THE_TOPIC = 1  # DescribeConfigs, field config_source: not inherited from the broker


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic that is not as declared. `action` is `create`, `configure`, or `refuse` for what cannot be changed."""

    topic: str
    action: str
    what: str


@dataclass(frozen=True, slots=True)
class Declared:
    """A topic as Kafka knows it."""

    name: str
    partitions: int
    config: dict[str, str]


def declared() -> list[Declared]:
    """All topics of the bus with their dead-letter topics."""
    found = []
    for topic in TOPICS:
        config = {
            "cleanup.policy": "compact" if topic.compacted else "delete",
            "retention.ms": _milliseconds(topic.retention),
            "max.message.bytes": str(topic.max_bytes),
        }
        found.append(Declared(topic.name, topic.partitions, config))
        aside = {
            "cleanup.policy": "delete",
            "retention.ms": _milliseconds(_DLQ_RETENTION),
            "max.message.bytes": str(topic.max_bytes),
        }
        found.append(Declared(topic.dlq, 1, aside))
    return found


async def plan(
    bootstrap: str, topics: Iterable[Declared] | None = None, replication: int | None = None
) -> list[TopicPlan]:
    """What is not as declared. Raises RetryLater while no broker answers."""
    async with _admin(bootstrap) as admin:
        replicas = replication or await _replicas(admin)
        return await _plan(admin, _replicated(topics or declared(), replicas), replicas)


async def apply(
    bootstrap: str, topics: Iterable[Declared] | None = None, replication: int | None = None
) -> list[TopicPlan]:
    """Creates and configures what is not as declared; returns what it found, the refused ones untouched.

    Raises RetryLater while no broker answers, TopicRefusedError when it will not do as told.
    """
    async with _admin(bootstrap) as admin:
        replicas = replication or await _replicas(admin)
        wanted = {topic.name: topic for topic in _replicated(topics or declared(), replicas)}
        found = await _plan(admin, list(wanted.values()), replicas)
        new = [wanted[item.topic] for item in found if item.action == "create"]
        if new:
            answer = await admin.create_topics(
                [NewTopic(item.name, item.partitions, replicas, topic_configs=item.config) for item in new]
            )
            _raise_first([(topic, code) for topic, code, *_ in answer.topic_errors])
        changed = [wanted[item.topic] for item in found if item.action == "configure"]
        if changed:
            # The request replaces all that was set on a topic, so what is not ours goes along.
            kept = await _configs(admin, changed, only=_SET_ON_THE_TOPIC)
            answers = await admin.alter_configs(
                [
                    ConfigResource(ConfigResourceType.TOPIC, item.name, configs=kept[item.name] | item.config)
                    for item in changed
                ]
            )
            _raise_first([(item[3], item[0]) for answer in answers for item in answer.resources])
        return found


class TopicRefusedError(Exception):
    """The broker will not create or change a topic: too many replicas for its nodes, a right that is missing."""


def _raise_first(results: Iterable[tuple[str, int]]) -> None:
    """The client raises nothing for a topic. One that another process created meanwhile is what we wanted."""
    for topic, code in results:
        error = for_code(code)
        if error not in (NoError, TopicAlreadyExistsError):
            raise TopicRefusedError(f"the broker refuses {topic}: {error.__name__}: {error.description}")


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="healthbook-topic")
    try:
        await client.start()
        yield client
    except kafka.AWAY as error:
        raise RetryLater(f"no Kafka broker answers ({type(error).__name__})") from error
    finally:
        await client.close()


async def _replicas(admin: Any) -> int:
    """Of a new topic, as the cluster is configured: not the brokers that live at the moment."""
    brokers = (await admin.describe_cluster())["brokers"]
    asked = ConfigResource(ConfigResourceType.BROKER, str(brokers[0]["node_id"]))
    (answer,) = await admin.describe_configs([asked])
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    return int(settings.get("default.replication.factor", 1))


def _replicated(topics: Iterable[Declared], replicas: int) -> list[Declared]:
    majority = {"min.insync.replicas": str(replicas // 2 + 1)}
    return [replace(topic, config=topic.config | majority) for topic in topics]


async def _plan(admin: Any, wanted: list[Declared], replicas: int) -> list[TopicPlan]:
    there = set(await admin.list_topics())
    present = [topic for topic in wanted if topic.name in there]
    found = [
        TopicPlan(topic.name, "create", f"{topic.partitions} partitions") for topic in wanted if topic.name not in there
    ]
    if not present:
        return found
    described = await admin.describe_topics([topic.name for topic in present])
    partitions = {item["topic"]: len(item["partitions"]) for item in described}
    fewest = {item["topic"]: min(len(each["replicas"]) for each in item["partitions"]) for item in described}
    configs = await _configs(admin, present)
    for topic in present:
        if partitions[topic.name] != topic.partitions:
            # More partitions would move keys: a visit's events would lose their order, an outbox shard its sequence.
            what = f"has {partitions[topic.name]} partitions, declared are {topic.partitions}"
            found.append(TopicPlan(topic.name, "refuse", what))
        if fewest[topic.name] < replicas:
            what = f"has {fewest[topic.name]} replicas, the cluster's topics have {replicas}"
            found.append(TopicPlan(topic.name, "refuse", f"{what}: add them by kafka-reassign-partitions"))
        other = {name: value for name, value in topic.config.items() if configs[topic.name].get(name) != value}
        if other:
            what = ", ".join(f"{name} {configs[topic.name].get(name)} → {value}" for name, value in other.items())
            found.append(TopicPlan(topic.name, "configure", what))
    return found


async def _configs(admin: Any, topics: list[Declared], only: int | None = None) -> dict[str, dict[str, str]]:
    """Settings of each topic: those in force, or those of one source only."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4] if only in (None, entry[3])}
        for answer in await admin.describe_configs(asked)
        for resource in answer.resources
    }


def _milliseconds(retention: timedelta | None) -> str:
    return "-1" if retention is None else str(int(retention.total_seconds() * 1000))
