"""deadlines: the clocks, hosted by Faust (DESIGN §5). Faust brings the events; the truth is in PostgreSQL.

Faust acknowledges a message even if the agent raised, so nothing raises out of one: what may pass is retried in place,
anything else ends the process before the acknowledgement (`os._exit`), and the events come again after the restart.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import faust
import structlog

from events.deadline import DeadlineState
from events.envelope import headers
from events.registry import RegistryUnreachableError
from events.serde import Serde, UndecodableError
from events.topics import DEADLINE_CHANGED
from streams.adapters import kafka
from streams.adapters.deadlines import Change, PostgresDeadlines
from streams.errors import Reason, RetryLater
from streams.metrics import (
    CLOSE_TO_RECEIPT,
    DEADLINE_BREACHES,
    DEADLINE_NEAREST,
    DEADLINES,
    EVENTS,
    FACILITY_LAST_EVENT,
    RECEIPT_TO_DISPLAY,
)
from streams.runtime.dead_letters import DeadLetters
from streams.runtime.service import EXIT_FATAL
from streams.sla.deadline import CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN, Facts
from streams.sla.facts import TELLING, facts_of

log = structlog.get_logger()
T = TypeVar("T")

STAGE = "deadlines"
BATCH = 500
LINGER_SECONDS = 0.25
LOOK_SECONDS = 1.0
SUMMARY_SECONDS = 10.0

_HISTOGRAMS = {CLOSED_TO_RECEIPT.name: CLOSE_TO_RECEIPT, RECEIPT_TO_SHOWN.name: RECEIPT_TO_DISPLAY}


class Processor:
    """What happens to the events that Faust brings, and when a clock's time comes."""

    def __init__(self, deadlines: PostgresDeadlines, serde: Serde, producer: Any, poison_per_minute: int) -> None:
        self._deadlines = deadlines
        self._serde = serde
        self._producer = producer
        self._dead_letters = DeadLetters(STAGE, producer, poison_per_minute)
        self._events = {event.topic: event for event in TELLING}
        self.progress = time.monotonic()

    async def learn(self, messages: Sequence[Any]) -> None:
        """Facts of these Kafka messages are durable, and the clocks moved, when it returns. Raises Fatal."""
        records = [_Record(message) for message in messages]
        await self._learn([(record, found) for record in records if (found := await self._facts(record)) is not None])

    async def _learn(self, told: "Sequence[tuple[_Record, Facts]]") -> None:
        try:
            self._measure(await patiently(lambda: self._deadlines.learn([facts for _, facts in told])))
        except Exception as error:  # noqa: BLE001 - what the tables cannot hold costs one record, not every clock
            if len(told) > 1:  # one record spoils the batch: find it, let the others pass
                for one in told:
                    await self._learn([one])
                return
            log.error("record put aside", stage=STAGE, reason=Reason.UNEXPECTED, error=type(error).__name__)
            await patiently(lambda: self._dead_letters.put(told[0][0], Reason.UNEXPECTED))
        else:
            EVENTS.labels(STAGE, "stored").inc(len(told))

    async def look(self) -> None:
        """Moves the clocks whose time has come and tells what changed."""
        self.progress = time.monotonic()
        while changes := await patiently(self._deadlines.look):
            self._measure(changes)
        while told := await patiently(self._deadlines.unannounced):
            await patiently(partial(self._announce, told))
            await patiently(partial(self._deadlines.announced, told))

    async def summarise(self) -> None:
        """Sets the gauges of INTERFACE §6 from the table."""
        now = datetime.now(UTC)
        for row in await patiently(self._deadlines.summary):
            DEADLINES.labels(row["clock"], row["state"]).set(row["number"])
            if row["nearest"] is not None:
                DEADLINE_NEAREST.labels(row["clock"]).set((row["nearest"] - now).total_seconds())

    async def _facts(self, record: "_Record") -> Facts | None:
        try:
            event = await patiently(
                lambda: self._serde.decode(self._events[record.topic], record.value, record.headers)
            )
        except UndecodableError as error:
            reason = Reason(error.reason)
            await patiently(lambda: self._dead_letters.put(record, reason))
            return None
        found = facts_of(event)
        if found is not None and found.closed_at is not None:
            FACILITY_LAST_EVENT.labels(found.facility).set(found.closed_at.timestamp())
        return found

    async def _announce(self, told: Sequence[Any]) -> None:
        now = datetime.now(UTC)
        try:
            sending = [
                await self._producer.send(
                    DEADLINE_CHANGED.name,
                    key=event.key.encode(),
                    value=self._serde.encode(event),
                    headers=headers(event, now),
                )
                for event in told
            ]
            await asyncio.gather(*sending)
        except kafka.AWAY as error:
            raise RetryLater(f"produce: {type(error).__name__}") from error

    def _measure(self, changes: Sequence[Change]) -> None:
        for change in changes:
            before, after = change.before, change.after
            if after.late and (before is None or not before.late):
                DEADLINE_BREACHES.labels(after.clock).inc()
            stopped = after.stopped_at if before is None or before.stopped_at is None else None
            histogram = _HISTOGRAMS.get(after.clock)
            if histogram and stopped is not None and after.state in (DeadlineState.MET, DeadlineState.BREACHED):
                histogram.observe((stopped - after.started_at).total_seconds())


class _Record:
    """A message of Faust as the rest of the product knows a Kafka record."""

    def __init__(self, message: Any) -> None:
        self.topic: str = message.topic
        self.partition: int = message.partition
        self.offset: int = message.offset
        self.key: bytes | None = message.key
        self.value: bytes | None = message.value
        pairs = message.headers or []
        self.headers: list[tuple[str, bytes]] = list(pairs.items() if isinstance(pairs, dict) else pairs)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Repeats `work` for as long as only the world is away."""
    wait = 0.5
    while True:
        try:
            return await work()
        except (RetryLater, RegistryUnreachableError) as trouble:
            log.warning("tries again", cause=str(trouble), seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 30.0)


def application(processor: Processor, bootstrap: str, folder: Path) -> Any:
    """The Faust app: one agent over all topics that tell about clocks, two timers. Faust wants a `folder`."""
    app = faust.App(
        STAGE,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=folder,
        topic_allow_declare=False,
        web_enabled=False,
        broker_commit_interval=1.0,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
    )
    topic = app.topic(
        *(event.topic for event in TELLING),
        key_serializer="raw",
        value_serializer="raw",
        acks=True,
    )

    async def agent(stream: Any) -> None:
        async for events in stream.take_events(BATCH, within=LINGER_SECONDS):
            await _or_exit(partial(processor.learn, [event.message for event in events]))

    app.agent(topic, name=STAGE)(agent)
    app.timer(LOOK_SECONDS)(partial(_or_exit, processor.look))
    app.timer(SUMMARY_SECONDS)(partial(_or_exit, processor.summarise))
    return app


async def _or_exit(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - returning would acknowledge what was not done
        log.error("stopped: a person must look", error=type(error).__name__)
        os._exit(EXIT_FATAL)
