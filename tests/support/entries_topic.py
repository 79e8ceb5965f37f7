"""Topics of one test's own (entries, acknowledgements, reminders), used by a client that is not ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import confluent_kafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from events.health_book import EntryState, HealthBookEntry, HealthBookReminder
from events.registry import canonical, load_schema
from events.serde import to_record
from streams.domain.privacy_rules import rules_on
from streams.domain.projection import project
from tests.support.health_book import DAY, accepted, dossier

PARTITIONS = 3


def entry(ma_lk: str = "TEST-1", version: int = 1, state: EntryState = EntryState.ACTIVE) -> HealthBookEntry:
    """An entry as publish makes it."""
    made = project(accepted(version, ma_lk=ma_lk), dossier(), rules_on(DAY), lambda _: None)
    return replace(made, state=state).published(datetime.now(UTC))


@dataclass
class Bus:
    """The topics; `entry_topic` is written in transactions as the relay does it."""

    bootstrap: str
    registry: str
    entry_topic: str
    displayed_topic: str
    reminder_topic: str

    def __post_init__(self) -> None:
        self._client = SchemaRegistryClient({"url": self.registry})
        for topic, declared in (
            (self.entry_topic, "health-book.entry.v1"),
            (self.displayed_topic, "health-book.displayed.v1"),
            (self.reminder_topic, "health-book.reminder.v1"),
        ):
            self._client.register_schema(f"{topic}-value", Schema(canonical(load_schema(declared)), "AVRO"))
        self._serializer = AvroSerializer(
            self._client, conf={"auto.register.schemas": False, "use.latest.version": True}
        )
        self._deserializer = AvroDeserializer(self._client)

    def value(self, item: HealthBookEntry) -> bytes:
        value: bytes = self._serializer(to_record(item), SerializationContext(self.entry_topic, MessageField.VALUE))
        return value

    def write(self, *items: HealthBookEntry, commit: bool = True) -> None:
        """In one transaction; aborted when it is not to be committed."""
        self.write_raw([(item.key, self.value(item)) for item in items], commit=commit)

    def write_raw(self, records: list[tuple[str, bytes | None]], *, commit: bool = True) -> None:
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": self.bootstrap, "transactional.id": f"test-{self.entry_topic}", "linger.ms": 0}
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        for key, value in records:
            producer.produce(self.entry_topic, key=key, value=value)
        producer.flush(30)
        (producer.commit_transaction if commit else producer.abort_transaction)(30)

    def remind(self, ma_lk: str, version: int, partition: int, offset: int) -> None:
        """Says that a version is not acknowledged, and where its entry lies."""
        now = datetime.now(UTC)
        reminder = HealthBookReminder(f"01999|{ma_lk}", version, 50, now, now, partition, offset)
        context = SerializationContext(self.reminder_topic, MessageField.VALUE)
        producer = confluent_kafka.Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 0})
        producer.produce(self.reminder_topic, key=reminder.key, value=self._serializer(to_record(reminder), context))
        assert producer.flush(30) == 0

    def places(self) -> dict[str, tuple[int, int]]:
        """Key of each entry → partition and offset of its newest record."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "unused", "enable.partition.eof": True}
        )
        consumer.assign([confluent_kafka.TopicPartition(self.entry_topic, number, 0) for number in range(PARTITIONS)])
        found, ended = {}, 0
        while ended < PARTITIONS:
            record: Any = consumer.poll(10)
            if record.error():
                ended += 1
            else:
                found[record.key().decode()] = record.partition(), record.offset()
        consumer.close()
        return found

    def acknowledgements(self) -> list[tuple[dict[str, Any], dict[str, str], str]]:
        """All so far: value, headers, key."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "unused", "enable.auto.commit": False}
        )
        partitions = [confluent_kafka.TopicPartition(self.displayed_topic, number, 0) for number in range(PARTITIONS)]
        ends = {p.partition: consumer.get_watermark_offsets(p, 10)[1] for p in partitions}
        consumer.assign(partitions)
        found: list[tuple[dict[str, Any], dict[str, str], str]] = []
        while len(found) < sum(ends.values()):
            record: Any = consumer.poll(10)
            assert record is not None
            assert not record.error()
            context = SerializationContext(self.displayed_topic, MessageField.VALUE)
            headers = {name: content.decode() for name, content in record.headers()}
            found.append((self._deserializer(record.value(), context), headers, record.key().decode()))
        consumer.close()
        return found


@asynccontextmanager
async def entries_bus(bootstrap: str, registry: str, entry_topic: str, displayed_topic: str) -> AsyncIterator[Bus]:
    """Creates the topics, and deletes them after the test."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topics = [entry_topic, displayed_topic, f"{entry_topic}-reminder"]
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in topics])
        yield Bus(bootstrap, registry, *topics)
        await admin.delete_topics(topics)
    finally:
        await admin.close()
