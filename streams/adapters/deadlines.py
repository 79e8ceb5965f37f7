"""Where the clocks are kept (tables `deadline_facts` and `deadline`): the truth of the processor `deadlines`.

What it tells of them: `deadline_news.py`. What is counted: `deadline_figures.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from functools import reduce
from itertools import groupby
from typing import Any

import asyncpg

from events.deadline import DeadlineState
from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.sla.calendar import Decreed, nothing_decreed
from streams.sla.clock import Clock
from streams.sla.deadline import Deadline, deadlines
from streams.sla.facts import Facts, merge

_ONE_AT_A_TIME = 0x646C  # advisory lock: two workers must not compute one visit's clocks from half of its facts

_TOLD = {
    "facility": "text",
    "ma_lk": "text",
    "revision": "bigint",
    "closed_at": "timestamptz",
    "received_at": "timestamptz",
    "displayed_at": "timestamptz",
    "stopped_by": "text",
    "not_due_because": "text",
    "late_verdict_at": "timestamptz",
    "entry_partition": "integer",
    "entry_offset": "bigint",
}
"""The facts that events tell, as columns."""

_ADD_FACTS = f"""
insert into deadline_facts as known ({", ".join(_TOLD)})
select * from unnest({", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_TOLD.values(), 1))})
on conflict (facility, ma_lk, revision) do update set
    {", ".join(f"{name} = least(known.{name}, excluded.{name})" for name in list(_TOLD)[3:])}
"""  # noqa: S608 - put together from constants
# What no event tells the ledger and table `hold` know: that the gateway has the same content already (GATEWAY §12.4),
# that a person gave a held revision up, that the answer to a sending was lost (HEALTHBOOK §5), that it names nobody.
# `offset 0` and `limit 1`: each visit by its index; for a batch the planner would rather read the whole table.
FACTS = """
select facts.facility, facts.ma_lk, facts.revision, facts.closed_at, facts.received_at, facts.displayed_at,
    coalesce(
        facts.stopped_by, case when sent.state = 'NOT_DUE' then sent.reason end,
        (select min(hold.reason) from hold where state = 'NOT_DUE' and (hold.facility, hold.ma_lk, hold.revision)
            = (facts.facility, facts.ma_lk, facts.revision))
    ) as stopped_by,
    coalesce(facts.not_due_because, case when sent.person_key_kind = 'NONE' then 'NO_IDENTIFIER' end)
        as not_due_because,
    facts.late_verdict_at, facts.entry_partition, facts.entry_offset, sent.lost_since
from unnest($1::text[], $2::text[]) as visit (facility, ma_lk) cross join lateral (
    select * from deadline_facts
    where (deadline_facts.facility, deadline_facts.ma_lk) = (visit.facility, visit.ma_lk) offset 0
) as facts left join lateral (
    select state, reason, person_key_kind, (
        select min(started_at) from submission_attempt
        where submission = submission.id and (result = 'UNKNOWN' or late)
    ) as lost_since
    from submission
    where (submission.facility, submission.ma_lk, submission.revision) = (facts.facility, facts.ma_lk, facts.revision)
    limit 1
) as sent on true
order by 1, 2, 3
"""
_COLUMNS = tuple(field.name for field in fields(Deadline))
KNOWN = f"""
select {", ".join(f"known.{name}" for name in _COLUMNS)}
from unnest($1::text[], $2::text[]) as visit (facility, ma_lk) cross join lateral (
    select * from deadline where (deadline.facility, deadline.ma_lk) = (visit.facility, visit.ma_lk) offset 0
) as known
"""  # noqa: S608
# To be told again: a state, a mark or a start that is new.
_WRITE = f"""
insert into deadline ({", ".join(_COLUMNS)})
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::text[],
    $8::timestamptz[], $9::boolean[], $10::text[], $11::timestamptz[], $12::integer[], $13::boolean[], $14::integer[])
on conflict (facility, ma_lk, revision, clock) do update set
    {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[4:])},
    announced = deadline.announced and (deadline.state, deadline.warned, deadline.started_at)
        is not distinct from (excluded.state, excluded.warned, excluded.started_at)
"""  # noqa: S608
# A clock whose policy is no longer in force: nobody moves it, so it must not come up again and again.
_REST = """
update deadline set next_look_at = null
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as rest (clock, facility, ma_lk, revision)
where (deadline.facility, deadline.ma_lk, deadline.revision, deadline.clock)
    = (rest.facility, rest.ma_lk, rest.revision, rest.clock)
"""
_COUNT = """
insert into deadline_count as known (clock, state, running, number)
select * from unnest($1::text[], $2::text[], $3::boolean[], $4::bigint[])
on conflict (clock, state, running) do update set number = known.number + excluded.number
"""
DUE = """
select distinct facility, ma_lk from (
    select facility, ma_lk from deadline where next_look_at <= $1 order by next_look_at limit $2
) as due
"""
_WOKEN = """
delete from deadline_wake where id in (select id from deadline_wake order by id limit $1) returning facility, ma_lk
"""
_WAKE = "insert into deadline_wake (facility, ma_lk) values ($1, $2)"


@dataclass(frozen=True, slots=True)
class Change:
    """A clock before (None: it did not run) and after."""

    before: Deadline | None
    after: Deadline


class PostgresDeadlines:
    """Facts in, clocks out, in one transaction each time. `now` is for tests: else it is the database's time."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clocks: Callable[[], Sequence[Clock]],
        now: Callable[[], datetime] | None = None,
        decreed: Decreed = nothing_decreed,
    ) -> None:
        self._decreed = decreed
        self._pool = pool
        self._clocks = clocks
        self._now = now

    @property
    def clocks(self) -> list[str]:
        """Names of the clocks that it keeps."""
        return [clock.name for clock in self._clocks()]

    async def learn(self, facts: Sequence[Facts]) -> list[Change]:
        """Adds facts and moves the clocks of their visits. Raises RetryLater while the database is away."""
        by_revision: dict[tuple[str, str, int], list[Facts]] = defaultdict(list)
        for item in facts:
            by_revision[item.facility, item.ma_lk, item.revision].append(item)
        merged = [reduce(merge, items) for items in by_revision.values()]
        return await patiently(lambda: self._learn(merged), "database") if merged else []

    async def look(self, limit: int = 1000) -> list[Change]:
        """Moves the clocks whose time has come, and those that were woken; at most `limit` of each."""
        return await patiently(lambda: self._look(limit), "database")

    async def of_visit(self, facility: str, ma_lk: str) -> list[Deadline]:
        """All clocks of one visit."""
        rows = await self._pool.fetch(KNOWN, [facility], [ma_lk])
        return sorted(map(deadline_of, rows), key=lambda deadline: (deadline.revision, deadline.clock))

    async def _learn(self, merged: Sequence[Facts]) -> list[Change]:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
            await connection.execute(_ADD_FACTS, *columns([[getattr(item, name) for name in _TOLD] for item in merged]))
            visits = {(facts.facility, facts.ma_lk) for facts in merged}
            return await self._move(connection, visits, await self._present(connection))

    async def _look(self, limit: int) -> list[Change]:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
            now = await self._present(connection)
            rows = [*await connection.fetch(DUE, now, limit), *await connection.fetch(_WOKEN, limit)]
            return await self._move(connection, {(row["facility"], row["ma_lk"]) for row in rows}, now)

    async def _present(self, connection: Connection) -> datetime:
        if self._now is not None:
            return self._now()
        now: datetime = await connection.fetchval("select statement_timestamp()")
        return now

    async def _move(self, connection: Connection, visits: set[tuple[str, str]], now: datetime) -> list[Change]:
        if not visits:
            return []
        keys = columns(sorted(visits))
        facts = [Facts(**row) for row in await connection.fetch(FACTS, *keys)]
        known = {found.key: found for found in map(deadline_of, await connection.fetch(KNOWN, *keys))}
        clocks = self._clocks()
        told = {
            after.key: after
            for _, visit in groupby(facts, key=lambda item: (item.facility, item.ma_lk))
            for after in deadlines(list(visit), clocks, now, self._decreed)
        }
        changes = [Change(known.get(key), after) for key, after in told.items() if known.get(key) != after]
        if ended := [key for key, before in known.items() if key not in told and before.next_look_at is not None]:
            await connection.execute(_REST, *columns(ended))
        if changes:
            await connection.execute(_WRITE, *columns([astuple(change.after) for change in changes]))
            if counts := _counted(changes):
                await connection.execute(_COUNT, *columns(counts))
        return changes


async def wake(connection: Connection, facility: str, ma_lk: str) -> None:
    """Inside the caller's transaction: what it wrote about a visit moves its clocks, also those that had ended."""
    await connection.execute(_WAKE, facility, ma_lk)


def deadline_of(row: asyncpg.Record) -> Deadline:
    """A row of `deadline`."""
    return Deadline(**{**row, "state": DeadlineState(row["state"])})


def columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows as arrays for `unnest`."""
    return [list(column) for column in zip(*rows, strict=True)]


def _counted(changes: Sequence[Change]) -> list[tuple[str, str, bool, int]]:
    """What the changes add to, and take from, the counts."""
    found: Counter[tuple[str, str, bool]] = Counter()
    for change in changes:
        for side, number in ((change.before, -1), (change.after, 1)):
            if side is not None:
                found[side.clock, str(side.state), side.running] += number
    return [(*key, number) for key, number in sorted(found.items()) if number]
