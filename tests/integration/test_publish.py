"""publish on real PostgreSQL: each accepted revision is decided once, versions rise, and nothing is done by halves."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest

from events.health_book import EntryState, HealthBookEntry
from events.serde import Serde
from events.visit import PersonKeyKind, VisitAccepted
from streams.adapters.outbox import Outbox
from streams.adapters.postgres import patiently
from streams.adapters.publications import PostgresPublications
from streams.domain.privacy_rules import rules_on
from streams.domain.projection import project
from streams.domain.projection_versions import NO_IDENTIFIER
from streams.errors import RetryLater
from tests.support.health_book import DAY, accepted, dossier

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Decided = tuple[VisitAccepted, HealthBookEntry | None]


@pytest.fixture
def publications(pool: Pool, serde: Serde) -> PostgresPublications:
    return PostgresPublications(pool, Outbox(serde))


def revision(number: int, ma_lk: str = "TEST-1", *, kind: PersonKeyKind = PersonKeyKind.CCCD) -> Decided:
    visit = accepted(number, ma_lk=ma_lk, person_key_kind=kind)
    named = kind is not PersonKeyKind.NONE
    return visit, project(visit, dossier(), rules_on(DAY), lambda _: None) if named else None


async def on_the_bus(pool: Pool, serde: Serde, ma_lk: str = "TEST-1") -> list[HealthBookEntry]:
    rows = await pool.fetch(
        "select value from outbox where topic = $1 and key = $2 order by seq", HealthBookEntry.topic, f"01999|{ma_lk}"
    )
    return [await serde.decode(HealthBookEntry, row["value"]) for row in rows]


async def outcomes(pool: Pool, ma_lk: str = "TEST-1") -> dict[int, tuple[str, str | None]]:
    rows = await pool.fetch("select revision, outcome, reason from publication_revision where ma_lk = $1", ma_lk)
    return {row["revision"]: (row["outcome"], row["reason"]) for row in rows}


async def test_newer_revision_supersedes_and_an_older_one_is_history(
    publications: PostgresPublications, pool: Pool, serde: Serde
) -> None:
    for number in (1, 3, 2):
        await publications.add([revision(number)])
    assert [entry.version for entry in await on_the_bus(pool, serde)] == [1, 3]
    assert await outcomes(pool) == {1: ("PUBLISHED", None), 3: ("PUBLISHED", None), 2: ("HISTORY", None)}


async def test_batch_again_after_a_crash_before_the_kafka_commit_changes_nothing(
    publications: PostgresPublications, pool: Pool, serde: Serde
) -> None:
    batch = [revision(1), revision(2), revision(1, "TEST-2"), revision(1, "TEST-3", kind=PersonKeyKind.NONE)]
    await publications.add(batch)
    once = await pool.fetch("select * from outbox order by topic, partition, seq")
    await publications.add(batch)
    assert await pool.fetch("select * from outbox order by topic, partition, seq") == once
    assert [entry.version for entry in await on_the_bus(pool, serde)] == [1, 2]


async def test_batch_leaves_nothing_when_it_fails_at_the_end(publications: PostgresPublications, pool: Pool) -> None:
    await pool.execute("alter table outbox add constraint full_disk check (false)")
    with pytest.raises(asyncpg.CheckViolationError):
        await publications.add([revision(1)])
    assert await outcomes(pool) == {}
    assert await pool.fetchval("select count(*) from publication") == 0


@pytest.mark.parametrize("seed", range(8))
async def test_versions_rise_whatever_the_order_the_repeats_and_the_overlap(
    seed: int, publications: PostgresPublications, pool: Pool, serde: Serde
) -> None:
    chance = random.Random(seed)
    visits = [revision(number, ma_lk) for ma_lk in ("TEST-1", "TEST-2", "TEST-3") for number in range(1, 6)]
    arrivals = chance.choices(visits, k=60)

    async def consume(mine: Sequence[Decided]) -> None:
        for start in range(0, len(mine), 7):
            await publications.add(mine[start : start + 7])

    # A consumer that was thought dead goes on beside its successor.
    await asyncio.gather(consume(arrivals), consume(chance.sample(arrivals, k=len(arrivals))))
    for ma_lk in ("TEST-1", "TEST-2", "TEST-3"):
        came = {visit.revision for visit, _ in arrivals if visit.ma_lk == ma_lk}
        versions = [entry.version for entry in await on_the_bus(pool, serde, ma_lk)]
        assert versions == sorted(set(versions))
        assert versions[-1] == max(came)
        assert set(await outcomes(pool, ma_lk)) == came


async def test_visit_without_identifier_is_not_due_and_nothing_is_published(
    publications: PostgresPublications, pool: Pool, serde: Serde
) -> None:
    await publications.add([revision(1, kind=PersonKeyKind.NONE)])
    assert await on_the_bus(pool, serde) == []
    assert await outcomes(pool) == {1: ("NOT_DUE", NO_IDENTIFIER)}


async def test_correction_without_identifier_withdraws_what_was_shown(
    publications: PostgresPublications, pool: Pool, serde: Serde
) -> None:
    await publications.add([revision(1), revision(2, kind=PersonKeyKind.NONE)])
    shown, withdrawn = await on_the_bus(pool, serde)
    assert (shown.version, shown.state) == (1, EntryState.ACTIVE)
    assert (withdrawn.version, withdrawn.state) == (2, EntryState.WITHDRAWN)
    assert (withdrawn.person, withdrawn.visit, withdrawn.summary, withdrawn.papers) == (None, None, None, ())


async def test_published_entry_carries_the_time_of_the_database(
    publications: PostgresPublications, pool: Pool, serde: Serde
) -> None:
    await publications.add([revision(1)])
    (entry,) = await on_the_bus(pool, serde)
    assert entry.clock.published_at is not None
    assert abs(entry.clock.published_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_database_that_is_away_means_later(database_url: str, serde: Serde) -> None:
    async with asyncpg.create_pool(database_url, min_size=1) as pool:
        await pool.close()
        with pytest.raises(RetryLater):
            await PostgresPublications(pool, Outbox(serde)).add([revision(1)])


@pytest.mark.parametrize(
    "statement", ["create table x ()", "select * from not_migrated_yet", "select pg_cancel_backend(pg_backend_pid())"]
)
async def test_a_database_that_cannot_be_used_for_now_means_later(pool: Pool, statement: str) -> None:
    async def work() -> None:
        async with pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(statement)

    with pytest.raises(RetryLater):
        await patiently(work, "database")
