"""Migrations of a database that has rows: they mean what they meant."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest

from streams.adapters import postgres
from streams.adapters.outages import listed
from streams.domain.outage import FoundBy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
T = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(empty_database_url, min_size=1, max_size=2) as opened:
        yield opened


async def migrated_before(pool: Pool, number: str) -> None:
    """The database as it was before the migration of this number."""
    earlier = [path for path in sorted(postgres.MIGRATIONS.glob("[0-9]*.sql")) if path.name < number]
    await pool.execute("create table migration (name text primary key, applied_at timestamptz default now())")
    for path in earlier:
        await pool.execute(path.read_text(encoding="utf-8"))
        await pool.execute("insert into migration (name) values ($1)", path.stem)


async def test_a_clock_that_had_passed_marks_before_there_were_marks_does_not_tell_them_again(empty: Pool) -> None:
    await migrated_before(empty, "0016")
    for ma_lk, stopped_after, late in (("MET", 19, False), ("LATE", None, True), ("RUNS", None, False)):
        await empty.execute(
            "insert into deadline (clock, facility, ma_lk, revision, started_at, due_at, state, stopped_at, late)"
            " values ('receipt-to-shown', '01999', $1, 1, $2::timestamptz, $2 + interval '24 hours', 'MET', $3, $4)",
            ma_lk,
            T,
            stopped_after and T + stopped_after * HOUR,
            late,
        )
    await postgres.migrate(empty)
    rows = await empty.fetch("select ma_lk, warned from deadline")
    assert {row["ma_lk"]: row["warned"] for row in rows} == {"MET": 75, "LATE": 90, "RUNS": 0}


async def test_an_outage_that_a_breaker_had_found_was_found_in_the_attempts(empty: Pool) -> None:
    await migrated_before(empty, "0018")
    for found_by in ("breaker", "person"):
        await empty.execute(
            "insert into outage (subject, from_at, until_at, found_by, cause) values ('gateway', $1, $1, $2, '-')",
            T,
            found_by,
        )
    await postgres.migrate(empty)
    found = await listed(empty, None, T, 10)
    assert {outage.found_by for outage in found} == {FoundBy.ATTEMPTS, FoundBy.PERSON}
