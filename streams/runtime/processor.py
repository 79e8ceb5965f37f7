"""Hosts stream processors on Faust (DESIGN §5): Faust brings the events and the ticks, the truth is in PostgreSQL.

Faust acknowledges a message even if the agent raised, so nothing raises out of one: what may pass is retried in place,
anything else ends the process before the acknowledgement (`os._exit`), and the events come again after the restart.
What a processor learns must therefore be the same from any order and any repetition.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import faust
import structlog

from events.envelope import read_headers
from events.registry import RegistryUnreachableError
from events.serde import Serde, UndecodableError
from streams.adapters.kafka import Membership
from streams.errors import Reason, RetryLater
from streams.metrics import EVENTS
from streams.runtime import logs
from streams.runtime.dead_letters import DeadLetters
from streams.runtime.loop import Received
from streams.runtime.service import EXIT_FATAL

log = structlog.get_logger()
T = TypeVar("T")
Work = Callable[[], Awaitable[None]]

BATCH = 500
LINGER_SECONDS = 0.25


class Processor(Protocol):
    """What is done with the events that Faust brings, and by the clock."""

    @property
    def name(self) -> str:
        """Its consumer group, and its name in metrics and logs."""
        ...

    @property
    def reads(self) -> tuple[type[Any], ...]:
        """One event class for each topic that it reads; the class may have fewer fields than the schema."""
        ...

    async def learn(self, batch: Sequence[Received[Any]]) -> None:
        """What these events say is durable when it returns. Raises RetryLater: the same events are offered again.

        Of what else it raises on a single event, that event is the cause: it becomes a dead letter.
        """
        ...

    @property
    def timers(self) -> Mapping[Work, float]:
        """What is done every so many seconds. Each waits patiently for what is away, or raises RetryLater."""
        ...


class Host:
    """One processor with what all of them need: decoding, dead letters, patience and a sign of progress."""

    def __init__(self, processor: Processor, serde: Serde, producer: Any, poison_per_minute: int) -> None:
        self._processor = processor
        self._serde = serde
        self._dead_letters = DeadLetters(processor.name, producer, poison_per_minute)
        self._events = {event.topic: event for event in processor.reads}
        self.progress = time.monotonic()
        self.oldest: float | None = None
        EVENTS.labels(processor.name, "stored")  # a rate must see the first one: it counts from 0, not from nothing

    async def learn(self, messages: Sequence[Any]) -> None:
        """What these Kafka messages say is durable when it returns, or they are put aside. Raises Fatal.

        Meanwhile `oldest` is the Unix time of the oldest of them.
        """
        self.oldest = min((message.timestamp for message in messages), default=None)
        records = [_Record(message) for message in messages]
        await self._learn([item for record in records if (item := await self._received(record)) is not None])
        self.oldest = None

    async def tick(self, work: Work) -> None:
        """Does what a timer is for."""
        self.progress = time.monotonic()
        await patiently(work)

    async def _learn(self, told: Sequence[Received[Any]]) -> None:
        name = self._processor.name
        started = time.perf_counter()
        try:
            await patiently(lambda: self._processor.learn(told))
        except Exception as error:  # noqa: BLE001 - what the tables cannot hold costs one record, not every visit
            if len(told) > 1:  # one record spoils the batch: find it, let the others pass
                for one in told:
                    await self._learn([one])
                return
            log.error("record put aside", stage=name, reason=Reason.UNEXPECTED, error=type(error).__name__)
            await patiently(lambda: self._dead_letters.put(told[0].record, Reason.UNEXPECTED))
        else:
            EVENTS.labels(name, "stored").inc(len(told))
            for item in told:
                logs.processed(item.event, item.record, "stored", (time.perf_counter() - started) / len(told))

    async def _received(self, record: "_Record") -> Received[Any] | None:
        try:
            event: Any = await patiently(
                lambda: self._serde.decode(self._events[record.topic], record.value, record.headers)
            )
        except UndecodableError as error:
            reason = Reason(error.reason)
            await patiently(lambda: self._dead_letters.put(record, reason))
            return None
        return Received(event, read_headers(record.headers), record)


class _Record:
    """A message of Faust as the rest of the product knows a Kafka record."""

    def __init__(self, message: Any) -> None:
        self.topic: str = message.topic
        self.partition: int = message.partition
        self.offset: int = message.offset
        self.timestamp: float = message.timestamp * 1000  # Faust tells seconds, Kafka milliseconds
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


def application(host: Host, processor: Processor, bootstrap: str, folder: Path, membership: Membership) -> Any:
    """The Faust app: one agent over all topics that the processor reads, and its timers. Faust wants a `folder`."""
    app = faust.App(
        processor.name,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=folder,
        topic_allow_declare=False,
        web_enabled=False,
        broker_commit_interval=1.0,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=membership.session,
        broker_heartbeat_interval=membership.session / 4,
        consumer_group_instance_id=membership.instance or None,
    )
    topic = app.topic(
        *(event.topic for event in processor.reads),
        key_serializer="raw",
        value_serializer="raw",
        acks=True,
    )

    async def agent(stream: Any) -> None:
        async for events in stream.take_events(BATCH, within=LINGER_SECONDS):
            try:
                await _or_exit(partial(host.learn, [event.message for event in events]))
            except asyncio.CancelledError:
                log.info("stopped amid a batch: its events come again")
                os._exit(0)  # Faust acknowledges, and commits, what it cancels

    app.agent(topic, name=processor.name)(agent)
    for work, seconds in processor.timers.items():
        app.timer(seconds)(partial(_or_exit, partial(host.tick, work)))
    return app


async def _or_exit(work: Work) -> None:
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - returning would acknowledge what was not done
        log.error("stopped: a person must look", error=type(error).__name__)
        os._exit(EXIT_FATAL)
