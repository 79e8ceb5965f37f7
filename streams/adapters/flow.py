"""What `flow` keeps (tables `flow_facts`, `flow_hour`, `completeness`): facts and their counts, in one transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import asyncpg

from events.day import DayCounted
from streams.adapters.day_counts import add_counts
from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.adapters.rhythms import heard
from streams.sla.completeness import days
from streams.sla.flow import Progress, Step, hours, merge

_ONE_AT_A_TIME = 0x666C6F77  # advisory lock: two workers must not count from half of a visit's facts

_STEPS = {step: step.replace("-", "_") for step in Step}
_COLUMNS = ("facility", "ma_lk", "revision", "closed_at", *_STEPS.values())

_KNOWN = f"""
select {", ".join(_COLUMNS)} from flow_facts
join unnest($1::text[], $2::text[]) as visit (facility, ma_lk) using (facility, ma_lk)
order by facility, ma_lk, revision
"""  # noqa: S608 - put together from constants
_WRITE = f"""
insert into flow_facts ({", ".join(_COLUMNS)})
select * from unnest($1::text[], $2::text[], $3::bigint[], {
    ", ".join(f"${number}::timestamptz[]" for number in range(4, len(_COLUMNS) + 1))
})
on conflict (facility, ma_lk, revision) do update set {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[3:])}
"""  # noqa: S608
_COUNT_HOURS = """
insert into flow_hour as known (facility, step, hour, revisions)
select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[])
on conflict (facility, step, hour) do update set revisions = known.revisions + excluded.revisions
"""
_COUNT_DAYS = """
insert into completeness as known (facility, day, outcome, revisions)
select * from unnest($1::text[], $2::date[], $3::text[], $4::bigint[])
on conflict (facility, day, outcome) do update set revisions = known.revisions + excluded.revisions
"""
# All revisions of a visit go together: one says what became of another.
_FORGET = """
with quiet as (
    select facility, ma_lk from flow_facts as fact
    where first_at < $1 and last_at < $1 and not exists (
        select from flow_facts as other
        where (other.facility, other.ma_lk) = (fact.facility, fact.ma_lk) and other.last_at >= $1
    )
    order by first_at limit $2
)
delete from flow_facts where (facility, ma_lk) in (select facility, ma_lk from quiet)
"""
_FORGET_DAYS = """
delete from completeness where ctid = any(array(select ctid from completeness where day < $1 limit $2))
"""
_FLOW = """
select step, sum(revisions)::bigint as day, coalesce(sum(revisions) filter (where hour >= $2), 0)::bigint as hour
from flow_hour where hour >= $1 and hour < $3 group by step
"""
_OUTCOMES = "select outcome, sum(revisions)::bigint as number from completeness where day >= $1 group by outcome"
_MISSING = """
select facility, sum(counted - known)::bigint as number
from (
    select facility, day, sum(closed)::bigint as counted, (
        select coalesce(sum(revisions), 0) from completeness
        where completeness.facility = day_count.facility and completeness.day = day_count.day
    )::bigint as known
    from day_count where day >= $1 group by facility, day
) as told
where counted > known group by facility order by number desc limit $2
"""


class PostgresFlow:
    """Facts in, counts moved. Everything raises RetryLater while the database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def learn(self, told: Sequence[Progress], counts: Sequence[DayCounted]) -> None:
        """Adds what was told; a repeat changes nothing."""
        await patiently(lambda: self._learn(told, counts), "database")

    async def forget(self, before: datetime, most: int) -> None:
        """Takes out facts of visits of which nothing was told since, and the outcomes of days before; not their hours.

        About so many rows at once. A count that anybody reads stays as it is.
        """

        async def forget() -> None:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
                await connection.execute(_FORGET, before, most)
                await connection.execute(_FORGET_DAYS, before.date(), most)

        await patiently(forget, "database")

    async def flow(self, day_ago: datetime, hour_ago: datetime, until: datetime) -> list[asyncpg.Record]:
        """By `step`: how many revisions took it since `day_ago` (`day`) and since `hour_ago` (`hour`)."""
        return await patiently(lambda: self._pool.fetch(_FLOW, day_ago, hour_ago, until), "database")

    async def outcomes(self, since: date) -> dict[str, int]:
        """How many revisions ended how, of visits that closed on that day or later."""
        rows = await patiently(lambda: self._pool.fetch(_OUTCOMES, since), "database")
        return {row["outcome"]: row["number"] for row in rows}

    async def missing(self, since: date, most: int) -> dict[str, int]:
        """By facility: how many that its adapters counted were never seen; `most` facilities, the worst first."""
        rows = await patiently(lambda: self._pool.fetch(_MISSING, since, most), "database")
        return {row["facility"]: row["number"] for row in rows}

    async def _learn(self, told: Sequence[Progress], counts: Sequence[DayCounted]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            if told:
                await connection.execute("select pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
                await _move(connection, told)
            await add_counts(connection, counts)


async def _move(connection: Connection, told: Sequence[Progress]) -> None:
    await heard(connection, [(item.facility, at) for item in told if (at := item.steps.get(Step.CLOSED))])
    visits = sorted({(item.facility, item.ma_lk) for item in told})
    before = {item.key: item for item in map(_progress, await connection.fetch(_KNOWN, *_columns(visits)))}
    after = merge([*before.values(), *told])
    changed = [item for key, item in after.items() if item != before.get(key)]
    if not changed:
        return
    await connection.execute(_WRITE, *_columns([_row(item) for item in changed]))
    await _count(connection, _COUNT_HOURS, _moved(hours(before.values()), hours(after.values())))
    await _count(connection, _COUNT_DAYS, _moved(days(before.values()), days(after.values())))


def _moved(before: Counter[Any], after: Counter[Any]) -> dict[Any, int]:
    return {key: after[key] - before[key] for key in before.keys() | after.keys() if after[key] != before[key]}


async def _count(connection: Connection, sql: str, moved: Mapping[Any, int]) -> None:
    if moved:
        await connection.execute(sql, *_columns([(*key, number) for key, number in sorted(moved.items())]))


def _progress(row: asyncpg.Record) -> Progress:
    steps = {step: row[name] for step, name in _STEPS.items() if row[name] is not None}
    return Progress(row["facility"], row["ma_lk"], row["revision"], row["closed_at"], steps)


def _row(item: Progress) -> tuple[Any, ...]:
    return (*item.key, item.closed_at, *(item.steps.get(step) for step in _STEPS))


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
