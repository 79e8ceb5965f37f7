"""Topics as declared against a real broker: `topic plan` tells every drift, `topic apply` mends what can be mended."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner, Result

from events.topics import TOPICS
from streams.adapters import topic_admin
from streams.adapters.topic_admin import Declared, TopicPlan, TopicRefusedError, apply, plan
from streams.cli import main
from streams.errors import RetryLater
from tests.support.eventually import eventually

NOBODY = "127.0.0.1:9"
CONFIG = {"cleanup.policy": "delete", "retention.ms": "60000", "max.message.bytes": "1048576"}


@pytest.fixture
def topic(unique: Callable[[str], str]) -> Declared:
    return Declared(unique("admin"), 3, CONFIG)


async def create(kafka: str, topic: Declared) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config)])
    await admin.close()


async def config(kafka: str, topic: Declared) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
    await admin.close()
    return {entry[0]: entry[1] for entry in answers[0].resources[0][4]}


async def mended(kafka: str, topic: Declared, but: Sequence[str] = ()) -> None:
    """Nothing is left to do but these; a busy broker answers with the settings of before for a moment."""

    async def settled() -> bool:
        return [item.action for item in await plan(kafka, [topic])] == list(but)

    await eventually(settled, message="the topic is as declared")


async def command(kafka: str, *words: str) -> Result:
    """The command in a thread of its own: it runs an event loop."""
    runner = CliRunner(env={"HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": kafka})
    return await asyncio.to_thread(runner.invoke, main, ["topic", *words])


async def test_a_missing_topic_is_created_as_declared_and_then_there_is_nothing_to_do(
    kafka: str, topic: Declared
) -> None:
    expected = [TopicPlan(topic.name, "create", "3 partitions")]
    assert await plan(kafka, [topic]) == expected
    assert await apply(kafka, [topic]) == expected
    assert await plan(kafka, [topic]) == []
    assert await apply(kafka, [topic]) == []


async def test_another_configuration_is_told_and_mended(kafka: str, topic: Declared) -> None:
    await create(kafka, replace(topic, config=CONFIG | {"retention.ms": "1000", "cleanup.policy": "compact"}))
    what = "cleanup.policy compact → delete, retention.ms 1000 → 60000"
    assert await plan(kafka, [topic]) == [TopicPlan(topic.name, "configure", what)]
    await apply(kafka, [topic])
    await mended(kafka, topic)


async def test_mending_keeps_what_others_have_set_on_the_topic(kafka: str, topic: Declared) -> None:
    await create(kafka, replace(topic, config=CONFIG | {"retention.ms": "1000", "segment.bytes": "2097152"}))
    await apply(kafka, [topic])
    await mended(kafka, topic)
    assert (await config(kafka, topic))["segment.bytes"] == "2097152"


@pytest.mark.parametrize("partitions", [2, 5])
async def test_the_number_of_partitions_is_never_changed(kafka: str, topic: Declared, partitions: int) -> None:
    await create(kafka, replace(topic, partitions=partitions))
    refused = [TopicPlan(topic.name, "refuse", f"has {partitions} partitions, declared are 3")]
    assert await plan(kafka, [topic]) == refused
    assert await apply(kafka, [topic]) == refused
    assert await plan(kafka, [topic]) == refused


async def test_what_can_be_mended_is_mended_beside_what_cannot(kafka: str, topic: Declared) -> None:
    await create(kafka, replace(topic, partitions=2, config=CONFIG | {"retention.ms": "1000"}))
    await apply(kafka, [topic])
    await mended(kafka, topic, but=["refuse"])


async def test_a_topic_that_the_broker_refuses_is_an_error_with_its_reason(kafka: str, topic: Declared) -> None:
    with pytest.raises(TopicRefusedError, match=rf"{topic.name}.*InvalidReplicationFactor"):
        await apply(kafka, [topic], replication=9)
    wrong = replace(topic, config={"cleanup.policy": "burn"})
    with pytest.raises(TopicRefusedError, match="InvalidConfig"):
        await apply(kafka, [wrong])


async def test_a_broker_that_is_away_is_worth_waiting_for(topic: Declared) -> None:
    with pytest.raises(RetryLater):
        await plan(NOBODY, [topic])


async def test_exit_codes_of_the_commands(kafka: str, topic: Declared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_admin, "declared", lambda: [topic])
    planned = await command(kafka, "plan", "--output", "json")
    assert planned.exit_code == 1
    assert json.loads(planned.stdout) == [{"topic": topic.name, "action": "create", "what": "3 partitions"}]
    assert (await command(kafka, "apply")).exit_code == 0
    assert (await command(kafka, "plan")).exit_code == 0
    monkeypatch.setattr(topic_admin, "declared", lambda: [replace(topic, partitions=1)])
    shrunk = await command(kafka, "apply")
    assert shrunk.exit_code == 1
    assert "cannot be changed" in shrunk.stderr
    assert (await command(NOBODY, "plan")).exit_code == 3


async def test_the_broker_creates_no_topic_by_itself(kafka: str, unique: Callable[[str], str]) -> None:
    """A misspelled name is an error, not a new topic (DESIGN §2)."""
    name = unique("misspelled")
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka, request_timeout_ms=2_000)
    await producer.start()
    with pytest.raises(aiokafka.errors.KafkaError):
        await producer.send_and_wait(name, b"x")
    await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    assert name not in await admin.list_topics()
    await admin.close()


def test_every_topic_and_its_dead_letter_topic_are_declared() -> None:
    declared = {topic.name: topic for topic in topic_admin.declared()}
    assert set(declared) == {name for topic in TOPICS for name in (topic.name, f"{topic.name}.dlq")}
    for topic in TOPICS:
        assert declared[topic.name].partitions == topic.partitions
        # What a reader cannot use must fit beside, whatever its size.
        assert declared[topic.dlq].config["max.message.bytes"] == str(topic.max_bytes)
