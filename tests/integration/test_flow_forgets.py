"""flow forgets what no figure needs: all figures stay, and what it forgot does not come back when it is told again."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import pytest
from prometheus_client import REGISTRY

from events.health_book import HealthBookDisplayed
from streams.adapters.flow import PostgresFlow
from streams.adapters.rhythms import PostgresRhythms
from streams.runtime.flow import FlowProcessor
from streams.runtime.loop import Received
from streams.sla.flow import FIGURED, ClosedHead, ValidatedHead, progress
from streams.sla.silence import LEARNED_FROM

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
FACILITY = "01999"


@dataclass(frozen=True)
class Record:
    """As much of a Kafka record as flow looks at: when it was sent, in milliseconds."""

    timestamp: float


def processor(pool: Pool) -> FlowProcessor:
    return FlowProcessor(PostgresFlow(pool), PostgresRhythms(pool), lambda _: True)


def received(event: Any, at: datetime) -> Received[Any]:
    return Received(event, None, Record(at.timestamp() * 1000))


def story(ma_lk: str, closed: datetime, shown_after: timedelta, corrected_after: timedelta | None) -> Iterator[Any]:
    """A visit that was shown once, and perhaps corrected: each event with the time of its record."""
    for revision, at in enumerate([closed] + ([closed + corrected_after] if corrected_after else []), 1):
        yield received(ClosedHead(FACILITY, ma_lk, revision, at), at)
        yield received(ValidatedHead(FACILITY, ma_lk, revision, at), at + HOUR)
    yield received(HealthBookDisplayed(f"{FACILITY}|{ma_lk}", 1, closed + shown_after), closed + shown_after)


def twenty_weeks(chance: random.Random, now: datetime) -> list[Received[Any]]:
    """Visits of each of the last days; some are shown, or corrected, many weeks after they closed."""
    told: list[Received[Any]] = []
    for days in range(140):
        for number in range(3):
            closed = now - timedelta(days=days) - chance.randrange(24) * HOUR
            shown = chance.choice([2 * HOUR, 30 * HOUR, chance.randrange(days + 1) * timedelta(days=1)])
            corrected = chance.choice([None, 5 * HOUR, chance.randrange(days + 1) * timedelta(days=1)])
            told += story(f"{days}-{number}", closed, shown, corrected or None)
    return [item for item in told if item.timestamp < now]


async def learnt(pool: Pool, told: Sequence[Received[Any]]) -> None:
    """What `flow` had learnt while all of this happened."""
    facts = [found for item in told if (found := progress(item.event, item.timestamp))]
    for start in range(0, len(facts), 100):
        await PostgresFlow(pool).learn(facts[start : start + 100], [])


async def figures(pool: Pool) -> dict[Any, Any]:
    """Everything that is told to anybody: the metrics, and what the facilities' rhythms are learnt from."""
    flow = processor(pool)
    await flow.count()
    await pool.execute("update rhythm set learned_at = null")
    await flow.learn_rhythms()
    metrics = {
        (sample.name, *sample.labels.items()): sample.value
        for metric in REGISTRY.collect()
        if metric.name in ("healthbook_flow_events", "healthbook_completeness", "healthbook_completeness_missing")
        for sample in metric.samples
    }
    return metrics | {
        row["facility"]: (row["last_at"], row["expected"]) for row in await pool.fetch("select * from rhythm")
    }


async def visits(pool: Pool) -> set[str]:
    return {row["ma_lk"] for row in await pool.fetch("select distinct ma_lk from flow_facts")}


async def forget_all(pool: Pool) -> int:
    """Until nothing is left to forget; answers how often it took a little."""
    times, left = 0, -1
    while (rows := await pool.fetchval("select count(*) from flow_facts")) != left:
        times, left = times + 1, rows
        await PostgresFlow(pool).forget(datetime.now(UTC) - FIGURED - timedelta(days=1), 50)
    return times


@pytest.mark.parametrize("seed", range(3))
async def test_no_figure_changes_and_a_replay_brings_nothing_back(pool: Pool, seed: int) -> None:
    now = datetime.now(UTC)
    told = twenty_weeks(random.Random(seed), now)
    await learnt(pool, told)
    before = await figures(pool)
    newest: dict[str, datetime] = {}
    for item in told:
        ma_lk = item.event.key.split("|")[1]
        newest[ma_lk] = max(item.timestamp, newest.get(ma_lk, item.timestamp))
    needed = {ma_lk for ma_lk, at in newest.items() if at >= now - FIGURED - timedelta(days=1)}
    assert 0 < len(needed) < len(newest)

    assert await forget_all(pool) > 3, "a little at a time"
    assert await visits(pool) == needed
    assert await figures(pool) == before

    again = [*told, *random.Random(seed).sample(told, 100)]
    random.Random(seed).shuffle(again)
    for start in range(0, len(again), 200):
        await processor(pool).learn(again[start : start + 200])
    assert await visits(pool) == needed
    assert await figures(pool) == before


async def test_tables_made_anew_from_the_topics_tell_the_same_figures(pool: Pool) -> None:
    told = twenty_weeks(random.Random(7), datetime.now(UTC))
    await learnt(pool, told)
    before = await figures(pool)
    await pool.execute("truncate flow_facts, flow_hour, completeness, rhythm, day_count")
    await processor(pool).learn(told)
    assert await figures(pool) == before


async def test_a_correction_of_a_forgotten_visit_counts_as_what_it_is(pool: Pool) -> None:
    now = datetime.now(UTC)
    await learnt(pool, list(story("V1", now - 20 * WEEK, HOUR, None)))
    await forget_all(pool)
    assert await visits(pool) == set()
    await processor(pool).learn([received(ClosedHead(FACILITY, "V1", 2, now), now)])
    assert (await figures(pool))["healthbook_completeness", ("outcome", "pending")] == 1


async def test_days_whose_outcomes_nobody_reads_go_and_those_of_this_week_stay(pool: Pool) -> None:
    now = datetime.now(UTC)
    await learnt(pool, [*story("OLD", now - 20 * WEEK, HOUR, None), *story("NEW", now - 5 * HOUR, HOUR, None)])
    await forget_all(pool)
    rows = await pool.fetch("select outcome from completeness where revisions > 0")
    assert [row["outcome"] for row in rows] == ["displayed"]


async def test_hours_from_which_no_rhythm_is_learned_go(pool: Pool) -> None:
    now = datetime.now(UTC)
    await learnt(pool, [*story("OLD", now - LEARNED_FROM - WEEK, HOUR, None), *story("NEW", now - WEEK, HOUR, None)])
    await processor(pool).learn_rhythms()
    first = await pool.fetchval("select min(hour) from flow_hour")
    assert first > now - LEARNED_FROM


def test_what_rhythms_are_learned_from_is_not_passed_over() -> None:
    assert FIGURED > LEARNED_FROM
