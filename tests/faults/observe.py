"""Looks at a run from outside, with clients that are not ours: librdkafka, Confluent's Avro, xmlsec1, plain HTTP."""

import asyncio
import hashlib
import json
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.faults.history import SIGNED, TOPICS, Closing, History, Page, Receipt, Record, Revision, Signature, Visit
from tests.faults.order import Order
from tests.faults.system import System

DLQ = ".dlq"
_NOTHING_MORE, _PATIENCE = 0.4, 60.0
_VERIFIERS = 4


class Log:
    """What is committed on the topics, read once and on; `put_aside` are the dead letters."""

    def __init__(self, bootstrap: str, registry: str) -> None:
        self.records: list[Record] = []
        self.put_aside: list[str] = []
        self._decode: Any = AvroDeserializer(SchemaRegistryClient({"url": registry, "timeout": 10}))
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "faults-observer",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        known = self._consumer.list_topics(timeout=30).topics
        topics = [name for name in known if name in TOPICS or name.endswith(DLQ)]
        self._places = [TopicPartition(name, number, 0) for name in topics for number in known[name].partitions]
        self._ended: set[tuple[str, int]] = set()
        self._consumer.assign(self._places)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def read(self) -> int:
        """On to where nothing more comes; answers how many records are new. Raises TimeoutError."""
        before = len(self.records)
        give_up = time.monotonic() + _PATIENCE
        while (message := self._consumer.poll(_NOTHING_MORE)) is not None or len(self._ended) < len(self._places):
            if time.monotonic() > give_up:
                raise TimeoutError("the topics cannot be read to their end")
            if message is None:
                continue
            if trouble := message.error():
                if trouble.code() == KafkaError._PARTITION_EOF:
                    self._ended.add((str(message.topic()), int(message.partition() or 0)))
                continue
            self._keep(message)
        return len(self.records) - before

    def _keep(self, message: Any) -> None:
        topic, value = message.topic(), message.value()
        headers = {name: text.decode() for name, text in message.headers() or []}
        key = message.key().decode()
        if topic.endswith(DLQ):
            why = " ".join(f"{name}={headers[name]}" for name in sorted(headers) if name.startswith("dlq"))
            self.put_aside.append(f"{key} on {topic} {why}")
            return
        said = self._decode(value, SerializationContext(topic, MessageField.VALUE))
        facility, ma_lk, *_ = key.split("|")
        number = said.get("revision") or said["version"]
        signed = hashlib.sha256(said["envelope"]).hexdigest() if topic == SIGNED else said.get("envelopeSha256", "")
        self.records.append(
            Record(
                topic,
                message.partition(),
                message.offset(),
                Revision(Visit(facility, ma_lk), int(number)),
                headers.get("ce_id", ""),
                hashlib.sha256(value).hexdigest(),
                _moment(message.timestamp()[1]),
                signed,
                said.get("transactionCode", ""),
            )
        )


async def look(system: System, order: Order, log: Log, *, verify: bool) -> History:
    """Everything at this moment; signatures only when `verify`. Raises OSError, TimeoutError while a part is away."""
    await asyncio.to_thread(log.read)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        versions = await _json(http, f"{system.gateway}/_sim/hoso")
        pages = [
            page
            for facility in order.facilities
            for page in await _json(http, f"{system.vneid}/entries?facility={facility}")
        ]
    at_once = asyncio.Semaphore(_VERIFIERS) if verify else None
    receipts = await asyncio.gather(*(_receipt(system, version, at_once) for version in versions))
    return History(
        closings=tuple(closings(order)),
        records=tuple(log.records),
        receipts=tuple(receipts),
        pages=tuple(
            Page(Visit(*page["entryId"].split("|")[:2]), page["version"], page["displayedVersion"]) for page in pages
        ),
        finished=system.processes["his"].finished,
        put_aside=tuple(log.put_aside),
    )


def closings(order: Order) -> Iterator[Closing]:
    """The HIS's own list."""
    for facility in order.facilities:
        journal = order.journal(facility)
        for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
            told = json.loads(line)
            yield Closing(Revision(Visit(facility, told["ma_lk"]), told["revision"]), told["expected"])


async def _json(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url) as answer:
        answer.raise_for_status()
        return await answer.json()


async def _receipt(system: System, told: dict[str, Any], at_once: asyncio.Semaphore | None) -> Receipt:
    signature = Signature(there=True, good=True)
    if at_once:
        received = system.home / "received" / f"{told['maGiaoDich']}.xml"
        async with at_once:
            signature = await _verified(received, system.home / "gateway-accounts" / f"{told['maCSKCB']}.pem")
    visit = Visit(told["maCSKCB"], told["maLK"])
    return Receipt(visit, told["maGiaoDich"], told["sha256"], signature, told["receivedAt"])


async def _verified(document: Path, certificate: Path) -> Signature:
    """By xmlsec1, with the facility's certificate; only a reference to the whole document counts."""
    content = await asyncio.to_thread(document.read_bytes)
    there = b"SignatureValue" in content
    command = ["xmlsec1", "--verify", "--enabled-reference-uris", "empty", "--enabled-key-data", "x509"]
    command += ["--pubkey-cert-pem", str(certificate), str(document)]
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL)
    return Signature(there, await process.wait() == 0)


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
