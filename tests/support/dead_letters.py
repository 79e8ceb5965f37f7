"""Dead letters in tests: a stage that cannot use some records, and the letters that it left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

from events.envelope import Event, headers
from events.serde import Serde
from events.topics import VISIT_CLOSED
from events.visit import TableFile, VisitClosed
from streams.adapters.dead_letters import DeadLetterTopics
from streams.domain.dead_letter import Letter
from streams.errors import DeadLetter, Reason
from streams.runtime.loop import Loop, Received, Stage
from tests.support.commands import Answer
from tests.support.eventually import eventually

NAME = "Nguyễn Văn Thử"
WHY = ("--reason", "the bug is mended", "--actor", "ngoc")
Command: TypeAlias = Callable[..., Awaitable[Answer]]


def closed(ma_lk: str, revision: int = 1) -> VisitClosed:
    content = f"<TONG_HOP>{NAME}</TONG_HOP>".encode()
    return VisitClosed("01999", ma_lk, revision, datetime.now(UTC), (TableFile("XML1", content),))


class Reader:
    """A stage of a test's own. What is in `broken` (MA_LK, revision) it cannot use; `seen` it handled, in order."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.broken: set[tuple[str, int]] = set()
        self.seen: list[Received[Any]] = []

    async def __call__(self, batch: Sequence[Received[Any]]) -> Sequence[Event | None]:
        mine = [item for item in batch if item.event.ma_lk.startswith(self.prefix)]
        for item in mine:
            if (item.event.ma_lk, item.event.revision) in self.broken:
                raise DeadLetter(Reason.UNEXPECTED)
        self.seen += mine
        return [None] * len(batch)

    def handled(self) -> list[tuple[str, int]]:
        return [(item.event.ma_lk, item.event.revision) for item in self.seen]


class Bench:
    """A reader at work, and the dead letters that it left."""

    def __init__(self, kafka: str, producer: Any, serde: Serde, reader: Reader) -> None:
        self._kafka, self._producer, self._serde, self.reader = kafka, producer, serde, reader

    async def send(self, event: Any, **other: Any) -> None:
        sent = {"value": self._serde.encode(event), "headers": headers(event, datetime.now(UTC))}
        await self._producer.send_and_wait(event.topic, key=event.key.encode(), **(sent | other))

    async def fallen(self, event: Any, number: int = 1) -> Letter:
        """The number-th dead letter about a visit that this reader left."""

        async def there() -> list[Letter]:
            found = await self._letters(event)
            return found if len(found) >= number else []

        return (await eventually(there, timeout=40))[number - 1]

    async def fall(self, event: Any) -> Letter:
        self.reader.broken.add((event.ma_lk, event.revision))
        before = len(await self._letters(event))
        await self.send(event)
        return await self.fallen(event, before + 1)

    async def _letters(self, event: Any) -> list[Letter]:
        async with DeadLetterTopics(self._kafka, [f"{event.topic}.dlq"]) as topics:
            letters = await topics.letters()
        return [item for item in letters if item.stage == self.reader.prefix and item.key == event.key.encode()]

    async def handles(self, *expected: tuple[str, int]) -> None:
        await eventually(lambda: self.reader.handled() == list(expected), timeout=40, message=str(expected))


@asynccontextmanager
async def reading(kafka: str, serde: Serde, reader: Reader, event: type) -> AsyncIterator[None]:
    stage = Stage(reader.prefix, (event,), (), reader)
    loop = Loop(stage, kafka, serde, poison_per_minute=10_000)
    task = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        loop.stop()
        await task


def at(letter: Letter) -> tuple[object, ...]:
    """A letter as the commands are told of it."""
    return (letter.place.topic, "--partition", letter.place.partition, "--offset", letter.place.offset)


async def listed(command: Command, prefix: str, *options: object) -> list[dict[str, Any]]:
    rows = (await command("dlq", "list", "--topic", VISIT_CLOSED.name, *options, "--output", "json")).json
    return [row for row in rows if row["stage"] == prefix and prefix in (row["visit"] or "")]
