"""Dead letters where they lie (`<topic>.dlq`), and what people did about them (table `dead_letter_act`)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

import asyncpg
from aiokafka import TopicPartition

from events.topics import TOPICS
from streams.adapters import kafka
from streams.adapters.postgres import patiently
from streams.domain.dead_letter import Act, Handled, Letter, Order, Place, letter
from streams.errors import RetryLater

_SILENT_POLLS = 60  # of half a second: the client says nothing while the broker is away
_ONE_AT_A_TIME = 0x646C71  # advisory lock: two people must not redrive the same record at once

_HANDLED = """
select topic, partition, position, act, actor, reason, acted_at, copy_offset from dead_letter_act
where topic = any($1::text[]) order by id
"""
_BEGIN = """
insert into dead_letter_act (topic, partition, position, act, actor, reason) values ($1, $2, $3, $4, $5, $6)
returning id, acted_at
"""
_DONE = "update dead_letter_act set copy_offset = $2 where id = $1"


class DeadLetterTopics:
    """Reads the dead letters of some topics (`….dlq`); belongs to no consumer group and commits nothing."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self._topics = set(topics)
        self._consumer = kafka.consumer(bootstrap, None, topics, client_id="dlq")

    async def __aenter__(self) -> Self:
        """Raises RetryLater while no broker answers, LookupError for a topic that is not there."""
        await kafka.start(self._consumer, "dlq")
        missing = self._topics - await self._consumer.topics()
        if missing:
            await self._consumer.stop()
            raise LookupError(f"there is no topic {', '.join(sorted(missing))}; run `healthbook topic apply`")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def letters(self) -> list[Letter]:
        """All of them, without values. Raises RetryLater."""
        where = sorted(self._consumer.assignment())
        try:
            ends = await self._consumer.end_offsets(where)
            await self._consumer.seek_to_beginning(*where)
            found: list[Letter] = []
            silent = 0
            while any([await self._consumer.position(at) < ends[at] for at in where]):
                records = await self._poll(*where)
                silent = 0 if records else _more(silent)
                found += map(_letter, records)
        except kafka.AWAY as error:
            raise RetryLater(f"dead letters: {type(error).__name__}") from error
        return found

    async def letter(self, place: Place) -> tuple[Letter, bytes | None]:
        """One of them and its value. Raises RetryLater, LookupError when there is none."""
        where = TopicPartition(place.topic, place.partition)
        try:
            if where in self._consumer.assignment():
                first = (await self._consumer.beginning_offsets([where]))[where]
                end = (await self._consumer.end_offsets([where]))[where]
                if first <= place.offset < end:
                    self._consumer.seek(where, place.offset)
                    silent = 0
                    while not (records := await self._poll(where)):
                        silent = _more(silent)
                    if records[0].offset == place.offset:
                        return _letter(records[0]), records[0].value
        except kafka.AWAY as error:
            raise RetryLater(f"dead letters: {type(error).__name__}") from error
        raise no_letter(place)

    async def _poll(self, *where: TopicPartition) -> list[Any]:
        batch = await self._consumer.getmany(*where, timeout_ms=500)
        return [record for records in batch.values() for record in records]


class DeadLetterActs:
    """What people did about dead letters, on one connection. Everything raises RetryLater."""

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        self._connection = connection

    async def alone(self) -> bool:
        """Whether nobody else acts on dead letters, from now until the connection ends."""
        locked = await patiently(
            lambda: self._connection.fetchval("select pg_try_advisory_lock($1)", _ONE_AT_A_TIME), "database"
        )
        return bool(locked)

    async def of(self, topics: Sequence[str]) -> list[Handled]:
        """Everything that was done about records of these topics, in that order."""
        rows = await patiently(lambda: self._connection.fetch(_HANDLED, list(topics)), "database")
        return [_handled(row) for row in rows]

    async def begin(self, origin: Place, act: Act, actor: str, reason: str) -> tuple[int, datetime]:
        """Writes down who does what and why, before it is done; answers its number and the moment."""
        columns = (origin.topic, origin.partition, origin.offset, act, actor, reason)
        row = await patiently(lambda: self._connection.fetchrow(_BEGIN, *columns), "database")
        assert row is not None  # noqa: S101 - an insert answers its row
        return row["id"], row["acted_at"]

    async def done(self, number: int, copy: Place) -> None:
        """The record lies again at `copy`."""
        await patiently(lambda: self._connection.execute(_DONE, number, copy.offset), "database")


async def every_letter(bootstrap: str, pool: "asyncpg.Pool[asyncpg.Record]") -> list[dict[str, Any]]:
    """All dead letters as `Order.told` has them, the oldest first. Raises RetryLater."""
    try:
        async with (
            DeadLetterTopics(bootstrap, [topic.dlq for topic in TOPICS]) as topics,
            pool.acquire() as connection,
        ):
            letters = await topics.letters()
            order = Order(letters, await DeadLetterActs(connection).of([topic.name for topic in TOPICS]))
    except LookupError as error:
        raise RetryLater(str(error)) from None
    return [order.told(item) for item in sorted(letters, key=lambda item: (item.at, item.place))]


def no_letter(place: Place) -> LookupError:
    """What a person is told who names a place where none lies."""
    return LookupError(f"there is no dead letter at {place}; `healthbook dlq list` names those that there are")


def _more(silent: int) -> int:
    if silent >= _SILENT_POLLS:
        raise RetryLater("dead letters: the broker does not answer")
    return silent + 1


def _letter(record: Any) -> Letter:
    return letter(
        Place(record.topic, record.partition, record.offset),
        record.key,
        None if record.value is None else len(record.value),
        datetime.fromtimestamp(record.timestamp / 1000, UTC),
        record.headers,
    )


def _handled(row: asyncpg.Record) -> Handled:
    copy = row["copy_offset"]
    return Handled(
        origin=Place(row["topic"], row["partition"], row["position"]),
        act=Act(row["act"]),
        actor=row["actor"],
        reason=row["reason"],
        at=row["acted_at"],
        copy=None if copy is None else Place(row["topic"], row["partition"], copy),
    )
