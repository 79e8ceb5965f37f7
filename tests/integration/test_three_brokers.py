"""Three brokers: any one may be killed, no acknowledged event is lost; without a majority nothing is acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer, TopicPartition

from events.his import Adapter
from events.topics import TOPICS
from infra.embedded.parts import Addresses, Parts
from streams.adapters import kafka as clients
from streams.adapters.topic_admin import Declared, apply, plan
from tests.conftest import new_home
from tests.support.durability import brokers_are_as_promised
from tests.support.eventually import eventually
from tests.support.his import Bus, dossier, ids, some_facility

BROKERS = ("kafka-1", "kafka-2", "kafka-3")
INTERNAL = ("__consumer_offsets", "__transaction_state")
CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1", "max.message.bytes": "1048576"}
Unique = Callable[[str], str]


@pytest.fixture(scope="module")
async def three(parts: Addresses, downloads: Path) -> AsyncIterator[Parts]:
    """Brokers of this module alone; database and registry are the session's."""
    with new_home() as home:
        running = Parts(
            home, downloads=downloads, database=parts.database, registry=parts.schema_registry, brokers=len(BROKERS)
        )
        async with running as addresses:
            await apply(addresses.kafka)
            yield running


async def described(bootstrap: str) -> dict[str, list[dict[str, Any]]]:
    """The partitions of every topic, asked of one of the brokers that live."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        return {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
    except KafkaError as error:
        raise AssertionError("the broker that was asked just went away") from error
    finally:
        await admin.close()


async def all_replicas_are_in_sync(three: Parts) -> None:
    async def in_sync() -> bool:
        partitions = [each for found in (await described(three.addresses.kafka)).values() for each in found]
        return all(len(each["isr"]) == len(each["replicas"]) for each in partitions)

    await eventually(in_sync, timeout=60, message="every replica is in sync")


class Sender:
    """Sends numbers to one partition as the product does, each until it is acknowledged; in the block of `sending`."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.acknowledged: list[int] = []
        self._bootstrap, self._topic = bootstrap, topic

    async def run(self) -> None:
        producer = clients.producer(self._bootstrap, "test")
        await producer.start()
        try:
            for number in range(1_000_000):
                while True:
                    try:
                        await producer.send_and_wait(self._topic, str(number).encode(), partition=0)
                        break
                    except clients.AWAY:
                        await asyncio.sleep(0.1)
                self.acknowledged.append(number)
                await asyncio.sleep(0.005)
        finally:
            await producer.stop()

    async def goes_on(self) -> None:
        """From now on more is acknowledged."""
        before = len(self.acknowledged)
        await eventually(lambda: len(self.acknowledged) > before + 20, timeout=60, message="writes are acknowledged")


@asynccontextmanager
async def sending(bootstrap: str, topic: str) -> AsyncIterator[Sender]:
    sender = Sender(bootstrap, topic)
    task = asyncio.create_task(sender.run())
    try:
        await sender.goes_on()
        yield sender
    finally:
        task.cancel()
        await asyncio.wait([task])


def read(bootstrap: str, topic: str) -> list[int]:
    """What a client that is not ours finds."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "enable.auto.commit": False})
    try:
        where = TopicPartition(topic, 0, 0)
        _, end = consumer.get_watermark_offsets(where, timeout=20)
        consumer.assign([where])
        found: list[int] = []
        while len(found) < end:
            message = consumer.poll(20)
            assert message is not None, "the broker does not answer"
            value: Any = message.value()
            found.append(int(value))
        return found
    finally:
        consumer.close()


async def test_every_topic_is_on_three_brokers_and_a_write_needs_two(three: Parts, unique: Unique) -> None:
    bootstrap = three.addresses.kafka
    producer = clients.producer(bootstrap, "test", transactional_id=unique("transactional"))
    group = clients.consumer(bootstrap, unique("group"), (TOPICS[0].name,))
    async with producer, group:  # the broker's own topics are made when they are first needed
        async with producer.transaction():
            await producer.send(TOPICS[-1].name, b"", partition=0)
        await group.getmany(timeout_ms=100)
    assert await plan(bootstrap) == []
    topics = await described(bootstrap)
    assert {topic.name for topic in TOPICS} | {topic.dlq for topic in TOPICS} | set(INTERNAL) <= set(topics)
    assert {len(each["replicas"]) for partitions in topics.values() for each in partitions} == {3}
    await brokers_are_as_promised(bootstrap, "three")


async def test_a_topic_with_too_few_replicas_is_told_and_not_touched(three: Parts, unique: Unique) -> None:
    topic = Declared(unique("lonely"), 1, CONFIG)
    await apply(three.addresses.kafka, [topic], replication=1)
    (refused,) = [item for item in await plan(three.addresses.kafka, [topic]) if item.action == "refuse"]
    assert refused.what.startswith("has 1 replicas, the cluster's topics have 3")
    assert await plan(three.addresses.kafka, [topic], replication=1) == []


async def test_each_broker_may_be_killed_and_no_acknowledged_event_is_lost(three: Parts, unique: Unique) -> None:
    bootstrap, topic = three.addresses.kafka, Declared(unique("killed"), 1, CONFIG)
    await apply(bootstrap, [topic])
    async with sending(bootstrap, topic.name) as sender:
        for broker in BROKERS:
            await three.kill(broker)
            await sender.goes_on()
            assert await plan(bootstrap, [topic]) == [], "a broker that is down changes nothing declared"
            await three.restart(broker)
            await all_replicas_are_in_sync(three)
    assert nothing_is_missing(read(bootstrap, topic.name), sender)


async def test_without_a_majority_nothing_is_acknowledged_and_the_his_waits(
    three: Parts, unique: Unique, tmp_path: Path
) -> None:
    addresses, facility = three.addresses, some_facility()
    bus, topic = Bus(addresses), Declared(unique("majority"), 1, CONFIG)
    await bus.prepare()
    await apply(addresses.kafka, [topic])
    async with (
        Adapter(facility, tmp_path, addresses.kafka, addresses.schema_registry) as his,
        sending(addresses.kafka, topic.name) as sender,
    ):
        await his.close_visit(dossier("before"))
        await his.flush()
        await asyncio.gather(three.kill("kafka-1"), three.kill("kafka-3"))
        before = len(sender.acknowledged)
        receipts = [await his.close_visit(dossier(f"V{number}")) for number in range(20)]
        async with AIOKafkaProducer(bootstrap_servers=addresses.kafka, acks="all", request_timeout_ms=5000) as another:
            with pytest.raises(KafkaError):
                await another.send_and_wait(topic.name, b"-1", partition=0)
        assert {await his.state(receipt) for receipt in receipts} == {"WAITING"}
        assert len(sender.acknowledged) <= before + 1, "at most the answer that was on its way"
        await asyncio.gather(three.restart("kafka-1"), three.restart("kafka-3"))
        await asyncio.wait_for(his.flush(), 90)
        await sender.goes_on()
    await all_replicas_are_in_sync(three)
    assert nothing_is_missing(read(addresses.kafka, topic.name), sender)
    assert len(set(ids(await bus.arrived(facility)))) == 21


def nothing_is_missing(found: list[int], sender: Sender) -> bool:
    """All that was acknowledged, in order; what had to be sent again may be there twice."""
    firsts = [number for number in dict.fromkeys(found) if number >= 0]
    return firsts == sorted(firsts) and set(sender.acknowledged) <= set(found)
