"""The ledger of outages in PostgreSQL (table `outage`): who was out when, and which visits waited for it."""

import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

import asyncpg

from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.domain.held import RefusedError
from streams.domain.outage import DELAYED, Failures, FoundBy, Outage, Side, Told, end
from streams.sla.clocks import shipped, versions

LOCK = 0x6F7574616765  # advisory lock: two must not write about the same outage at once

COLUMNS = "outage.id, subject, outage.facility, announced, from_at, until_at, found_by, cause, proof"

_OVERLAPPING = f"""
select {COLUMNS} from outage
where subject = any($1::text[]) and from_at < coalesce($3::timestamptz, 'infinity')
    and coalesce(until_at, 'infinity') > $2 and until_at is distinct from from_at
    and (facility is null or facility = coalesce($4, facility))
order by from_at, id
"""  # noqa: S608 - put together from constants
_RUNNING = f"""
select {COLUMNS} from outage
where from_at <= statement_timestamp() and coalesce(until_at, 'infinity') > statement_timestamp() order by from_at, id
"""  # noqa: S608
_LISTED = f"""
select {COLUMNS} from outage
where ($1::text is null or subject = $1) and coalesce(until_at, 'infinity') >= $2
order by from_at desc, id desc limit $3
"""  # noqa: S608
_ONE = f"select {COLUMNS} from outage where id = $1"  # noqa: S608
_OPEN = """
insert into outage (subject, facility, announced, from_at, until_at, found_by, cause)
values ($1, $2, $3, $4, $5, 'person', $6) returning id
"""
_CLOSE = "update outage set until_at = $2 where id = $1"
_NOTE = "insert into outage_act (outage, act, actor, reason) values ($1, $2, $3, $4)"
_ACTS = "select act, actor, reason, acted_at from outage_act where outage = $1 order by id"


def _waited(from_at: str, until_at: str, facility: str) -> str:
    """A clock waited for an outage when they share some time, and it was at risk when the wait was over.

    When a clock began and when it stopped are both in an index: which of them finds fewer depends on the outage's age.
    """
    return f"""
        coalesce(stopped_at, 'infinity') > {from_at} and {from_at} < statement_timestamp()
        and started_at < coalesce({until_at}, statement_timestamp()) and {until_at} is distinct from {from_at}
        and coalesce({facility} = deadline.facility, true)
        and coalesce(stopped_at, statement_timestamp()) >= started_at + (due_at - started_at) * at_risk / 100
"""


_OF_ONE = f"""
from deadline join unnest($1::text[], $2::int[]) as delayed (clock, at_risk) using (clock)
where {_waited("$3::timestamptz", "$4::timestamptz", "$5::text")}
"""
DELAYED_VISITS = f"""
select facility, ma_lk, revision, clock, state, started_at, due_at, stopped_at, late {_OF_ONE}
order by due_at, facility, ma_lk, revision limit $6
"""
_COUNT = f"select count(*) as waited, count(*) filter (where late) as late {_OF_ONE}"
_OF_VISIT = f"""
select revision, clock, late, outage.id as outage, subject, outage.announced, from_at, until_at
from deadline join unnest($1::text[], $2::text[], $3::int[]) as delayed (subject, clock, at_risk) using (clock)
    join outage using (subject)
where deadline.facility = $4 and ma_lk = $5 and {_waited("outage.from_at", "outage.until_at", "outage.facility")}
order by revision, from_at, clock
"""  # noqa: S608
_AT_RISK = {clock: versions(clock, shipped())[-1].at_risk for clocks in DELAYED.values() for clock in clocks}
"""As shipped, whatever an operator added: who waited for an outage is told alike before and after."""


async def overlapping(
    pool: "asyncpg.Pool[asyncpg.Record] | Connection",
    subjects: Collection[Side],
    since: datetime,
    until: datetime,
    facility: str | None = None,
) -> list[Outage]:
    """Outages of these subjects, announced ones too, that share some time with [since, until), the earliest first.

    With `facility`, no outage of another facility's HIS. Raises RetryLater.
    """
    names = [str(subject) for subject in subjects]
    rows = await patiently(lambda: pool.fetch(_OVERLAPPING, names, since, until, facility), "database")
    return [outage(row) for row in rows]


async def running(pool: "asyncpg.Pool[asyncpg.Record]") -> list[Outage]:
    """What is out at this moment, by the database's time. Raises RetryLater."""
    return [outage(row) for row in await patiently(lambda: pool.fetch(_RUNNING), "database")]


async def listed(
    pool: "asyncpg.Pool[asyncpg.Record]", subject: Side | None, since: datetime, limit: int
) -> list[Outage]:
    """Outages that were not over at `since`, the newest first. Raises RetryLater."""
    rows = await patiently(lambda: pool.fetch(_LISTED, subject, since, limit), "database")
    return [outage(row) for row in rows]


async def one(pool: "asyncpg.Pool[asyncpg.Record] | Connection", number: int) -> Outage | None:
    """A line of the ledger. Raises RetryLater."""
    row = await patiently(lambda: pool.fetchrow(_ONE, number), "database")
    return outage(row) if row else None


async def acts(pool: "asyncpg.Pool[asyncpg.Record]", number: int) -> list[dict[str, Any]]:
    """What people did about it. Raises RetryLater."""
    return [dict(row) for row in await patiently(lambda: pool.fetch(_ACTS, number), "database")]


async def delayed(
    pool: "asyncpg.Pool[asyncpg.Record]", outage: Outage, limit: int
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """The clocks that waited for an outage: how many, how many late, and the first of them. Raises RetryLater."""

    async def ask() -> tuple[dict[str, int], list[dict[str, Any]]]:
        rows = await pool.fetch(DELAYED_VISITS, *which(outage), limit)
        count = await pool.fetchrow(_COUNT, *which(outage))
        return dict(count or {}), [dict(row) for row in rows]

    return await patiently(ask, "database")


def which(outage: Outage) -> tuple[Any, ...]:
    """The outage as DELAYED_VISITS asks for it."""
    clocks = DELAYED[outage.subject]
    return list(clocks), [_AT_RISK[clock] for clock in clocks], outage.from_at, outage.until_at, outage.facility


async def waited_for(pool: "asyncpg.Pool[asyncpg.Record]", facility: str, ma_lk: str) -> list[dict[str, Any]]:
    """The outages for which the clocks of one visit waited. Raises RetryLater."""
    delayed = [(str(side), clock, _AT_RISK[clock]) for side, clocks in DELAYED.items() for clock in clocks]
    columns = [list(column) for column in zip(*delayed, strict=True)]
    rows = await patiently(lambda: pool.fetch(_OF_VISIT, *columns, facility, ma_lk), "database")
    return [dict(row) for row in rows]


async def open_outage(
    pool: "asyncpg.Pool[asyncpg.Record]", told: Told, actor: str, reason: str, *, dry_run: bool
) -> Outage:
    """Writes an outage that a person tells, with who and why. Raises RefusedError, RetryLater."""

    async def work(connection: Connection) -> Outage:
        others = await connection.fetch(_OVERLAPPING, [told.subject], told.from_at, told.until_at, told.facility)
        if already := told.told_already(map(outage, others)):
            raise RefusedError(f"outage {already.id} says so already; `healthbook outage show {already.id}`")
        number = await connection.fetchval(
            _OPEN, told.subject, told.facility, told.announced, told.from_at, told.until_at, reason
        )
        await connection.execute(_NOTE, number, "OPENED", actor, reason)
        return await _found(connection, number)

    return await _decide(pool, work, dry_run=dry_run)


async def close_outage(
    pool: "asyncpg.Pool[asyncpg.Record]", number: int, at: datetime | None, actor: str, reason: str, *, dry_run: bool
) -> Outage:
    """Ends an outage, or cancels a maintenance before it begins, with who and why. Raises RefusedError, RetryLater."""

    async def work(connection: Connection) -> Outage:
        found = await _found(connection, number)
        now = await connection.fetchval("select statement_timestamp()")
        await connection.execute(_CLOSE, number, end(found, at, now))
        await connection.execute(_NOTE, number, "CLOSED", actor, reason)
        return await _found(connection, number)

    return await _decide(pool, work, dry_run=dry_run)


def outage(row: asyncpg.Record) -> Outage:
    """A row with COLUMNS."""
    return Outage(
        **{name: row[name] for name in ("id", "facility", "announced", "from_at", "until_at", "cause")},
        subject=Side(row["subject"]),
        found_by=FoundBy(row["found_by"]),
        proof=tuple(_failures(item) for item in json.loads(row["proof"])),
    )


def as_json(proof: Collection[Failures]) -> str:
    """Column `proof`."""
    return json.dumps([asdict(item) for item in proof], default=datetime.isoformat)


def _failures(item: dict[str, Any]) -> Failures:
    instants = {name: datetime.fromisoformat(item[name]) for name in ("first_at", "last_at")}
    return Failures(**{**item, **instants})


async def _found(connection: Connection, number: int) -> Outage:
    found = await one(connection, number)
    if found is None:
        raise RefusedError(f"there is no outage {number}; `healthbook outage list` tells them")
    return found


async def _decide(
    pool: "asyncpg.Pool[asyncpg.Record]", work: Callable[[Connection], Awaitable[Outage]], *, dry_run: bool
) -> Outage:
    """One transaction for what is decided and who decided it; a dry run does the same and takes it back."""

    async def decide() -> Outage:
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
                done = await work(connection)
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.rollback() if dry_run else transaction.commit())
            return done

    return await patiently(decide, "database")
