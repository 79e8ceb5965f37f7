"""Dead letters on real Kafka and PostgreSQL: shown without their content, redriven in order, with who and why."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from events.envelope import Event, headers, traceparent
from events.health_book import HealthBookEntry
from events.registry import Registry
from events.serde import Serde
from events.topics import TOPICS, VISIT_CLOSED, VISIT_REJECTED, VISIT_SIGNED
from events.visit import PersonKeyKind, TableFile, VisitClosed, VisitSigned
from streams.adapters import topic_admin
from streams.adapters.dead_letters import DeadLetterTopics
from streams.adapters.ledger import PostgresLedger
from streams.domain.dead_letter import Letter, Place, aside_headers
from streams.errors import DeadLetter, Reason
from streams.runtime.loop import Loop, Received, Stage
from streams.stages.forward import record
from tests.support.commands import Answer, healthbook, started
from tests.support.eventually import eventually
from tests.support.forward_bench import in_a_quarter_of_an_hour

NAME = "Nguyễn Văn Thử"
WHY = ("--reason", "the bug is mended", "--actor", "ngoc")


@pytest.fixture(scope="module", autouse=True)
async def declared(kafka: str, schema_registry: str) -> None:
    await topic_admin.apply(kafka)
    async with Registry(schema_registry) as registry:
        for topic in TOPICS:
            await registry.register(topic.name, topic.compatibility)


@pytest.fixture
async def serde(schema_registry: str) -> AsyncIterator[Serde]:
    async with Registry(schema_registry) as registry:
        prepared = Serde(registry)
        await prepared.prepare(VisitClosed, VisitSigned)
        yield prepared


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[Any]:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as opened:
        yield opened


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as opened:
        yield opened


@pytest.fixture
def visit() -> str:
    """A MA_LK prefix that no other test has."""
    return f"DLQ-{uuid.uuid4().hex[:8]}"


Command: TypeAlias = Callable[..., Awaitable[Answer]]


@pytest.fixture
def command(kafka: str, database_url: str) -> Command:
    async def run(*arguments: object) -> Answer:
        return await healthbook(*arguments, database_url=database_url, kafka_bootstrap_servers=kafka)

    return run


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


@pytest.fixture
async def bench(kafka: str, serde: Serde, producer: Any, visit: str) -> AsyncIterator[Bench]:
    reader = Reader(visit)
    async with reading(kafka, serde, reader, VisitClosed):
        yield Bench(kafka, producer, serde, reader)


def at(letter: Letter) -> tuple[object, ...]:
    """A letter as the commands are told of it."""
    return (letter.place.topic, "--partition", letter.place.partition, "--offset", letter.place.offset)


async def listed(command: Command, prefix: str, *options: object) -> list[dict[str, Any]]:
    rows = (await command("dlq", "list", "--topic", VISIT_CLOSED.name, *options, "--output", "json")).json
    return [row for row in rows if row["stage"] == prefix]


async def test_a_redriven_record_comes_as_it_was_and_the_list_says_who_and_why(
    bench: Bench, command: Command, visit: str
) -> None:
    event = closed(visit)
    letter = await bench.fall(event)
    (open_,) = await listed(command, visit)
    assert (open_["open"], open_["reason"], open_["visit"], open_["done"]) == (True, "UNEXPECTED", event.key, [])

    bench.reader.broken.clear()
    done = await command("dlq", "redrive", *at(letter), *WHY, "--output", "json")
    assert [row["outcome"] for row in done.json] == ["redriven"]
    await bench.handles((visit, 1))
    (came,) = bench.reader.seen
    assert came.event.tables == event.tables
    assert came.meta is not None
    assert came.meta.traceparent == traceparent(event)
    assert [name for name, _ in came.record.headers if name.startswith("dlq_")] == []

    (row,) = await listed(command, visit)
    assert not row["open"]
    (act,) = row["done"]
    assert (act["act"], act["actor"], act["reason"], act["confirmed"]) == ("REDRIVEN", "ngoc", WHY[1], True)
    assert act["copy"] == f"{VISIT_CLOSED.name}/{came.record.partition}/{came.record.offset}"
    assert f"redriven by ngoc at {act['at'][:4]}" in (await command("dlq", "list")).stdout

    second = await command("dlq", "redrive", *at(letter), *WHY)
    assert second.code == 1
    assert "was redriven by ngoc" in second.stdout
    assert (await command("dlq", "redrive", *at(letter), *WHY, "--again")).code == 0
    await bench.handles((visit, 1), (visit, 1))
    assert bench.reader.seen[0].meta == bench.reader.seen[1].meta, "the same event"


async def test_later_revisions_wait_for_the_earlier_one_and_other_visits_do_not(
    bench: Bench, command: Command, visit: str
) -> None:
    first = await bench.fall(closed(visit, 1))
    later = await bench.fall(closed(visit, 2))
    other = await bench.fall(closed(f"{visit}-other"))
    waits = {(row["visit"], row["offset"]): row["waits_for"] for row in await listed(command, visit)}
    assert waits == {
        (f"01999|{visit}", first.place.offset): None,
        (f"01999|{visit}", later.place.offset): str(first.place),
        (f"01999|{visit}-other", other.place.offset): None,
    }
    bench.reader.broken.clear()
    refused = await command("dlq", "redrive", *at(later), *WHY)
    assert refused.code == 1
    assert f"waits for {first.place}" in refused.stdout
    for letter in (other, first, later):
        assert (await command("dlq", "redrive", *at(letter), *WHY)).code == 0
    await bench.handles((f"{visit}-other", 1), (visit, 1), (visit, 2))


async def test_one_that_falls_again_keeps_its_place_before_the_later_one(
    bench: Bench, command: Command, visit: str
) -> None:
    first = await bench.fall(closed(visit, 1))
    later = await bench.fall(closed(visit, 2))
    assert (await command("dlq", "redrive", *at(first), *WHY)).code == 0
    again = await bench.fallen(closed(visit, 1), 3)
    refused = await command("dlq", "redrive", *at(later), *WHY)
    assert refused.code == 1
    assert f"waits for {again.place}" in refused.stdout
    assert (await command("dlq", "dismiss", *at(again), "--reason", "closed again as revision 2")).code == 0
    bench.reader.broken.clear()
    assert (await command("dlq", "redrive", *at(later), *WHY)).code == 0
    await bench.handles((visit, 2))
    assert {row["offset"]: row["open"] for row in await listed(command, visit)} == dict.fromkeys(
        (first.place.offset, later.place.offset, again.place.offset), False
    )
    refused = await command("dlq", "dismiss", *at(again), *WHY)
    assert refused.code == 1


async def test_an_older_revision_that_is_redriven_is_not_put_over_a_newer_one(
    kafka: str, serde: Serde, producer: Any, pool: "asyncpg.Pool[asyncpg.Record]", command: Command, visit: str
) -> None:
    ledger = PostgresLedger(pool, in_a_quarter_of_an_hour, timedelta(days=1))

    class Forward(Reader):
        """The consuming half of forward, which cannot use what is broken."""

        async def __call__(self, batch: Sequence[Received[Any]]) -> Sequence[Event | None]:
            before = len(self.seen)
            answers = await super().__call__(batch)
            await record([item.event for item in self.seen[before:]], ledger)
            return answers

    reader = Forward(visit)
    old, new = (signed(visit, revision) for revision in (1, 2))
    async with reading(kafka, serde, reader, VisitSigned):
        bench = Bench(kafka, producer, serde, reader)
        letter = await bench.fall(old)
        await bench.send(new)

        async def newer_is_accepted() -> bool:
            done = "update submission set state = 'ACCEPTED', attempts = 1 where revision = 2 returning true"
            return bool(await pool.fetchval(done))

        await eventually(newer_is_accepted, timeout=60)
        reader.broken.clear()
        assert (await command("dlq", "redrive", *at(letter), *WHY)).code == 0

        async def both_are_in_the_ledger() -> bool:
            rows = await pool.fetch("select revision, state, attempts from submission order by revision")
            assert [tuple(row) for row in rows] == [(1, "SUPERSEDED", 0), (2, "ACCEPTED", 1)]
            return True

        await eventually(both_are_in_the_ledger, timeout=60)


def signed(ma_lk: str, revision: int) -> VisitSigned:
    return VisitSigned(
        "01999",
        ma_lk,
        revision,
        datetime.now(UTC),
        "3176",
        "01",
        True,
        PersonKeyKind.CCCD,
        b"<GIAMDINHHS/>",
        f"{revision:064}",
        f"{revision:064}",
        "ab",
    )


async def test_show_tells_everything_but_the_content_and_raw_writes_it_for_its_owner_alone(
    bench: Bench, command: Command, visit: str, tmp_path: Path
) -> None:
    event = closed(visit)
    letter = await bench.fall(event)
    where = (letter.place.topic, letter.place.partition, letter.place.offset)
    file = tmp_path / "value"
    table = await command("dlq", "show", *where, "--raw", file)
    assert table.code == 0, table.stderr
    told = (await command("dlq", "show", *where, "--output", "json")).json
    assert (told["stage"], told["reason"], told["bytes"]) == (visit, "UNEXPECTED", file.stat().st_size)
    assert told["origin"] == str(letter.origin)
    assert told["headers"]["ce_type"] == VISIT_CLOSED.name
    assert told["meaning"]
    assert NAME not in table.stdout + table.stderr + json.dumps(told, ensure_ascii=False)
    assert NAME.encode() in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    second = await command("dlq", "show", *where, "--raw", file)
    assert second.code == 1
    assert "File exists" in second.stderr


async def test_all_redrives_what_is_open_in_order_and_says_what_could_not_go(
    kafka: str, producer: Any, command: Command, visit: str
) -> None:
    """On a topic whose dead letters no other test has: what lies there is put there as a stage would."""
    keys = [f"01999|{visit}".encode(), f"01999|{visit}-other".encode()]
    ours = [(keys[0], 0, b"1"), (keys[0], 1, None), (keys[0], 2, b"3"), (keys[1], 3, b"4"), (keys[1], 3, b"4")]
    for key, origin, value in ours:
        aside = aside_headers(
            Place(VISIT_REJECTED.name, 0, 10**9 + origin), visit, Reason.UNEXPECTED, datetime.now(UTC)
        )
        await producer.send_and_wait(VISIT_REJECTED.dlq, key=key, value=value, headers=aside)
    strange = await producer.send_and_wait(VISIT_REJECTED.dlq, key=NAME.encode(), value=b"?")
    rows = (await command("dlq", "list", "--topic", VISIT_REJECTED.dlq, "--output", "json")).json
    assert NAME not in json.dumps(rows, ensure_ascii=False)

    expected = [  # letters of one record go once
        (keys[0], "redriven"),
        (keys[0], "not redriven: it lies here without a value"),
        (keys[0], "not redriven: it waits for"),
        (keys[1], "redriven"),
    ]
    redrive = ("dlq", "redrive", VISIT_REJECTED.name, "--all", *WHY, "--output", "json")
    tried, done = await command(*redrive, "--dry-run"), await command(*redrive)
    for answer, prefix in ((tried, "would be "), (done, "")):
        assert answer.code == 1
        told = [row for row in json.loads(answer.stdout) if row["visit"] in [key.decode() for key in keys]]
        assert len(told) == len(expected)
        for row, (key, outcome) in zip(told, expected, strict=True):
            assert row["visit"] == key.decode()
            assert row["outcome"].removeprefix(prefix).startswith(outcome)
    assert strange.offset not in [row["offset"] for row in json.loads(done.stdout)], "a stranger's is never redriven"
    async with DeadLetterTopics(kafka, [VISIT_REJECTED.name]) as topics:
        found = await topics.letters()
    assert sorted((item.key or b"").decode() for item in found if item.key in keys) == sorted(
        key.decode() for key in keys
    )


async def test_the_entry_that_subscribers_see_once_is_not_redriven(
    producer: Any, command: Command, visit: str, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    aside = aside_headers(Place(HealthBookEntry.topic, 0, 10**9), "record", Reason.UNEXPECTED, datetime.now(UTC))
    sent = await producer.send_and_wait(
        f"{HealthBookEntry.topic}.dlq", key=f"01999|{visit}".encode(), value=b"x", headers=aside
    )
    refused = await command("dlq", "redrive", HealthBookEntry.topic, "--offset", sent.offset, *WHY)
    assert refused.code == 1
    assert "see it twice" in refused.stdout
    assert await pool.fetchval("select count(*) from dead_letter_act") == 0


@asynccontextmanager
async def killed_at(
    pool: "asyncpg.Pool[asyncpg.Record]", write: str, *command: object, **settings: str
) -> AsyncIterator[None]:
    """Runs a command that hangs in its `write` to dead_letter_act; it is killed when the block is left."""
    await pool.execute(
        "create or replace function stall() returns trigger language plpgsql as"
        " $$ begin perform pg_advisory_xact_lock(7); return new; end $$;"
        f"create trigger stall before {write} on dead_letter_act for each row execute function stall()"
    )
    async with pool.acquire() as other:
        await other.execute("select pg_advisory_lock(7)")
        process = await started(*command, **settings)

        async def hangs() -> bool:
            assert process.returncode is None
            return bool(await pool.fetchval("select 1 from pg_locks where locktype = 'advisory' and not granted"))

        await eventually(hangs, timeout=30)
        yield
        process.kill()
        await process.wait()
        # The server would finish the statement that it has already: the network is gone with the process.
        await other.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and not granted"
        )
        await other.execute("select pg_advisory_unlock_all()")
    await pool.execute("drop trigger stall on dead_letter_act")

    async def alone() -> bool:
        return not await pool.fetchval("select count(*) from pg_locks where locktype = 'advisory'")

    await eventually(alone, timeout=30)


async def test_killed_before_who_and_why_are_written_nothing_has_happened(
    bench: Bench,
    command: Command,
    kafka: str,
    database_url: str,
    visit: str,
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    event = closed(visit)
    letter = await bench.fall(event)
    parts = {"database_url": database_url, "kafka_bootstrap_servers": kafka}
    async with killed_at(pool, "insert", "dlq", "redrive", *at(letter), *WHY, **parts):
        async with DeadLetterTopics(kafka, [VISIT_CLOSED.name]) as topics:
            records = [item for item in await topics.letters() if item.key == event.key.encode()]
        assert len(records) == 1, "it is on its topic before anybody answers for it"
    (row,) = await listed(command, visit)
    assert (row["open"], row["done"]) == (True, [])


async def test_killed_before_it_is_known_that_the_broker_has_it_the_act_stands_there_and_may_be_repeated(
    bench: Bench,
    command: Command,
    kafka: str,
    database_url: str,
    visit: str,
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    letter = await bench.fall(closed(visit))
    bench.reader.broken.clear()
    parts = {"database_url": database_url, "kafka_bootstrap_servers": kafka}
    async with killed_at(pool, "update", "dlq", "redrive", *at(letter), *WHY, **parts):
        await bench.handles((visit, 1))  # it is on its topic
        beside = await command("dlq", "redrive", *at(letter), *WHY)
        assert (beside.code, "Somebody else" in beside.stderr) == (1, True)
    (row,) = await listed(command, visit)
    assert row["open"]
    assert [(act["actor"], act["confirmed"]) for act in row["done"]] == [("ngoc", False)]
    assert "not confirmed" in (await command("dlq", "list", "--topic", VISIT_CLOSED.name)).stdout
    assert (await command("dlq", "redrive", *at(letter), *WHY)).code == 0
    await bench.handles((visit, 1), (visit, 1))


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    bench: Bench, command: Command, visit: str, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    letter = await bench.fall(closed(visit))
    for act, said in (("redrive", "would be redriven"), ("dismiss", "would be dismissed")):
        done = await command("dlq", act, *at(letter), *WHY, "--dry-run", "--output", "json")
        assert [(row["outcome"], row["done"]) for row in done.json] == [(said, False)]
    assert await pool.fetchval("select count(*) from dead_letter_act") == 0
    assert (await listed(command, visit))[0]["open"]


async def test_the_list_is_found_by_reason_and_day(bench: Bench, command: Command, visit: str) -> None:
    await bench.fall(closed(visit))
    await bench.send(closed(f"{visit}-2"), value=b"\x07not avro")
    await bench.fallen(closed(f"{visit}-2"))
    assert [row["visit"] for row in await listed(command, visit, "--reason", "NOT_AVRO")] == [f"01999|{visit}-2"]
    tomorrow = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    assert await listed(command, visit, "--since", tomorrow) == []
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M}"
    assert len(await listed(command, visit, "--since", yesterday)) == 2


@pytest.mark.parametrize(
    "given", [("list",), ("show", VISIT_SIGNED.name, 0, 0), ("redrive", VISIT_SIGNED.name, "--all", *WHY)]
)
async def test_a_broker_that_does_not_answer_is_exit_3(database_url: str, given: tuple[object, ...]) -> None:
    answer = await healthbook("dlq", *given, database_url=database_url, kafka_bootstrap_servers="127.0.0.1:1")
    assert (answer.code, answer.stdout) == (3, ""), answer
    assert "no Kafka broker answers" in answer.stderr


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("dlq", "list", "--topic", "visit.unknown.v1"), 2, "visit.unknown.v1 is no topic of the bus"),
        (("dlq", "redrive", VISIT_SIGNED.name, *WHY), 2, "either --offset or --all"),
        (("dlq", "redrive", VISIT_SIGNED.name, "--all", "--again", *WHY), 2, "--again is about one"),
        (("dlq", "redrive", VISIT_SIGNED.name, "--all"), 2, "--reason"),
        (("dlq", "redrive", VISIT_SIGNED.name, "--offset", 10**9, *WHY), 1, "there is no dead letter at"),
        (("dlq", "dismiss", VISIT_SIGNED.name, "--offset", 10**9, *WHY), 1, "there is no dead letter at"),
        (("dlq", "show", VISIT_SIGNED.name, 0, 10**9), 1, "there is no dead letter at"),
        (("dlq", "show", VISIT_SIGNED.name, 5, 0), 1, "there is no dead letter at"),
    ],
)
async def test_what_cannot_be_done_is_said_clearly(
    command: Command, given: tuple[object, ...], code: int, said: str
) -> None:
    answer = await command(*given)
    assert answer.code == code, answer
    assert said in answer.stderr
    assert answer.stdout == ""
