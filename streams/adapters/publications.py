"""Versions of the health book's entries (tables `publication`, `publication_revision`) and the dossiers behind them.

A batch is one transaction: lock the visits, decide (`streams/domain/projection_versions.py`), write, outbox last.
A crash anywhere leaves nothing or all of it, and the same batch again finds its revisions recorded and does nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import asyncpg

from events.health_book import HealthBookEntry
from events.visit import VisitAccepted
from streams.adapters.coalescer import Coalescer
from streams.adapters.outbox import Connection, Outbox
from streams.adapters.postgres import patiently
from streams.domain.projection import withdrawn
from streams.domain.projection_versions import NO_IDENTIFIER, Current, Outcome, after, outcome
from streams.errors import DeadLetter, Reason

Key: TypeAlias = tuple[str, str]
Revision: TypeAlias = tuple[str, str, int]

_ENVELOPES = """
select facility, ma_lk, revision, envelope from submission
join unnest($1::text[], $2::text[], $3::bigint[]) as asked (facility, ma_lk, revision) using (facility, ma_lk, revision)
"""

# Always in the same order: two overlapping consumers wait for each other instead of deadlocking.
_ENSURE = """
insert into publication (facility, ma_lk)
select facility, ma_lk from unnest($1::text[], $2::text[]) as asked (facility, ma_lk) order by 1, 2
on conflict do nothing
"""
_LOCK = """
select publication.facility, publication.ma_lk, revision, shown, clock_timestamp() as now from publication
join unnest($1::text[], $2::text[]) as asked (facility, ma_lk) using (facility, ma_lk)
order by 1, 2 for update of publication
"""
_SEEN = """
select facility, ma_lk, revision from publication_revision
join unnest($1::text[], $2::text[], $3::bigint[]) as asked (facility, ma_lk, revision) using (facility, ma_lk, revision)
"""
_RECORD = """
insert into publication_revision (facility, ma_lk, revision, outcome, reason)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
"""
_MOVE = """
update publication set revision = moved.revision, shown = moved.shown
from unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[]) as moved (facility, ma_lk, revision, shown)
where publication.facility = moved.facility and publication.ma_lk = moved.ma_lk
"""


class LedgerDossiers:
    """Port `Dossiers` of publish, over the submission ledger; asks for a whole batch at once."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._ask: Coalescer[Revision, bytes | None] = Coalescer(self._envelopes)

    async def envelope(self, facility: str, ma_lk: str, revision: int) -> bytes:
        """See the port."""
        envelope = await self._ask((facility, ma_lk, revision))
        if envelope is None:
            raise DeadLetter(Reason.UNEXPECTED)
        return envelope

    async def _envelopes(self, asked: Sequence[Revision]) -> list[bytes | None]:
        rows = await patiently(lambda: self._pool.fetch(_ENVELOPES, *_columns(asked)), "database")
        found = {(row["facility"], row["ma_lk"], row["revision"]): row["envelope"] for row in rows}
        return [found.get(revision) for revision in asked]


@dataclass(frozen=True, slots=True)
class _Step:
    """A revision that is new here, what becomes of it, and what that puts on the bus."""

    visit: VisitAccepted
    outcome: Outcome
    entry: HealthBookEntry | None

    @property
    def reason(self) -> str | None:
        return NO_IDENTIFIER if self.outcome in (Outcome.NOT_DUE, Outcome.WITHDRAWN) else None


class PostgresPublications:
    """Port `Publications` of publish. `outbox` must be prepared for HealthBookEntry."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def add(self, visits: Sequence[tuple[VisitAccepted, HealthBookEntry | None]]) -> None:
        """See the port."""
        if visits:
            await patiently(lambda: self._add(visits), "database")

    async def _add(self, visits: Sequence[tuple[VisitAccepted, HealthBookEntry | None]]) -> None:
        keys = _columns(sorted({(visit.facility, visit.ma_lk) for visit, _ in visits}))
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_ENSURE, *keys)
            rows = await connection.fetch(_LOCK, *keys)
            current = {(row["facility"], row["ma_lk"]): Current(row["revision"], row["shown"]) for row in rows}
            seen = await _seen(connection, [_revision(visit) for visit, _ in visits])
            steps = _decide(visits, current, seen)
            await _write(connection, steps, current)
            await self._outbox.put(connection, list(_published(steps, rows[0]["now"])))


def _decide(
    visits: Sequence[tuple[VisitAccepted, HealthBookEntry | None]], current: dict[Key, Current], seen: set[Revision]
) -> list[_Step]:
    """Goes through the batch in order; moves `current` along and marks as `seen` what it decided."""
    steps = []
    for visit, entry in visits:
        key, revision = (visit.facility, visit.ma_lk), _revision(visit)
        if revision in seen:
            continue
        seen.add(revision)
        done = outcome(current[key], visit.revision, entry)
        current[key] = after(current[key], visit.revision, done)
        shows = withdrawn(visit) if done is Outcome.WITHDRAWN else entry
        steps.append(_Step(visit, done, None if done in (Outcome.HISTORY, Outcome.NOT_DUE) else shows))
    return steps


def _published(steps: Iterable[_Step], now: datetime) -> Iterable[HealthBookEntry]:
    return (step.entry.published(now) for step in steps if step.entry is not None)


async def _seen(connection: Connection, revisions: Sequence[Revision]) -> set[Revision]:
    rows = await connection.fetch(_SEEN, *_columns(revisions))
    return {(row["facility"], row["ma_lk"], row["revision"]) for row in rows}


async def _write(connection: Connection, steps: Sequence[_Step], current: dict[Key, Current]) -> None:
    if steps:
        await connection.execute(
            _RECORD, *_columns([(*_revision(step.visit), step.outcome.value, step.reason) for step in steps])
        )
        moved = {(step.visit.facility, step.visit.ma_lk) for step in steps}
        await connection.execute(
            _MOVE, *_columns([(*key, current[key].revision, current[key].shown) for key in sorted(moved)])
        )


def _revision(visit: VisitAccepted) -> Revision:
    return visit.facility, visit.ma_lk, visit.revision


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
