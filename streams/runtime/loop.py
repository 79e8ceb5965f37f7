"""How every stage is run: poll a batch → handle → await every produce → commit. At least once; repeats are harmless.

Trouble is acted on here and nowhere else (`streams/errors.py`): RetryLater repeats the batch, DeadLetter puts one
record aside, Fatal ends the process. A handler needs neither clock nor logger nor metrics for any of this.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from events.envelope import Event, Meta, headers, read_headers
from events.registry import RegistryUnreachableError
from events.serde import Serde, UndecodableError
from events.topics import topic_named
from streams import tracing
from streams.adapters import kafka
from streams.cancellation import heed_cancellation
from streams.errors import DeadLetter, Fatal, Reason, RetryLater
from streams.metrics import EVENTS, STAGE_DURATION
from streams.runtime import logs
from streams.runtime.backlog import Backlog
from streams.runtime.dead_letters import DeadLetters

log = structlog.get_logger()

E = TypeVar("E")

LONGEST_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """An event, its headers (None when a foreign producer wrote none), and the Kafka record that carried it."""

    event: E
    meta: Meta | None
    record: Any = field(repr=False)

    @property
    def timestamp(self) -> datetime:
        """When the producer sent it, aware UTC."""
        return datetime.fromtimestamp(self.record.timestamp / 1000, UTC)


Handler = Callable[[Sequence[Received[Any]]], Awaitable[Sequence[Event | None]]]
"""One answer for each record, in the order given: the event to produce, or None when the effect is already durable.

May raise RetryLater (the whole batch comes again) or Fatal. After any other exception the loop hands the records over
one by one, and puts aside the one that fails alone: with DeadLetter's reason, else as UNEXPECTED.
"""


def each(function: Callable[[Any], Awaitable[Event | None]]) -> Handler:
    """A handler from a function of one event, answered in order.

    The visits of a batch are handled side by side, the events of one visit one after the other.
    """

    async def handle(batch: Sequence[Received[Any]]) -> Sequence[Event | None]:
        visits: dict[str, list[int]] = {}
        for number, received in enumerate(batch):
            visits.setdefault(received.event.key, []).append(number)
        answers: list[Event | None] = [None] * len(batch)

        async def in_order(numbers: Sequence[int]) -> None:
            for number in numbers:
                answers[number] = await function(batch[number].event)

        await asyncio.gather(*(in_order(numbers) for numbers in visits.values()))
        return answers

    return handle


@dataclass(frozen=True)
class Stage:
    """A step of the flow: its name is also its consumer group, process, metric label, log field and runbook."""

    name: str
    inputs: tuple[type, ...]
    outputs: tuple[type, ...]
    handle: Handler


class Loop:
    """Runs one stage on Kafka until told to stop."""

    def __init__(
        self,
        stage: Stage,
        bootstrap: str,
        serde: Serde,
        *,
        batch_records: int = 200,
        poison_per_minute: int = 20,
        membership: kafka.Membership = kafka.DYNAMIC,
    ) -> None:
        self._stage = stage
        self._serde = serde
        self._batch_records = batch_records
        self._inputs = {event.topic: event for event in stage.inputs}  # type: ignore[attr-defined]
        self._consumer = kafka.consumer(bootstrap, stage.name, client_id=stage.name, **membership.settings)
        self._producer = kafka.producer(bootstrap, stage.name)
        self._dead_letters = DeadLetters(stage.name, self._producer, poison_per_minute)
        self._stopping = asyncio.Event()
        self.progress = time.monotonic()
        self.backlog = Backlog()
        STAGE_DURATION.labels(stage.name)
        for outcome in ("stored", *(event.topic for event in stage.outputs)):  # type: ignore[attr-defined]
            EVENTS.labels(stage.name, outcome)  # a rate must see the first one: it counts from 0, not from nothing

    @property
    def name(self) -> str:
        """The stage's."""
        return self._stage.name

    def stop(self) -> None:
        """Ends `run` after the batch in hand is committed."""
        self._stopping.set()

    async def run(self) -> None:
        """Raises Fatal; RetryLater when the parts it needs are not there at the start."""
        wait = 0.0
        try:
            await self._prepare()
            while not self._stopping.is_set():
                batch = await self._consumer.getmany(timeout_ms=200, max_records=self._batch_records)
                self.progress = time.monotonic()
                self.backlog = await self._backlog(batch)
                if not batch:
                    continue
                try:
                    await self._process([record for records in batch.values() for record in records])
                    await self._commit(batch)
                    wait = 0.0
                except RetryLater as trouble:
                    heed_cancellation()
                    if isinstance(trouble.__cause__, kafka.SPOILT):
                        raise  # the process builds everything anew, the producer too
                    wait = min(max(trouble.after, wait * 2), LONGEST_WAIT)
                    log.warning("batch comes again", stage=self._stage.name, cause=str(trouble), seconds=wait)
                    self._rewind(batch)
                    await self._pause(wait)
        finally:
            await self._consumer.stop()
            await self._producer.stop()

    async def _prepare(self) -> None:
        try:
            await self._serde.prepare(*self._stage.outputs)
        except (RegistryUnreachableError, LookupError) as error:
            raise RetryLater(f"schema registry: {error}") from None
        await kafka.start(self._producer, self._stage.name)
        await kafka.start(self._consumer, self._stage.name)
        missing = set(self._inputs) - await self._consumer.topics()
        if missing:
            raise RetryLater(f"no topic {', '.join(sorted(missing))}: run `healthbook topic apply`", after=2)
        self._consumer.subscribe(list(self._inputs), listener=_Rebalanced(self._stage.name))

    async def _backlog(self, batch: dict[TopicPartition, list[Any]]) -> Backlog:
        in_hand = [record for records in batch.values() for record in records]
        behind = [
            known - await self._consumer.position(where)
            for where in self._consumer.assignment()
            if (known := self._consumer.highwater(where)) is not None
        ]
        oldest = min((record.timestamp / 1000 for record in in_hand), default=None)
        return Backlog(len(in_hand) + sum(behind), oldest)

    async def _process(self, records: Sequence[Any]) -> None:
        started, began = time.perf_counter(), time.time_ns()
        received = [item for record in records if (item := await self._decode(record)) is not None]
        answers = await self._handle(received)
        now = datetime.now(UTC)
        sent = [
            await self._produce(answer, now, item)
            for item, answer in zip(received, answers, strict=True)
            if answer is not None
        ]
        try:
            await asyncio.gather(*sent)
        except kafka.AWAY as error:
            raise RetryLater(f"produce: {type(error).__name__}") from error
        tracing.processed(self._stage.name, zip(received, answers, strict=True), began)
        seconds = (time.perf_counter() - started) / max(1, len(received))
        for item, answer in zip(received, answers, strict=True):
            outcome = answer.topic if answer is not None else "stored"
            EVENTS.labels(self._stage.name, outcome).inc()
            logs.processed(item.event, item.record, outcome, seconds)
        if received:
            STAGE_DURATION.labels(self._stage.name).observe(seconds, _exemplar(received))

    async def _decode(self, record: Any) -> Received[Any] | None:
        try:
            event: Any = await self._serde.decode(self._inputs[record.topic], record.value, record.headers)
            if record.key is None or record.key.decode("utf-8", "replace") != event.key:
                raise DeadLetter(Reason.KEY_MISMATCH)
            return Received(event, read_headers(record.headers), record)
        except UndecodableError as error:
            await self._dead_letters.put(record, Reason(error.reason))
            return None
        except DeadLetter as trouble:
            await self._dead_letters.put(record, trouble.reason)
            return None
        except RegistryUnreachableError as error:
            raise RetryLater(str(error)) from None
        except Exception as error:  # noqa: BLE001 - foreign bytes of a kind that nobody thought of
            log.error("record put aside", stage=self._stage.name, error=_place(error), **_where(record))
            await self._dead_letters.put(record, Reason.UNEXPECTED)
            return None

    async def _handle(self, received: Sequence[Received[Any]]) -> Sequence[Event | None]:
        if not received:
            return []
        try:
            return await self._stage.handle(received)
        except (RetryLater, Fatal):
            raise
        except Exception as error:  # noqa: BLE001 - a bug in a handler must cost one record, not the flow
            if len(received) > 1:  # one record spoils the batch: find it, let the others pass
                return [answer for item in received for answer in await self._handle([item])]
            (item,) = received
            reason = error.reason if isinstance(error, DeadLetter) else Reason.UNEXPECTED
            # The type and place of an unexpected error, never its text: it might quote the dossier.
            log.error(
                "record put aside", stage=self._stage.name, reason=reason, error=_place(error), **_where(item.record)
            )
            await self._dead_letters.put(item.record, reason)
            return [None]

    async def _produce(self, event: Event, now: datetime, cause: Received[Any]) -> Awaitable[Any]:
        value = self._serde.encode(event)
        if len(value) > topic_named(event.topic).max_bytes:
            return asyncio.create_task(self._dead_letters.put(cause.record, Reason.TOO_LARGE))
        try:
            sending: Awaitable[Any] = await self._producer.send(
                event.topic,
                key=event.key.encode(),
                value=value,
                headers=headers(event, now),
            )
        except kafka.AWAY as error:
            raise RetryLater(f"produce: {type(error).__name__}") from error
        return sending

    async def _commit(self, batch: dict[TopicPartition, list[Any]]) -> None:
        try:
            await self._consumer.commit({where: records[-1].offset + 1 for where, records in batch.items()})
        except (CommitFailedError, IllegalStateError):
            log.info("partitions moved before the commit", stage=self._stage.name)  # the new owner repeats; harmless
        except kafka.AWAY as error:
            log.warning("commit failed, batch may come again", stage=self._stage.name, cause=type(error).__name__)

    def _rewind(self, batch: dict[TopicPartition, list[Any]]) -> None:
        for where, records in batch.items():
            if where in self._consumer.assignment():
                self._consumer.seek(where, records[0].offset)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


class _Rebalanced(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, stage: str) -> None:
        self._stage = stage

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        log.debug("partitions revoked", stage=self._stage, count=len(revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        log.info("partitions assigned", stage=self._stage, count=len(assigned))


def _exemplar(received: Sequence[Received[Any]]) -> dict[str, str] | None:
    """A trace by which a slow batch can be looked into."""
    traces = (item.meta.trace_id for item in received if item.meta is not None)
    return next(({"trace_id": trace} for trace in traces if trace), None)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {where}"


def _where(record: Any) -> dict[str, Any]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
