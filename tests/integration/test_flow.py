"""flow on real parts: the same counts after kill -9, a second worker, repetition and a replay from the start."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import AdminClient
from prometheus_client import REGISTRY

from events.day import DayCounted, WaitingRevision
from events.envelope import headers
from events.health_book import HealthBookDisplayed
from events.serde import Serde
from events.visit import TableFile, VisitClosed
from infra.embedded.parts import Addresses
from streams.adapters.flow import PostgresFlow
from streams.adapters.rhythms import PostgresRhythms
from streams.runtime.flow import FlowProcessor
from streams.sla.completeness import days
from streams.sla.flow import Progress, Step, hours, merge
from tests.support.eventually import eventually
from tests.support.his import some_facility
from tests.support.stage_process import StageProcess, process
from tests.support.system import forget_offsets

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 11, 2, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def counted(pool: Pool) -> tuple[Counter[Any], Counter[Any]]:
    """flow_hour and completeness as they stand."""
    by_hour = await pool.fetch("select facility, step, hour, revisions from flow_hour where revisions <> 0")
    by_day = await pool.fetch("select facility, day, outcome, revisions from completeness where revisions <> 0")
    return (
        Counter({(row["facility"], row["step"], row["hour"]): row["revisions"] for row in by_hour}),
        Counter({(row["facility"], row["day"], row["outcome"]): row["revisions"] for row in by_day}),
    )


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_repetition_and_batches_end_in_the_same_counts(pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    told = [
        Progress(
            "01999",
            f"V{chance.randrange(4)}",
            chance.randrange(1, 3),
            chance.choice([None, NOON]),
            {step: NOON + chance.randrange(6) * HOUR for step in chance.sample(list(Step), 2)},
        )
        for _ in range(40)
    ]
    expected = merge(told).values()
    again = [*told, *chance.choices(told, k=20)]
    chance.shuffle(again)
    flow = PostgresFlow(pool)
    for start in range(0, len(again), 7):
        await flow.learn(again[start : start + 7], [])
    assert await counted(pool) == (hours(expected), days(expected))
    closed = [item.steps[Step.CLOSED] for item in told if Step.CLOSED in item.steps]
    row = await pool.fetchrow("select first_at, last_at from rhythm")
    assert row is not None
    assert (row["first_at"], row["last_at"]) == (min(closed), max(closed))


def count(number: int, closed: int, *waiting: str) -> DayCounted:
    names = tuple(WaitingRevision(ma_lk, 1, None) for ma_lk in waiting)
    return DayCounted("01999", datetime.now(UTC).date(), "s", number, closed, names, 0, NOON)


async def test_what_adapters_counted_and_nobody_saw_is_a_metric_of_its_facility(pool: Pool) -> None:
    flow = PostgresFlow(pool)
    processor = FlowProcessor(flow, PostgresRhythms(pool), lambda _: True)
    now = datetime.combine(datetime.now(UTC).date(), datetime.min.time(), UTC) + timedelta(hours=1)
    seen = [Progress("01999", f"V{number}", 1, now, {Step.CLOSED: now}) for number in range(3)]
    await flow.learn(seen, [count(9, 5, "V4"), count(8, 7)])  # the higher number counts, not the later word
    await processor.count()
    assert REGISTRY.get_sample_value("healthbook_completeness_missing", {"facility": "01999"}) == 2
    assert REGISTRY.get_sample_value("healthbook_completeness", {"outcome": "pending"}) == 3
    await flow.learn([Progress("01999", f"V{n}", 1, now, {Step.CLOSED: now}) for n in (3, 4)], [])
    await processor.count()
    assert REGISTRY.get_sample_value("healthbook_completeness_missing", {"facility": "01999"}) is None


async def test_flow_is_told_by_stage_and_window(pool: Pool) -> None:
    flow = PostgresFlow(pool)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for number, ago in enumerate([HOUR, 2 * HOUR, 30 * HOUR]):
        await flow.learn([Progress("01999", f"V{number}", 1, hour - ago, {Step.VALIDATED: hour - ago})], [])
    await FlowProcessor(flow, PostgresRhythms(pool), lambda _: True).count()

    def told(window: str, outcome: str = "validated") -> float | None:
        labels = {"stage": "validate", "outcome": outcome, "window": window}
        return REGISTRY.get_sample_value("healthbook_flow_events", labels)

    assert (told("1h"), told("24h"), told("24h", "rejected")) == (1, 2, 0)


async def test_a_facility_that_goes_quiet_while_others_send_is_silent_until_it_is_heard_again(pool: Pool) -> None:
    flow, now = PostgresFlow(pool), datetime.now(UTC).replace(minute=5, second=0, microsecond=0)
    processor = FlowProcessor(flow, PostgresRhythms(pool), lambda _: True)

    async def send(facility: str, since: datetime, until: datetime) -> None:
        told, hour = [], since
        while hour < until:
            told += [Progress(facility, f"{hour}{n}", 1, hour, {Step.CLOSED: hour}) for n in range(12)]
            hour += HOUR
        await flow.learn(told, [])

    for facility in ("01999", "48999"):
        await send(facility, now - timedelta(weeks=6), now - 5 * HOUR)
    await send("48999", now - 5 * HOUR, now + HOUR / 2)
    await processor.learn_rhythms()
    await processor.listen()

    def silent(facility: str) -> float | None:
        return REGISTRY.get_sample_value("healthbook_facility_silent", {"facility": facility})

    assert (silent("01999"), silent("48999")) == (1, 0)
    assert list(await PostgresRhythms(pool).silent(10)) == ["01999"], "the console is told"
    restarted = FlowProcessor(flow, PostgresRhythms(pool), lambda _: True)
    await restarted.listen()
    assert silent("01999") == 1
    await send("01999", now, now + HOUR / 2)
    await restarted.listen()
    assert (silent("01999"), silent("48999")) == (0, 0)
    assert await PostgresRhythms(pool).silent(10) == {}


def story(facility: str, number: int) -> Sequence[VisitClosed | HealthBookDisplayed]:
    """A visit of which a correction is shown and the first revision is not."""
    ma_lk, tables = f"V{number:02}", (TableFile("XML1", b"<TONG_HOP/>"),)
    closed = [VisitClosed(facility, ma_lk, revision, NOON + revision * HOUR, tables) for revision in (1, 2)]
    return [*closed, HealthBookDisplayed(f"{facility}|{ma_lk}", 2, NOON + 3 * HOUR)]


@pytest.mark.timeout(400)
async def test_killed_joined_by_another_and_replayed_it_counts_the_same(
    declared: None, parts: Addresses, pool: Pool, serde: Serde, database_url: str, tmp_path: Path
) -> None:
    def worker(name: str) -> AbstractAsyncContextManager[StageProcess]:
        home = tmp_path / name
        home.mkdir()
        return process("flow", parts, database_url, home)

    facility = some_facility()
    events = [event for number in range(60) for event in story(facility, number)]
    async with worker("first") as first:
        await send(parts, serde, events[:60])
        await eventually(lambda: known(pool, facility, 10), timeout=120)
        sending = asyncio.create_task(send(parts, serde, events[60:120]))
        first.child.send_signal(signal.SIGKILL)
        await first.child.wait()
        await sending
    async with worker("second") as second, worker("third") as third:
        await eventually(lambda: joined(parts.kafka, 2), timeout=60, message="two workers")
        await send(parts, serde, events[120:])  # partitions have moved
        await send(parts, serde, random.Random(1).sample(events, 40))  # some of them once more
        await eventually(lambda: displayed(pool, facility, 60), timeout=120)
        outcomes = await sums(pool, facility)
        assert outcomes == {(date(2026, 11, 2), "superseded"): 60, (date(2026, 11, 2), "displayed"): 60}
        by_step = await steps(pool, facility)
        assert by_step == {"closed": 120, "displayed": 60}
        assert (await second.terminate(), await third.terminate()) == (0, 0)

    before = await facts(pool, facility)
    await pool.execute("truncate flow_facts, flow_hour, completeness, rhythm, day_count")
    await forget_offsets(parts.kafka, "flow")
    async with worker("again"):
        await eventually(lambda: displayed(pool, facility, 60), timeout=120)
        assert (await sums(pool, facility), await steps(pool, facility)) == (outcomes, by_step)
        assert await facts(pool, facility) == before


async def send(parts: Addresses, serde: Serde, events: Sequence[Any]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=parts.kafka) as producer:
        for event in events:
            await producer.send_and_wait(
                event.topic, serde.encode(event), event.key.encode(), headers=headers(event, NOON)
            )


async def joined(bootstrap: str, members: int) -> bool:
    admin = AdminClient({"bootstrap.servers": bootstrap})  # kept: without it there is no answer
    (answer,) = admin.describe_consumer_groups(["flow"]).values()
    group = await asyncio.to_thread(answer.result)
    return len(group.members) == members and group.state.name == "STABLE"


async def known(pool: Pool, facility: str, number: int) -> bool:
    return len(await facts(pool, facility)) >= number


async def displayed(pool: Pool, facility: str, number: int) -> bool:
    rows = await facts(pool, facility)
    return len(rows) == 2 * number and sum(row[-1] is not None for row in rows) == number


async def facts(pool: Pool, facility: str) -> list[tuple[Any, ...]]:
    rows = await pool.fetch(
        "select ma_lk, revision, closed_at, closed, displayed from flow_facts where facility = $1 order by 1, 2",
        facility,
    )
    return [tuple(row) for row in rows]


async def sums(pool: Pool, facility: str) -> dict[tuple[date, str], int]:
    rows = await pool.fetch("select * from completeness where facility = $1 and revisions <> 0", facility)
    return {(row["day"], row["outcome"]): row["revisions"] for row in rows}


async def steps(pool: Pool, facility: str) -> dict[str, int]:
    rows = await pool.fetch(
        "select step, sum(revisions)::bigint as number from flow_hour where facility = $1 group by step", facility
    )
    return {row["step"]: row["number"] for row in rows}
