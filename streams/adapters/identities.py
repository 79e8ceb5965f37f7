"""Whose visits belong together, by the numbers that their dossiers share (tables of 0011_identifier.sql)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg

from events.visit import VisitAccepted
from streams.adapters.postgres import patiently
from streams.domain.identifiers import Identifier

# Always in the same order: two overlapping consumers wait for each other instead of deadlocking.
_NEWEST = """
insert into identified_visit as known (facility, ma_lk, revision, visited_on)
select distinct on (facility, ma_lk) facility, ma_lk, revision, visited_on
from unnest($1::text[], $2::text[], $3::bigint[], $4::date[]) as item (facility, ma_lk, revision, visited_on)
order by facility, ma_lk, revision desc
on conflict (facility, ma_lk) do update set revision = excluded.revision, visited_on = excluded.visited_on
where known.revision < excluded.revision
returning facility, ma_lk, revision
"""
_FORGET = """
delete from visit_identifier using unnest($1::text[], $2::text[]) as visit (facility, ma_lk)
where visit_identifier.facility = visit.facility and visit_identifier.ma_lk = visit.ma_lk
"""
_ADD = """
insert into visit_identifier (facility, ma_lk, kind, digest)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
"""
# From one number to the visits that name it, to the numbers that those name, and so on.
_LINKED = """
with recursive linked as (
    select $1::text as kind, $2::text as digest, (
        select count(*) from identifier_reissue
        where kind = $1 and digest = $2 and from_day <= $3 and undone_at is null
    ) as holder
    union
    select other.kind, other.digest, other.holder
    from linked join identifier_of_visit as visit using (kind, digest, holder)
    join identifier_of_visit as other using (facility, ma_lk)
)
select kind, digest, holder, facility, ma_lk, visited_on
from linked join identifier_of_visit using (kind, digest, holder)
order by visited_on, facility, ma_lk, kind
"""
_REISSUE = """
insert into identifier_reissue (kind, digest, from_day, actor, reason) values ($1, $2, $3, $4, $5)
on conflict do nothing returning true
"""
_UNDO = """
update identifier_reissue set undone_at = now()
where kind = $1 and digest = $2 and from_day = $3 and undone_at is null returning true
"""


@dataclass(frozen=True, slots=True)
class Linked:
    """One person: visits as (facility, MA_LK, day), numbers as (kind, first day seen, last day seen)."""

    visits: tuple[tuple[str, str, date], ...]
    numbers: tuple[tuple[str, date, date], ...]


class PostgresIdentities:
    """Port `Identities` of publish, and the search by a number."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def add(self, visits: Sequence[tuple[VisitAccepted, date, frozenset[Identifier]]]) -> None:
        """See the port. Raises RetryLater while the database is away."""
        if visits:
            await patiently(lambda: self._add(visits), "database")

    async def person(self, number: Identifier, on: date) -> Linked:
        """The visits of the person who had this number on that day."""
        rows = await self._pool.fetch(_LINKED, number.kind, number.digest, on)
        days: dict[tuple[Any, ...], list[date]] = {}
        for row in rows:
            days.setdefault((row["kind"], row["digest"], row["holder"]), []).append(row["visited_on"])
        visits = dict.fromkeys((row["facility"], row["ma_lk"], row["visited_on"]) for row in rows)
        return Linked(tuple(visits), tuple((kind, min(seen), max(seen)) for (kind, _, _), seen in days.items()))

    async def reissue(self, number: Identifier, from_day: date, actor: str, reason: str) -> bool:
        """From that day on the number is another person's. False when that is decided already."""
        return bool(await self._pool.fetchval(_REISSUE, number.kind, number.digest, from_day, actor, reason))

    async def undo_reissue(self, number: Identifier, from_day: date) -> bool:
        """Takes the decision back. False when there is none."""
        return bool(await self._pool.fetchval(_UNDO, number.kind, number.digest, from_day))

    async def _add(self, visits: Sequence[tuple[VisitAccepted, date, frozenset[Identifier]]]) -> None:
        columns = _columns([(visit.facility, visit.ma_lk, visit.revision, day) for visit, day, _ in visits])
        async with self._pool.acquire() as connection, connection.transaction():
            newest = {tuple(row) for row in await connection.fetch(_NEWEST, *columns)}
            if not newest:
                return
            await connection.execute(_FORGET, *_columns([(facility, ma_lk) for facility, ma_lk, _ in newest]))
            named = {
                (visit.facility, visit.ma_lk, item.kind, item.digest)
                for visit, _, identifiers in visits
                if (visit.facility, visit.ma_lk, visit.revision) in newest
                for item in identifiers
            }
            if named:
                await connection.execute(_ADD, *_columns(sorted(named)))


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
