"""What tests of the HIS adapter share: small dossiers, a topic to hand them to, and what arrived there."""

import random
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from events.envelope import Meta, read_headers
from events.registry import Registry
from events.serde import Serde
from events.topics import VISIT_CLOSED
from events.visit import VisitClosed
from infra.embedded.parts import Addresses
from streams.adapters import topic_admin


def some_facility() -> str:
    """A facility code that no other test uses: the topic is shared, its records are told apart by it."""
    return "T" + "".join(random.choices(string.ascii_uppercase + string.digits, k=4))


def dossier(ma_lk: str, note: str = "", size: int = 0) -> dict[str, bytes]:
    """Two tables of a visit as far as the adapter looks: `note` tells revisions apart, `size` fills it up."""
    filling = random.Random(f"{ma_lk}{note}").randbytes(size // 2).hex()
    xml1 = f'<?xml version="1.0" encoding="utf-8"?>\n<TONG_HOP><MA_LK>{ma_lk}</MA_LK><STT>1</STT></TONG_HOP>'
    return {"XML1": xml1.encode(), "XML8": f"<X><MA_LK>{ma_lk}</MA_LK><GHI>{note}{filling}</GHI></X>".encode()}


@dataclass(frozen=True)
class Arrived:
    """One record of visit.closed.v1."""

    event: VisitClosed
    meta: Meta
    key: bytes
    partition: int
    offset: int


class Bus:
    """The topic of closed visits on a real broker, from the moment this was made."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._since = int(time.time() * 1000) - 1000

    async def prepare(self) -> None:
        """Topic and schema as the product's own commands make them."""
        wanted = [item for item in topic_admin.declared() if item.name == VISIT_CLOSED.name]
        await topic_admin.apply(self.addresses.kafka, topics=wanted)
        async with Registry(self.addresses.schema_registry) as registry:
            await registry.register(VISIT_CLOSED.name, VISIT_CLOSED.compatibility)

    async def arrived(self, facility: str) -> list[Arrived]:
        """All records of this facility up to now, in the order of each partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.addresses.kafka, max_partition_fetch_bytes=33_554_432)
        await consumer.start()
        try:
            async with Registry(self.addresses.schema_registry) as registry:
                return await self._read(consumer, Serde(registry), f"{facility}|".encode())
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, serde: Serde, prefix: bytes) -> list[Arrived]:
        partitions = [TopicPartition(VISIT_CLOSED.name, number) for number in range(VISIT_CLOSED.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.offsets_for_times(dict.fromkeys(partitions, self._since))
        for partition in partitions:
            consumer.seek(partition, begins[partition].offset if begins[partition] else ends[partition])
        found: list[Arrived] = []
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            batches = await consumer.getmany(timeout_ms=500)
            for record in (record for batch in batches.values() for record in batch):
                if record.key.startswith(prefix):
                    event = await serde.decode(VisitClosed, record.value, record.headers)
                    meta = read_headers(record.headers)
                    assert meta is not None
                    found.append(Arrived(event, meta, record.key, record.partition, record.offset))
        return found


def ids(arrived: Sequence[Arrived]) -> list[str]:
    """Event ids in their order."""
    return [item.meta.id for item in arrived]


async def set_limit(bus: Bus, size: int) -> None:
    """The broker's own limit of a message, as an administrator might have set it too low."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bus.addresses.kafka)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, VISIT_CLOSED.name, configs={"max.message.bytes": str(size)})
        await admin.alter_configs([resource])
    finally:
        await admin.close()
