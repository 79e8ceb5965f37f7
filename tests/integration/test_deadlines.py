"""deadlines: the same states from any order, repetition and batches; each change told once it is durable."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from events.deadline import DeadlineState
from events.envelope import event_id
from streams.adapters.deadline_figures import LISTED, NEAREST, OLDEST, PostgresFigures
from streams.adapters.deadline_news import UNANNOUNCED, UNOFFERED, PostgresNews
from streams.adapters.deadlines import DUE, FACTS, KNOWN, PostgresDeadlines, wake
from streams.runtime.deadline_gauges import Gauges
from streams.sla.clocks import shipped
from streams.sla.facts import Facts

T = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


BATCH = ["01999"] * 500, [f"M{number}" for number in range(500)]
"""Visits of one batch of events."""


class Now:
    """The present moment, as a test sets it."""

    def __init__(self) -> None:
        self.instant = T

    def __call__(self) -> datetime:
        return self.instant


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
async def store(pool: "asyncpg.Pool[asyncpg.Record]", now: Now) -> PostgresDeadlines:
    return PostgresDeadlines(pool, shipped, now)


@pytest.fixture
async def news(pool: "asyncpg.Pool[asyncpg.Record]") -> PostgresNews:
    return PostgresNews(pool)


def facts(ma_lk: str = "V1", revision: int = 1, **known: Any) -> Facts:
    return Facts("01999", ma_lk, revision, **known)


HISTORY = [
    facts(closed_at=T),
    facts(closed_at=T, received_at=T + SECOND),
    facts(revision=2, closed_at=T + HOUR),
    facts(revision=2, closed_at=T + HOUR, received_at=T + HOUR + SECOND),
    facts(revision=2, displayed_at=T + 2 * HOUR),
    facts("V2", closed_at=T),
    facts("V2", closed_at=T, stopped_by="REJECTED"),
    facts("V3", closed_at=T, received_at=T + 1 * SECOND, not_due_because="NO_IDENTIFIER"),
    facts("V4", closed_at=T, received_at=T + SECOND),
]


async def states(store: PostgresDeadlines) -> dict[tuple[str, str, int], tuple[str, bool]]:
    return {
        (item.clock, item.ma_lk, item.revision): (str(item.state), item.late)
        for ma_lk in ("V1", "V2", "V3", "V4")
        for item in await store.of_visit("01999", ma_lk)
    }


@pytest.mark.parametrize("seed", range(5))
async def test_any_order_repetition_and_batches_end_in_the_same_states(
    store: PostgresDeadlines, now: Now, seed: int
) -> None:
    now.instant = T + 26 * HOUR
    chance = random.Random(seed)
    told = [*HISTORY, *chance.choices(HISTORY, k=6)]
    chance.shuffle(told)
    while told:
        size = chance.randint(1, 4)
        await store.learn(told[:size])
        told = told[size:]
    assert await states(store) == {
        ("closed-to-receipt", "V1", 1): ("MET", False),
        ("receipt-to-shown", "V1", 1): ("SUPERSEDED", False),  # its correction was received before it was shown
        ("closed-to-receipt", "V1", 2): ("MET", False),
        ("receipt-to-shown", "V1", 2): ("MET", False),
        ("closed-to-receipt", "V2", 1): ("NOT_DUE", False),
        ("closed-to-receipt", "V3", 1): ("MET", False),
        ("receipt-to-shown", "V3", 1): ("NOT_DUE", False),
        ("closed-to-receipt", "V4", 1): ("MET", False),
        ("receipt-to-shown", "V4", 1): ("BREACHED", True),
    }


async def test_time_alone_moves_a_clock_at_its_boundaries(store: PostgresDeadlines, now: Now) -> None:
    await store.learn([facts("V4", received_at=T)])

    async def look(at: datetime) -> list[DeadlineState]:
        now.instant = at
        return [change.after.state for change in await store.look()]

    assert await look(T + 12 * HOUR) == [DeadlineState.RUNNING]  # the mark of 50 %
    assert await look(T + 18 * HOUR - SECOND) == []
    assert await look(T + 18 * HOUR) == [DeadlineState.AT_RISK]
    assert await look(T + 22 * HOUR) == [DeadlineState.AT_RISK]  # the mark of 90 %
    assert await look(T + 24 * HOUR) == []  # exactly 24 h is in time
    assert await look(T + 24 * HOUR + SECOND) == [DeadlineState.BREACHED]
    assert await look(T + 48 * HOUR) == []
    await store.learn([facts("V4", displayed_at=T + 49 * HOUR)])
    assert (await states(store))["receipt-to-shown", "V4", 1] == ("BREACHED", True)


async def test_a_change_is_told_until_it_is_known_to_be_on_the_topic(
    store: PostgresDeadlines, news: PostgresNews, now: Now
) -> None:
    await store.learn([facts("V4", received_at=T)])
    (first,) = await news.unannounced()
    (again,) = await news.unannounced()  # the process died between the topic and the table
    assert event_id(first) == event_id(again)
    await news.announced([first])
    assert await news.unannounced() == []
    now.instant = T + 25 * HOUR
    await store.look()
    (breached,) = await news.unannounced()
    assert (breached.state, breached.late) == (DeadlineState.BREACHED, True)
    assert event_id(breached) != event_id(first)


async def test_no_receipt_is_due_for_content_that_the_gateway_has_already(
    store: PostgresDeadlines, now: Now, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await store.learn([facts("V4", closed_at=T)])
    await connection.execute(
        "insert into submission (facility, ma_lk, revision, closed_at, standard, visit_type, insured, person_key_kind,"
        " envelope, envelope_sha256, payload_sha256, certificate_serial, due_at, give_up_at, state, reason) values"
        " ('01999', 'V4', 1, $1, '3176', '01', true, 'CCCD', '', '', '', '', $1, $1, 'NOT_DUE', 'SAME_CONTENT')",
        T,
    )
    await connection.close()
    now.instant = T + HOUR
    (change,) = await store.look()
    assert (change.after.state, change.after.reason) == (DeadlineState.NOT_DUE, "SAME_CONTENT")


async def submitted(pool: "asyncpg.Pool[asyncpg.Record]", ma_lk: str, results: Sequence[str]) -> None:
    """A revision in the ledger, with an attempt for each result, a minute after the other."""
    await pool.execute(
        "with added as (insert into submission (facility, ma_lk, revision, closed_at, standard, visit_type, insured,"
        " person_key_kind, envelope, envelope_sha256, payload_sha256, certificate_serial, due_at, give_up_at, attempts)"
        " values ('01999', $1, 1, $2, '3176', '01', true, 'CCCD', '', '', '', '', $2, $2, $4) returning id)"
        " insert into submission_attempt (submission, number, started_at, endpoint, base64_bytes, envelope_sha256,"
        " certificate_serial, probe, result) select id, number, $2::timestamptz + number * interval '1 minute', '', 1,"
        " '', '', false, result from added, unnest($3::text[]) with ordinality as attempt (result, number)",
        ma_lk,
        T,
        results,
        len(results),
    )


async def test_a_lost_answer_runs_provisionally_from_the_first_sending_until_the_receipt_corrects_it(
    store: PostgresDeadlines, news: PostgresNews, now: Now, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    await submitted(pool, "V5", ["TEMPORARY", "UNKNOWN", "UNKNOWN"])
    await store.learn([facts("V5", closed_at=T)])
    first_lost = T + timedelta(minutes=2)
    shown = "receipt-to-shown"

    async def clock() -> Any:
        return {item.clock: item for item in await store.of_visit("01999", "V5")}[shown]

    found = await clock()
    assert (found.started_at, found.provisional, found.state) == (first_lost, True, DeadlineState.RUNNING)
    assert {item.provisional for item in await news.unannounced() if item.clock == shown} == {True}
    await news.announced(await news.unannounced())

    received = T + timedelta(minutes=3)
    await store.learn([facts("V5", closed_at=T, received_at=received)])
    found = await clock()
    assert (found.started_at, found.provisional, found.due_at) == (received, False, received + 24 * HOUR)
    assert {item.started_at for item in await news.unannounced() if item.clock == shown} == {received}, "it is told"


async def test_the_clock_of_a_visit_looks_again_when_something_was_written_that_no_event_tells(
    store: PostgresDeadlines, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    await store.learn([facts("V5", closed_at=T)])
    await submitted(pool, "V5", ["UNKNOWN"])
    assert await store.look() == []
    async with pool.acquire() as connection:
        await wake(connection, "01999", "V5")
    (change,) = await store.look()
    assert change.after.provisional


async def test_what_is_not_acknowledged_is_offered_again_once_for_each_mark(
    store: PostgresDeadlines, news: PostgresNews, now: Now
) -> None:
    await store.learn([facts("V4", received_at=T, entry_partition=3, entry_offset=17)])
    told = []
    for hours in (11, 12, 13, 18, 23, 25):
        now.instant = T + hours * HOUR
        await store.look()
        again = await news.unoffered()
        assert again == await news.unoffered(), "until it is known to be on the topic"
        if again:
            await news.offered(again)
        told += [(hours, item.version, item.mark, item.entry_partition, item.entry_offset) for item in again]
    assert told == [(12, 1, 50, 3, 17), (18, 1, 75, 3, 17)]
    assert await news.unoffered() == []


async def test_a_processor_that_was_away_offers_once_for_the_highest_mark(
    store: PostgresDeadlines, news: PostgresNews, now: Now
) -> None:
    now.instant = T + 20 * HOUR
    await store.learn([facts("V4", received_at=T, entry_partition=3, entry_offset=17)])
    assert [item.mark for item in await news.unoffered()] == [75]


async def test_the_counts_are_those_of_the_clocks(
    store: PostgresDeadlines, now: Now, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    for hours, told in enumerate([HISTORY[:4], HISTORY[3:], HISTORY]):
        now.instant = T + 13 * hours * HOUR
        await store.learn(told)
    counted = await pool.fetch(
        "select clock, state, stopped_at is null as running, count(*) from deadline group by 1, 2, 3"
    )
    kept = [tuple(row.values()) for row in await PostgresFigures(pool).counts() if row["number"]]
    assert sorted(kept) == sorted(tuple(row) for row in counted)


@pytest.mark.parametrize(
    ("query", "given"),
    [
        (DUE, (T, 1000)),
        (UNANNOUNCED, (500,)),
        (UNOFFERED, (500,)),
        (NEAREST, ("receipt-to-shown",)),
        (OLDEST, ("receipt-to-shown",)),
        (LISTED, ("receipt-to-shown", ["RUNNING"], None, 100)),
        (KNOWN, BATCH),
        (FACTS, BATCH),
    ],
    ids=["due", "unannounced", "unoffered", "nearest", "oldest", "listed", "known", "facts"],
)
async def test_among_many_running_clocks_what_is_asked_for_is_found_by_an_index(
    pool: "asyncpg.Pool[asyncpg.Record]", query: str, given: tuple[Any, ...]
) -> None:
    await pool.execute(
        "insert into deadline"
        " (clock, facility, ma_lk, revision, started_at, due_at, state, late, next_look_at, announced)"
        " select 'receipt-to-shown', '01999', 'M' || n, 1, at, at + interval '1 day', 'RUNNING', false,"
        " at + interval '12 hours', true from (select n, $1::timestamptz + n * interval '1 second' as at"
        " from generate_series(1, 50000) as n) as clock",
        T,
    )
    await pool.execute(
        "insert into deadline_facts (facility, ma_lk, revision) select facility, ma_lk, revision from deadline"
    )
    await pool.execute("analyze deadline, deadline_facts")
    async with pool.acquire() as connection:
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain {query}", *given))
    assert "Seq Scan on deadline" not in plan, plan
    assert "Index" in plan, plan


async def test_what_waits_is_grouped_by_due_time_and_the_prediction_is_kept(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    present = datetime.now(UTC)
    store, figures = PostgresDeadlines(pool, shipped), PostgresFigures(pool)
    starts = [present - 25 * HOUR, present - 5 * HOUR, present - 4 * HOUR, present - 4 * HOUR]
    await store.learn([facts(f"V{number}", received_at=at) for number, at in enumerate(starts)])
    found = await figures.backlog("receipt-to-shown", timedelta(minutes=1))
    assert [item.number for item in found.waiting] == [1, 2], "what is late already is no prediction"
    assert found.busy_since == starts[1]
    gauges = Gauges(figures, shipped)
    await gauges.measure()
    await gauges.predict()
    told = await figures.predicted("receipt-to-shown")
    assert told is not None
    assert (told["running"], told["breaches"]) == (3, 0)
    await store.learn([facts("V0", displayed_at=present)])  # late: what it took was never there for the others
    await gauges.predict()
    again = await figures.predicted("receipt-to-shown")
    assert again is not None
    assert again["per_second"] == 1.0
    await store.learn([facts("V1", displayed_at=present)])
    await gauges.predict()
    again = await figures.predicted("receipt-to-shown")
    assert again is not None
    assert again["per_second"] > 1.0
    sample = REGISTRY.get_sample_value("healthbook_deadline_predicted_breaches", {"clock": "receipt-to-shown"})
    assert sample == 0
    assert REGISTRY.get_sample_value("healthbook_deadlines", {"clock": "receipt-to-shown", "state": "BREACHED"}) == 1


async def test_a_clock_that_is_no_longer_in_force_comes_up_no_more(
    store: PostgresDeadlines, now: Now, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """Nobody moves it: it must not be looked at again and again, before those that are due."""
    await store.learn([facts("V4", received_at=T)])
    others = [clock for clock in shipped() if clock.name != "receipt-to-shown"]
    now.instant = T + 25 * HOUR
    assert await PostgresDeadlines(pool, lambda: others, now).look() == []
    assert await pool.fetch(DUE, now.instant, 10) == []
