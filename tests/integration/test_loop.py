"""The loop: at least once, dead letters with their reason, trouble waited out; on real Kafka and registry."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import OutOfOrderSequenceNumber
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest

from events.envelope import Event, event_id, headers, traceparent
from events.serde import Serde
from events.topics import VISIT_CLOSED
from events.visit import TableFile, VisitClosed
from streams.errors import DeadLetter, Fatal, Reason, RetryLater
from streams.runtime.loop import Handler, Loop, Received, Stage
from tests.support.eventually import eventually

pytestmark = pytest.mark.usefixtures("declared")


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[Any]:
    opened = AIOKafkaProducer(bootstrap_servers=kafka)
    await opened.start()
    yield opened
    await opened.stop()


def closed(ma_lk: str, revision: int = 1) -> VisitClosed:
    return VisitClosed("01999", ma_lk, revision, datetime.now(UTC), (TableFile("XML1", b"<TONG_HOP/>"),))


async def send(producer: Any, serde: Serde, event: VisitClosed, **other: Any) -> None:
    record = {"key": event.key.encode(), "value": serde.encode(event), "headers": headers(event, datetime.now(UTC))}
    await producer.send_and_wait(event.topic, **(record | other))


class Seen:
    """A handler that keeps what it saw of one test's visits; `trouble` may raise."""

    def __init__(self, prefix: str, trouble: Callable[[VisitClosed], None] = lambda _event: None) -> None:
        self.prefix = prefix
        self.trouble = trouble
        self.events: list[VisitClosed] = []

    async def __call__(self, batch: Sequence[Received[Any]]) -> Sequence[Event | None]:
        mine = [item.event for item in batch if item.event.ma_lk.startswith(self.prefix)]
        for event in mine:
            self.trouble(event)
        self.events += mine
        return [None] * len(batch)

    def keys(self) -> list[str]:
        return [event.ma_lk for event in self.events]


@asynccontextmanager
async def running(kafka: str, serde: Serde, handle: Handler, group: str) -> AsyncIterator["asyncio.Task[None]"]:
    loop = Loop(Stage(group, (VisitClosed,), (), handle), kafka, serde, poison_per_minute=20)
    task = asyncio.create_task(loop.run())
    try:
        yield task
    finally:
        loop.stop()
        with suppress(Fatal):
            await task


async def dead_letters(kafka: str, key: str) -> list[dict[str, str]]:
    consumer = AIOKafkaConsumer(VISIT_CLOSED.dlq, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found = []
        end = (await consumer.end_offsets(consumer.assignment())).copy()
        while any([await consumer.position(at) < offset for at, offset in end.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [
                    {name: value.decode() for name, value in record.headers}
                    for record in records
                    if record.key == key.encode()
                ]
        return found
    finally:
        await consumer.stop()


@pytest.fixture
def visit() -> str:
    """A MA_LK prefix that no other test has."""
    return f"LOOP-{uuid.uuid4().hex[:8]}"


async def test_what_the_broker_took_is_handled(kafka: str, serde: Serde, producer: Any, visit: str) -> None:
    seen = Seen(visit)
    async with running(kafka, serde, seen, visit):
        for number in range(50):
            await send(producer, serde, closed(f"{visit}-{number:02}"))
        await eventually(lambda: len(seen.events) == 50)
    assert sorted(seen.keys()) == [f"{visit}-{number:02}" for number in range(50)]


async def test_a_trace_is_the_exemplar_of_its_stages_time(kafka: str, serde: Serde, producer: Any, visit: str) -> None:
    seen = Seen(visit)
    async with running(kafka, serde, seen, visit):
        await send(producer, serde, closed(visit))
        await eventually(lambda: seen.keys() == [visit])
    exposed = generate_latest(REGISTRY).decode()  # type: ignore[no-untyped-call]
    lines = [line for line in exposed.splitlines() if f'stage="{visit}"' in line]
    assert [line for line in lines if "_bucket" in line and re.search(r'# \{trace_id="[0-9a-f]{32}"\}', line)]


async def test_a_producer_whose_sequence_has_a_gap_is_given_up(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    """No broker takes anything more from it: waiting would be for ever, and look like patience."""

    def spoilt(event: VisitClosed) -> None:
        raise RetryLater("produce: OutOfOrderSequenceNumber") from OutOfOrderSequenceNumber()

    await send(producer, serde, closed(visit))
    loop = Loop(Stage(visit, (VisitClosed,), (), Seen(visit, spoilt)), kafka, serde)
    with pytest.raises(RetryLater, match="OutOfOrderSequenceNumber"):
        await asyncio.wait_for(loop.run(), 60)


async def test_what_was_not_committed_comes_again(kafka: str, serde: Serde, producer: Any, visit: str) -> None:
    await send(producer, serde, closed(visit))
    started = asyncio.Event()

    async def never(batch: Sequence[Received[Any]]) -> Sequence[Event | None]:
        if any(item.event.ma_lk == visit for item in batch):
            started.set()
            await asyncio.Event().wait()
        return [None] * len(batch)

    loop = Loop(Stage(visit, (VisitClosed,), (), never), kafka, serde)
    task = asyncio.create_task(loop.run())
    await asyncio.wait_for(started.wait(), 30)
    task.cancel()  # dies in the middle of the batch
    await asyncio.wait({task})
    seen = Seen(visit)
    async with running(kafka, serde, seen, visit):
        await eventually(lambda: seen.keys() == [visit], timeout=40)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x07not avro", Reason.NOT_AVRO),
        (b"\x00\x7f\xff\xff\xffbody", Reason.UNKNOWN_SCHEMA_ID),
        (b"", Reason.NO_VALUE),
    ],
)
async def test_an_undecodable_record_is_put_aside_and_the_next_is_handled(
    kafka: str, serde: Serde, producer: Any, visit: str, value: bytes, reason: Reason
) -> None:
    event = closed(visit)
    await send(producer, serde, event, value=value)
    await send(producer, serde, event)
    seen = Seen(visit)
    async with running(kafka, serde, seen, visit):
        await eventually(lambda: seen.keys() == [visit])
        await eventually(partial(dead_letters, kafka, event.key))
    (letter,) = [found for found in await dead_letters(kafka, event.key) if found["dlq_stage"] == visit]
    assert (letter["dlq_reason"], letter["dlq_topic"]) == (reason, VISIT_CLOSED.name)


async def test_a_key_that_is_not_the_visits_own_is_put_aside(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    wrong = f"01999|{visit}-other"
    await send(producer, serde, closed(visit), key=wrong.encode())
    await send(producer, serde, closed(f"{visit}-next"))
    seen = Seen(visit)
    async with running(kafka, serde, seen, visit):
        await eventually(lambda: seen.keys() == [f"{visit}-next"])
        await eventually(partial(dead_letters, kafka, wrong))
    assert [letter["dlq_reason"] for letter in await dead_letters(kafka, wrong) if letter["dlq_stage"] == visit] == [
        Reason.KEY_MISMATCH
    ]


async def test_a_header_without_value_and_foreign_headers_stop_nothing(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    await send(producer, serde, closed(visit), headers=[("x", None), ("ce_id", None), ("__value_schema_id", None)])
    await send(producer, serde, closed(f"{visit}-bad"), value=b"\x07not avro", headers=[("ce_id", None)])
    await send(producer, serde, closed(f"{visit}-next"))
    seen = Seen(visit)
    async with running(kafka, serde, seen, visit):
        await eventually(lambda: set(seen.keys()) == {visit, f"{visit}-next"})
        await eventually(partial(dead_letters, kafka, f"01999|{visit}-bad"))


async def test_a_bad_record_in_a_batch_that_comes_again_is_put_aside_once(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    tries = 0

    def trouble(_event: VisitClosed) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise RetryLater("database does not answer", after=0.05)

    bad = closed(visit)
    await send(producer, serde, bad, value=b"\x07not avro")
    await send(producer, serde, closed(visit, 2))
    seen = Seen(visit, trouble)
    async with running(kafka, serde, seen, visit):
        await eventually(lambda: len(seen.events) == 1)
    letters = await dead_letters(kafka, bad.key)
    assert len([letter for letter in letters if letter["dlq_stage"] == visit]) == 1


async def test_one_record_that_fails_does_not_stop_the_others(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    def trouble(event: VisitClosed) -> None:
        if event.ma_lk.endswith("-1"):
            raise ValueError("Nguyễn Văn Thử")  # an exception's text may quote the dossier
        if event.ma_lk.endswith("-2"):
            raise DeadLetter(Reason.TOO_LARGE)

    for number in range(4):
        await send(producer, serde, closed(f"{visit}-{number}"))
    seen = Seen(visit, trouble)
    async with running(kafka, serde, seen, visit):
        await eventually(lambda: {f"{visit}-0", f"{visit}-3"} <= set(seen.keys()))
        await eventually(partial(dead_letters, kafka, f"01999|{visit}-1"))
        await eventually(partial(dead_letters, kafka, f"01999|{visit}-2"))
    for number, reason in ((1, Reason.UNEXPECTED), (2, Reason.TOO_LARGE)):
        letters = await dead_letters(kafka, f"01999|{visit}-{number}")
        mine = [letter for letter in letters if letter["dlq_stage"] == visit]
        assert [letter["dlq_reason"] for letter in mine] == [reason]
        assert "Thử" not in str(mine)


async def test_retry_later_brings_the_batch_again_until_it_passes(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    tries = 0

    def trouble(_event: VisitClosed) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RetryLater("database does not answer", after=0.05)

    await send(producer, serde, closed(visit))
    seen = Seen(visit, trouble)
    async with running(kafka, serde, seen, visit):
        await eventually(lambda: seen.keys() == [visit])
    assert tries == 3


async def test_too_many_dead_letters_in_a_minute_stop_the_stage(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    for number in range(25):
        await send(producer, serde, closed(f"{visit}-{number}"))

    def trouble(_event: VisitClosed) -> None:
        raise ValueError

    async with running(kafka, serde, Seen(visit, trouble), visit) as task:
        await asyncio.wait({task}, timeout=30)
        assert task.done()
        assert isinstance(task.exception(), Fatal)


async def test_a_cancellation_that_the_database_driver_swallowed_still_ends_the_loop(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    started = asyncio.Event()

    async def swallow(batch: Sequence[Received[Any]]) -> Sequence[Event | None]:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RetryLater("the driver answers a cancellation with an error of its own", after=0.1) from None
        return [None] * len(batch)

    await send(producer, serde, closed(visit))
    task = asyncio.create_task(Loop(Stage(visit, (VisitClosed,), (), swallow), kafka, serde).run())
    await asyncio.wait_for(started.wait(), 30)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=30)
    assert done, "it took the cancellation for trouble and tries again for ever"


async def test_the_backlog_says_what_waits_and_since_when(kafka: str, serde: Serde, producer: Any, visit: str) -> None:
    tried = asyncio.Event()
    open_again = False

    def trouble(_event: VisitClosed) -> None:
        tried.set()
        if not open_again:
            raise RetryLater("the database is away", after=0.1)

    seen = Seen(visit, trouble)
    loop = Loop(Stage(visit, (VisitClosed,), (), seen), kafka, serde, batch_records=10)
    task = asyncio.create_task(loop.run())
    try:
        await eventually(lambda: loop.backlog.oldest is None and loop.progress, timeout=30)
        for number in range(30):
            await send(producer, serde, closed(f"{visit}-{number:02}"))
        await asyncio.wait_for(tried.wait(), 30)
        await eventually(lambda: loop.backlog.waiting >= 30)
        assert loop.backlog.oldest_seconds > 0
        open_again = True
        await eventually(lambda: len(set(seen.keys())) == 30)
        await eventually(lambda: (loop.backlog.waiting, loop.backlog.oldest) == (0, None))
    finally:
        loop.stop()
        await task


async def test_each_event_is_one_line_of_the_log_that_joins_it_with_record_trace_and_visit(
    kafka: str, serde: Serde, producer: Any, visit: str
) -> None:
    event = closed(f"{visit}-told")
    await send(producer, serde, event)
    seen = Seen(visit)
    with structlog.testing.capture_logs() as lines:
        async with running(kafka, serde, seen, f"told-{uuid.uuid4().hex}"):
            await eventually(lambda: [line for line in lines if line.get("visit") == event.key])
    (line,) = [line for line in lines if line.get("visit") == event.key]
    assert {name: line[name] for name in ("event", "topic", "revision", "event_id", "trace_id", "outcome")} == {
        "event": "processed",
        "topic": VISIT_CLOSED.name,
        "revision": 1,
        "event_id": str(event_id(event)),
        "trace_id": traceparent(event).split("-")[1],
        "outcome": "stored",
    }
    assert {"partition", "offset", "waited", "seconds"} <= line.keys()
