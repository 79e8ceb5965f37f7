"""Carries the spool to the bus: an idempotent producer, in the order of each visit, again until the broker has it.

Nothing leaves the spool before the broker's acknowledgement, so a crash repeats at most what was on its way: the
same event with the same id. A visit has one entry on its way at a time; visits share batches.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, UnknownTopicOrPartitionError

from events.envelope import headers
from events.his.addresses import Addresses
from events.his.counter import Counter
from events.his.errors import SpoolFullError
from events.his.store import Store
from events.registry import Registry, RegistryUnreachableError, UnknownSchemaError
from events.serde import Serde
from events.topics import VISIT_CLOSED
from events.visit import VisitClosed

logger = logging.getLogger("healthbook.his")

BATCH_EVENTS = 500
BATCH_BYTES = 8 * 1024 * 1024
_PATIENCE = 60.0
_SLOWEST_LINK = 128 * 1024  # bytes a second
_PAUSES = (0.2, 10.0)
_CLOSING = 5.0

_NEVER = {MessageSizeTooLargeError: "BUS_TOO_LARGE", RecordListTooLargeError: "BUS_TOO_LARGE"}
"""What the broker will say again however often it is asked: the code of events/his/errors.py."""


class _AddressUnknownError(Exception):
    """No address given and no running system found."""


_LATER: Mapping[type[BaseException], str] = {
    _AddressUnknownError: "ADDRESS_UNKNOWN",
    RegistryUnreachableError: "REGISTRY_AWAY",
    UnknownSchemaError: "SCHEMA_MISSING",
    UnknownTopicOrPartitionError: "TOPIC_MISSING",
    SpoolFullError: "DISK_FULL",
    KafkaError: "BUS_AWAY",
    OSError: "BUS_AWAY",
    TimeoutError: "BUS_AWAY",
}
"""What passes: tried again for ever, nothing is given up. The words are those of `Publisher.trouble`."""


class Publisher:
    """One task that publishes what `store` holds. `trouble` says why nothing moves at the moment, None when it does."""

    def __init__(self, store: Store, addresses: Callable[[], Addresses], client_id: str) -> None:
        self._store = store
        self._addresses = addresses
        self._client_id = client_id
        self._counter = Counter(store)
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._suspects: set[int] = set()
        self._pause = _PAUSES[0]
        self._task: asyncio.Task[None]
        self.trouble: str | None = None
        self.moved = asyncio.Event()

    def start(self) -> None:
        """Starts the task."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: self._tell())

    async def stop(self) -> None:
        """Lets what is on its way arrive for a few seconds; what is not acknowledged then stays in the spool."""
        self._stop.set()
        self._news.set()
        await asyncio.wait([self._task], timeout=_CLOSING)
        self._task.cancel()
        await asyncio.wait([self._task])

    def wake(self) -> None:
        """There is something new in the spool."""
        self._news.set()

    def check(self) -> None:
        """Raises what ended the task, if something did: a damaged spool, never a bus that is away."""
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                async with self._connected() as (producer, serde), self._counter.telling(producer, serde):
                    await self._publish(producer, serde)
            except tuple(_LATER) as error:
                self._complain(error)
                await self._rest()

    async def _publish(self, producer: Any, serde: Serde) -> None:
        """Round after round until told to stop. Raises KafkaError and TimeoutError: this producer is of no use."""
        while not self._stop.is_set():
            self._news.clear()
            batch = self._choose(await self._store.heads(BATCH_EVENTS, BATCH_BYTES))
            if batch:
                await self._round(producer, serde, batch)
            else:
                self.trouble = None
                await self._news.wait()

    def _choose(self, heads: list[tuple[int, VisitClosed]]) -> list[tuple[int, VisitClosed]]:
        """One that may be too large goes alone: only so is the broker's refusal surely about it."""
        alone = [head for head in heads if head[0] in self._suspects]
        return alone[:1] or heads

    async def _round(self, producer: Any, serde: Serde, batch: Sequence[tuple[int, VisitClosed]]) -> None:
        results = await self._send(producer, serde, [event for _, event in batch])
        failed = {
            position: result
            for (position, _), result in zip(batch, results, strict=True)
            if isinstance(result, BaseException)
        }
        hopeless = {position: _NEVER[type(error)] for position, error in failed.items() if type(error) in _NEVER}
        if len(batch) > 1:
            self._suspects.update(hopeless)
            hopeless = {}
        self._suspects -= hopeless.keys()
        sent = [position for position, _ in batch if position not in failed]
        await self._settle(sent, hopeless)
        if sent:
            self.trouble, self._pause = None, _PAUSES[0]
        self._tell()
        # After a failed batch the producer's sequence numbers have a gap that no broker accepts: take a new one.
        for error in failed.values():
            raise error

    async def _send(self, producer: Any, serde: Serde, events: Sequence[VisitClosed]) -> list[Any]:
        """The broker's answer to each event, in their order. Raises TimeoutError when it does not come at all."""
        values = [serde.encode(event) for event in events]
        patience = _PATIENCE + sum(map(len, values)) / _SLOWEST_LINK
        async with asyncio.timeout(patience):
            sending = [await self._enqueue(producer, event, value) for event, value in zip(events, values, strict=True)]
            return await asyncio.gather(*sending, return_exceptions=True)

    @staticmethod
    async def _enqueue(producer: Any, event: VisitClosed, value: bytes) -> asyncio.Future[Any]:
        try:
            answer: asyncio.Future[Any] = await producer.send(
                VISIT_CLOSED.name, value, event.key.encode(), headers=headers(event, event.closed_at)
            )
        except MessageSizeTooLargeError as error:
            answer = asyncio.get_running_loop().create_future()
            answer.set_exception(error)
        return answer

    async def _settle(self, sent: list[int], refused: Mapping[int, str]) -> None:
        """Never forgets what the broker has: on a full disk it waits for room rather than send again."""
        while True:
            try:
                await self._store.settle(sent, refused)
            except SpoolFullError as error:
                self._complain(error)
                await self._rest()
            else:
                return

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Any, Serde]]:
        addresses = self._addresses()
        if not addresses.kafka or not addresses.schema_registry:
            raise _AddressUnknownError
        async with Registry(addresses.schema_registry) as registry:
            serde = Serde(registry)
            await serde.prepare(VisitClosed)
            await self._counter.prepare(serde)
        producer = AIOKafkaProducer(
            bootstrap_servers=addresses.kafka,
            client_id=self._client_id,
            enable_idempotence=True,
            acks="all",
            compression_type="zstd",
            linger_ms=5,
            max_batch_size=512 * 1024,
            max_request_size=VISIT_CLOSED.max_bytes,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                await producer.start()
            yield producer, serde
        finally:
            await _close(producer)

    def _complain(self, error: BaseException) -> None:
        reason = next(word for kind, word in _LATER.items() if isinstance(error, kind))
        if reason != self.trouble:
            logger.warning("nothing reaches the bus, the spool keeps it: %s (%s)", reason, type(error).__name__)
        self.trouble = reason
        self._tell()

    async def _rest(self) -> None:
        pause = self._pause * random.uniform(0.5, 1)  # noqa: S311 - spreads clients, guards nothing
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), pause)
        self._pause = min(self._pause * 2, _PAUSES[1])

    def _tell(self) -> None:
        """Wakes everybody who waits for progress."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()


async def _close(producer: Any) -> None:
    """Ends a producer without waiting for a broker that is away: `stop()` alone would flush for ever."""
    sender = producer._sender.sender_task  # noqa: SLF001 - there is no public way
    if sender is not None:
        sender.cancel()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSING):
            await producer.stop()
    with contextlib.suppress(Exception):
        await producer.client.close()
