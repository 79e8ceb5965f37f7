"""Dead letters go back in the order of their log, once, as they were."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from events.envelope import Event, traceparent
from events.health_book import HealthBookEntry
from events.serde import Serde
from events.topics import VISIT_CLOSED, VISIT_REJECTED
from events.visit import PersonKeyKind, VisitSigned
from streams.adapters.dead_letters import DeadLetterTopics
from streams.adapters.ledger import PostgresLedger
from streams.domain.dead_letter import Place, aside_headers
from streams.errors import Reason
from streams.runtime.loop import Received
from streams.stages.forward import record
from tests.support.dead_letters import NAME, WHY, Bench, Command, Reader, at, closed, listed, reading
from tests.support.eventually import eventually
from tests.support.forward_bench import in_a_quarter_of_an_hour


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


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    bench: Bench, command: Command, visit: str, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    letter = await bench.fall(closed(visit))
    for act, said in (("redrive", "would be redriven"), ("dismiss", "would be dismissed")):
        done = await command("dlq", act, *at(letter), *WHY, "--dry-run", "--output", "json")
        assert [(row["outcome"], row["done"]) for row in done.json] == [(said, False)]
    assert await pool.fetchval("select count(*) from dead_letter_act") == 0
    assert (await listed(command, visit))[0]["open"]
