"""Reads entries, shows each after its delay, and acknowledges it, as `asyncapi.yaml` asks of the display side.

A reminder is answered with another acknowledgement; an entry that it names and the book lacks is read where it lies.
"""

import asyncio
import heapq
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiokafka
import structlog
from aiokafka.errors import KafkaError

from streams.simulators.vneid.behaviour import Behaviour, Plan
from streams.simulators.vneid.book import Book, Page
from streams.simulators.vneid.metrics import Metrics
from streams.simulators.vneid.registry import ForeignValueError, Registry, Writer

log = structlog.get_logger()

ENTRY, DISPLAYED, REMINDER = "health-book.entry.v1", "health-book.displayed.v1", "health-book.reminder.v1"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:vneid:displayed")
_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Channels:
    """Where it reads and answers; other names than the contract's are for tests that share a broker."""

    bootstrap: str
    registry: str
    entry: str = ENTRY
    displayed: str = DISPLAYED
    reminder: str = REMINDER


@dataclass(order=True, slots=True)
class _Due:
    at: float
    entry_id: str
    version: int
    previous: int | None = field(compare=False)
    reminded: bool = field(compare=False, default=False)


class Subscriber:
    """Runs until cancelled; begins anew after any trouble with Kafka, behind what the book holds."""

    def __init__(self, channels: Channels, book: Book, behaviour: Callable[[], Behaviour], metrics: Metrics) -> None:
        self._channels = channels
        self._book = book
        self._behaviour = behaviour
        self._metrics = metrics
        self._registry = Registry(channels.registry)
        self._due: list[_Due] = []
        self._traces: dict[str, str] = {}
        self._more = asyncio.Event()

    async def run(self) -> None:
        for page in self._book.waiting():
            self._schedule(page, None)
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._read(self._channels.entry, self._book.positions, self._arrived))
                    tasks.create_task(self._read(self._channels.reminder, self._book.reminded, self._reminded))
                    tasks.create_task(self._display())
            except* (KafkaError, OSError) as group:
                log.warning("kafka away", error=type(group.exceptions[0]).__name__)
            await asyncio.sleep(_PAUSE)

    async def _read(self, topic: str, positions: dict[int, int], take: Callable[[int, Any], Awaitable[None]]) -> None:
        """All partitions, each from the book's own position: no consumer group, the book is the truth."""
        consumer = self._consumer(topic)
        try:
            await consumer.start()
            for partition in consumer.assignment():
                consumer.seek(partition, positions.get(partition.partition, 0))
            while True:
                for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                    for record in records:
                        await take(partition.partition, record)
        finally:
            await consumer.stop()

    def _consumer(self, *topics: str) -> Any:
        return aiokafka.AIOKafkaConsumer(
            *topics,
            bootstrap_servers=self._channels.bootstrap,
            client_id="vneid",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )

    async def _arrived(self, partition: int, record: Any) -> None:
        document, readable = await self._decoded(partition, record)
        if not readable:
            return
        if document is not None and self._plan(document["entryId"], document["version"]).overlooked:
            self._metrics.ignored.labels("overlooked").inc()
            self._book.pass_over(partition, record.offset)
            return
        self._take(partition, record, document)

    def _take(self, partition: int, record: Any, document: Any) -> None:
        entry_id = (record.key or b"").decode("utf-8", "replace")
        trace = dict(record.headers).get("traceparent", b"").decode("ascii", "replace")
        page = self._book.pages.get(entry_id)
        previous = page.shown["version"] if page is not None and page.shown is not None else None
        if not self._book.arrive(partition, record.offset, entry_id, document):
            self._metrics.ignored.labels("not newer").inc()
        elif document is not None and self._book.pages[entry_id].waits:
            self._traces[entry_id] = trace
            self._schedule(self._book.pages[entry_id], previous)

    async def _reminded(self, partition: int, record: Any) -> None:
        reminder, _ = await self._decoded(partition, record)
        if reminder is not None:
            entry_id, version = reminder["entryId"], reminder["version"]
            page = self._book.pages.get(entry_id)
            if page is None or page.newest["version"] < version:
                await self._fetch(reminder["entryPartition"], reminder["entryOffset"])
            elif page.shown is not None:
                item = _Due(asyncio.get_running_loop().time(), entry_id, page.shown["version"], None, reminded=True)
                heapq.heappush(self._due, item)
                self._more.set()
            self._metrics.reminders.inc()
        self._book.heed(partition, record.offset)

    async def _fetch(self, partition: int, offset: int) -> None:
        """Reads one entry where a reminder says that it lies."""
        place = aiokafka.TopicPartition(self._channels.entry, partition)
        consumer = self._consumer()
        consumer.assign([place])
        try:
            await consumer.start()
            consumer.seek(place, offset)
            records = await consumer.getmany(place, timeout_ms=10_000, max_records=1)
        finally:
            await consumer.stop()
        for record in records.get(place, []):
            document, readable = await self._decoded(partition, record)
            if readable:
                self._take(partition, record, document)

    async def _decoded(self, partition: int, record: Any) -> tuple[Any, bool]:
        """The value (None: a tombstone), and whether it could be read."""
        try:
            return None if record.value is None else await self._registry.decode(record.value, record.headers), True
        except ForeignValueError as error:
            self._metrics.ignored.labels("foreign").inc()
            log.warning("record ignored", partition=partition, offset=record.offset, why=str(error))
            return None, False

    def _plan(self, entry_id: str, version: int) -> Plan:
        return self._behaviour().plan(entry_id, version)

    def _schedule(self, page: Page, previous: int | None) -> None:
        entry_id, version = page.newest["entryId"], page.newest["version"]
        delay = self._plan(entry_id, version).delay
        heapq.heappush(self._due, _Due(asyncio.get_running_loop().time() + delay, entry_id, version, previous))
        self._more.set()

    async def _display(self) -> None:
        writer = await self._registry.latest(f"{self._channels.displayed}-value")
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=self._channels.bootstrap, client_id="vneid", enable_idempotence=True, acks="all"
        )
        try:
            await producer.start()
            while True:
                await self._until_due()
                due = []
                while self._due and self._due[0].at <= asyncio.get_running_loop().time():
                    due.append(heapq.heappop(self._due))
                try:
                    await self._acknowledge(producer, writer, due)
                except BaseException:
                    for item in due:  # shown or not, it is not known to be acknowledged: again after the pause
                        heapq.heappush(self._due, item)
                    raise
        finally:
            await producer.stop()

    async def _until_due(self) -> None:
        while not self._due or self._due[0].at > asyncio.get_running_loop().time():
            wait = self._due[0].at - asyncio.get_running_loop().time() if self._due else None
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), wait)
            except TimeoutError:
                return

    async def _acknowledge(self, producer: Any, writer: Writer, due: list[_Due]) -> None:
        """First to Kafka, then into the book: a crash between them acknowledges again, which changes nothing."""
        now = datetime.now(UTC)
        shown = [item for item in due if self._still_newest(item)]
        sent = [
            await self._send(producer, writer, item.entry_id, version, self._shown_since(item) or now)
            for item in shown
            for version in self._versions(item)
        ]
        await asyncio.gather(*sent)
        self._metrics.acknowledgements.inc(len(sent))
        for item in shown:
            if self._book.show(item.entry_id, item.version, now):
                self._metrics.displayed.inc()

    def _shown_since(self, item: _Due) -> datetime | None:
        """What a reminder names has been shown before."""
        since = self._book.pages[item.entry_id].displayed_at if item.reminded else None
        return None if since is None else datetime.fromisoformat(since)

    def _versions(self, item: _Due) -> list[int]:
        """Which versions are acknowledged when this one is shown."""
        plan = self._plan(item.entry_id, item.version)
        if plan.silent or (plan.silent_until_reminded and not item.reminded):
            return []
        stale = [item.previous] if plan.stale and item.previous is not None else []
        return [item.version] * plan.acknowledgements + stale

    def _still_newest(self, item: _Due) -> bool:
        page = self._book.pages.get(item.entry_id)
        waits = page is not None and (page.waits or item.reminded)
        return waits and page is not None and page.newest["version"] == item.version

    async def _send(self, producer: Any, writer: Writer, entry_id: str, version: int, now: datetime) -> Any:
        return await producer.send(
            self._channels.displayed,
            key=entry_id.encode(),
            value=writer.encode({"entryId": entry_id, "version": version, "displayedAt": now}),
            headers=[*_headers(entry_id, version, now), *_trace(self._traces.get(entry_id, ""))],
        )


def _trace(entry: str) -> list[tuple[str, bytes]]:
    """The entry's trace goes on, with a span of our own (W3C Trace Context §4.3); none after a restart."""
    parts = entry.split("-")
    if len(parts) != 4:
        return []
    return [("traceparent", f"{parts[0]}-{parts[1]}-{secrets.token_hex(8)}-{parts[3]}".encode())]


def _headers(entry_id: str, version: int, now: datetime) -> list[tuple[str, bytes]]:
    pairs = {
        "content-type": "application/avro",
        "ce_specversion": "1.0",
        "ce_id": str(uuid.uuid5(_NAMESPACE, f"{version}|{entry_id}")),
        "ce_source": "/vneid",
        "ce_type": DISPLAYED,
        "ce_time": re.sub(r"\+00:00$", "Z", now.isoformat(timespec="milliseconds")),
        "ce_subject": entry_id,
        "ce_dataschema": f"urn:healthbook:schema:{DISPLAYED}",
    }
    return [(name, text.encode()) for name, text in pairs.items()]
