"""Where the clocks are kept (tables `deadline_facts` and `deadline`): the truth of the processor `deadlines`."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from functools import reduce
from itertools import groupby
from typing import Any

import asyncpg

from events.deadline import DeadlineChanged, DeadlineState
from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.sla.calendar import Decreed, nothing_decreed
from streams.sla.deadline import Clock, Deadline, Facts, deadlines
from streams.sla.facts import merge

_ONE_AT_A_TIME = 0x646C  # advisory lock: two workers must not compute one visit's clocks from half of its facts

_ADD_FACTS = """
insert into deadline_facts as known
    (facility, ma_lk, revision, closed_at, received_at, displayed_at, stopped_by, not_due_because, late_verdict_at)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
    $7::text[], $8::text[], $9::timestamptz[])
on conflict (facility, ma_lk, revision) do update set
    closed_at = least(known.closed_at, excluded.closed_at),
    received_at = least(known.received_at, excluded.received_at),
    displayed_at = least(known.displayed_at, excluded.displayed_at),
    stopped_by = least(known.stopped_by, excluded.stopped_by),
    not_due_because = least(known.not_due_because, excluded.not_due_because),
    late_verdict_at = least(known.late_verdict_at, excluded.late_verdict_at)
"""
# No event tells that the gateway has the same content already (GATEWAY §12.4), or that a person gave a held revision
# up: the ledger knows, and table `hold` what never came so far.
_FACTS = """
select facility, ma_lk, revision, deadline_facts.closed_at, received_at, displayed_at,
    coalesce(
        stopped_by, case when submission.state = 'NOT_DUE' then submission.reason end,
        (select min(hold.reason) from hold where state = 'NOT_DUE' and (hold.facility, hold.ma_lk, hold.revision)
            = (deadline_facts.facility, deadline_facts.ma_lk, deadline_facts.revision))
    ) as stopped_by,
    not_due_because, late_verdict_at
from deadline_facts join unnest($1::text[], $2::text[]) as visit (facility, ma_lk) using (facility, ma_lk)
left join submission using (facility, ma_lk, revision)
order by facility, ma_lk, revision
"""
_KNOWN = """
select clock, facility, ma_lk, revision, started_at, due_at, state, stopped_at, late, reason, next_look_at
from deadline join unnest($1::text[], $2::text[]) as visit (facility, ma_lk) using (facility, ma_lk)
"""
_WRITE = """
insert into deadline
    (clock, facility, ma_lk, revision, started_at, due_at, state, stopped_at, late, reason, next_look_at)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::text[],
    $8::timestamptz[], $9::boolean[], $10::text[], $11::timestamptz[])
on conflict (clock, facility, ma_lk, revision) do update set
    started_at = excluded.started_at, due_at = excluded.due_at, state = excluded.state,
    stopped_at = excluded.stopped_at, late = excluded.late, reason = excluded.reason,
    next_look_at = excluded.next_look_at
"""
_DUE = "select distinct facility, ma_lk from deadline where next_look_at <= $1 limit $2"
# Long ago by every clock, so that it comes up at the next look.
_LOOK_AGAIN = "update deadline set next_look_at = started_at where facility = $1 and ma_lk = $2 and revision = $3"
_UNANNOUNCED = """
select clock, facility, ma_lk, revision, state, started_at, due_at, stopped_at, late, reason
from deadline where announced is distinct from state limit $1
"""
_ANNOUNCED = """
update deadline set announced = told.state
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
    as told (clock, facility, ma_lk, revision, state)
where (deadline.clock, deadline.facility, deadline.ma_lk, deadline.revision)
    = (told.clock, told.facility, told.ma_lk, told.revision)
"""
_SUMMARY = """
select clock, state, count(*) as number, min(due_at) filter (where stopped_at is null) as nearest
from deadline group by clock, state
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A clock before (None: it did not run) and after."""

    before: Deadline | None
    after: Deadline


class PostgresDeadlines:
    """Facts in, clocks out, in one transaction each time."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clocks: Sequence[Clock],
        now: Callable[[], datetime],
        decreed: Decreed = nothing_decreed,
    ) -> None:
        self._decreed = decreed
        self._pool = pool
        self._clocks = clocks
        self._now = now

    async def learn(self, facts: Sequence[Facts]) -> list[Change]:
        """Adds facts and moves the clocks of their visits. Raises RetryLater while the database is away."""
        by_revision: dict[tuple[str, str, int], list[Facts]] = defaultdict(list)
        for item in facts:
            by_revision[item.facility, item.ma_lk, item.revision].append(item)
        merged = [reduce(merge, items) for items in by_revision.values()]
        return await patiently(lambda: self._learn(merged), "database") if merged else []

    async def look(self, limit: int = 1000) -> list[Change]:
        """Moves the clocks whose time has come, at most those of `limit` visits."""
        return await patiently(lambda: self._look(limit), "database")

    async def unannounced(self, limit: int = 500) -> list[DeadlineChanged]:
        """Changes that deadline.changed.v1 has not told yet."""
        rows = await patiently(lambda: self._pool.fetch(_UNANNOUNCED, limit), "database")
        return [DeadlineChanged(**{**row, "state": DeadlineState(row["state"])}) for row in rows]

    async def announced(self, told: Sequence[DeadlineChanged]) -> None:
        """These changes are on the topic. A crash before this call tells them again, under the same id."""
        columns = _columns([(item.clock, item.facility, item.ma_lk, item.revision, str(item.state)) for item in told])
        await patiently(lambda: self._pool.execute(_ANNOUNCED, *columns), "database")

    async def summary(self) -> list[asyncpg.Record]:
        """For each clock and state: how many, and the nearest due time among the running ones."""
        return await patiently(lambda: self._pool.fetch(_SUMMARY), "database")

    async def of_visit(self, facility: str, ma_lk: str) -> list[Deadline]:
        """All clocks of one visit."""
        rows = await self._pool.fetch(_KNOWN, [facility], [ma_lk])
        return sorted((_deadline(row) for row in rows), key=lambda deadline: (deadline.revision, deadline.clock))

    async def _learn(self, merged: Sequence[Facts]) -> list[Change]:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
            await connection.execute(_ADD_FACTS, *_columns([astuple(facts) for facts in merged]))
            return await self._move(connection, {(facts.facility, facts.ma_lk) for facts in merged})

    async def _look(self, limit: int) -> list[Change]:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
            rows = await connection.fetch(_DUE, self._now(), limit)
            return await self._move(connection, {(row["facility"], row["ma_lk"]) for row in rows})

    async def _move(self, connection: Connection, visits: set[tuple[str, str]]) -> list[Change]:
        if not visits:
            return []
        columns = _columns(sorted(visits))
        facts = [Facts(**row) for row in await connection.fetch(_FACTS, *columns)]
        known = {found.key: found for found in map(_deadline, await connection.fetch(_KNOWN, *columns))}
        now = self._now()
        changes = [
            Change(known.get(after.key), after)
            for _, visit in groupby(facts, key=lambda item: (item.facility, item.ma_lk))
            for after in deadlines(list(visit), self._clocks, now, self._decreed)
            if known.get(after.key) != after
        ]
        if changes:
            await connection.execute(_WRITE, *_columns([astuple(change.after) for change in changes]))
        return changes


async def look_again(connection: Connection, facility: str, ma_lk: str, revision: int) -> None:
    """Inside the caller's transaction: what it wrote about a revision moves its clocks, also those that had ended."""
    # Else a look that is under way, with facts of before, could overwrite this.
    await connection.execute("select pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
    await connection.execute(_LOOK_AGAIN, facility, ma_lk, revision)


def _deadline(row: asyncpg.Record) -> Deadline:
    return Deadline(**{**row, "state": DeadlineState(row["state"])})


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
