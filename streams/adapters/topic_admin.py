"""Topics as declared (`events/topics.py`) against what the broker has; the broker itself creates none."""

from collections.abc import Iterable
from dataclasses import dataclass
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


async def plan(bootstrap: str, topics: Iterable[Declared] | None = None) -> list[TopicPlan]:
    """What is not as declared. Raises RetryLater while no broker answers."""
    async with _Admin(bootstrap) as admin:
        return await _plan(admin, list(topics or declared()))


async def apply(bootstrap: str, topics: Iterable[Declared] | None = None, replication: int = 1) -> list[TopicPlan]:
    """Creates and configures what is not as declared; returns what it found, the refused ones untouched.

    Raises RetryLater while no broker answers, TopicRefusedError when it will not do as told.
    """
    wanted = {topic.name: topic for topic in (topics or declared())}
    async with _Admin(bootstrap) as admin:
        found = await _plan(admin, list(wanted.values()))
        new = [wanted[item.topic] for item in found if item.action == "create"]
        if new:
            answer = await admin.create_topics(
                [NewTopic(item.name, item.partitions, replication, topic_configs=item.config) for item in new]
            )
            _raise_first([(topic, code) for topic, code, *_ in answer.topic_errors])
        changed = [wanted[item.topic] for item in found if item.action == "configure"]
        if changed:
            # The request replaces all that was set on a topic, so what is not ours (min.insync.replicas) goes along.
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


class _Admin:
    def __init__(self, bootstrap: str) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="healthbook-topic")

    async def __aenter__(self) -> Any:
        try:
            await self._client.start()
        except kafka.AWAY as error:
            await self._client.close()
            raise RetryLater(f"no Kafka broker answers ({type(error).__name__})") from error
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


async def _plan(admin: Any, wanted: list[Declared]) -> list[TopicPlan]:
    there = set(await admin.list_topics())
    present = [topic for topic in wanted if topic.name in there]
    found = [
        TopicPlan(topic.name, "create", f"{topic.partitions} partitions") for topic in wanted if topic.name not in there
    ]
    if not present:
        return found
    described = await admin.describe_topics([topic.name for topic in present])
    partitions = {item["topic"]: len(item["partitions"]) for item in described}
    configs = await _configs(admin, present)
    for topic in present:
        if partitions[topic.name] != topic.partitions:
            # More partitions would move keys: a visit's events would lose their order, an outbox shard its sequence.
            what = f"has {partitions[topic.name]} partitions, declared are {topic.partitions}"
            found.append(TopicPlan(topic.name, "refuse", what))
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
