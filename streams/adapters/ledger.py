"""The submission ledger in PostgreSQL: every signed revision until the gateway's last word about it.

Tables and their meaning: `infra/postgres/0003_submission.sql`. Its two halves: here what is owed to the gateway, in
`attempts.py` the sending of it. All instants are the database's. Writers that touch several rows lock them first, in
the order of `id`: that is free of deadlocks, and the statement behind it sees what the others have committed (under
READ COMMITTED a statement that waited for a row would join it with what it had read before).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import asyncpg

from events.visit import VisitSigned
from streams.adapters.postgres import patiently
from streams.domain.submission import MOVES, Happening

SIGNED_COLUMNS = (
    "facility",
    "ma_lk",
    "revision",
    "closed_at",
    "standard",
    "visit_type",
    "insured",
    "person_key_kind",
    "envelope",
    "envelope_sha256",
    "payload_sha256",
    "certificate_serial",
)
"""The columns of a submission that are the fields of VisitSigned."""

_GRACE = timedelta(hours=1)  # a visit that arrives after its horizon (a spool that was away) is tried for that long
_BATCH_BYTES = 64 * 1024 * 1024  # of one INSERT; PostgreSQL takes no message beyond 1 GB

_INSERT = """
insert into submission (
    facility, ma_lk, revision, closed_at, standard, visit_type, insured, person_key_kind, envelope, envelope_sha256,
    payload_sha256, certificate_serial, due_at, give_up_at
)
select item.*, greatest(closed_at + $14::interval, statement_timestamp() + least($14::interval, $15::interval))
from unnest(
    $1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::bool[], $8::text[],
    $9::bytea[], $10::text[], $11::text[], $12::text[], $13::timestamptz[]
) as item (
    facility, ma_lk, revision, closed_at, standard, visit_type, insured, person_key_kind, envelope, envelope_sha256,
    payload_sha256, certificate_serial, due_at
)
order by facility, ma_lk, revision
on conflict (facility, ma_lk, revision) do nothing
returning id
"""

_LOCK_VISITS = """
select 1 from submission
where (facility, ma_lk) in (select facility, ma_lk from submission where id = any($1::bigint[]))
order by id for update
"""

_SUPERSEDE = """
update submission set state = move.new, changed_at = statement_timestamp()
from (
    select facility, ma_lk, max(revision) as revision from submission
    where (facility, ma_lk) in (select facility, ma_lk from submission where id = any($1::bigint[]))
    group by facility, ma_lk
) as newest, unnest($2::text[], $3::text[]) as move (old, new)
where submission.facility = newest.facility and submission.ma_lk = newest.ma_lk
    and submission.revision < newest.revision and submission.state = move.old
"""

# Only what may have reached the gateway counts: its present version is the last revision that was attempted.
_SAME_CONTENT = """
update submission set state = move.new, reason = $4, changed_at = statement_timestamp()
from unnest($2::text[], $3::text[]) as move (old, new)
where submission.id = any($1::bigint[]) and submission.state = move.old and (
    select earlier.state = 'ACCEPTED' and earlier.payload_sha256 = submission.payload_sha256
    from submission as earlier
    where earlier.facility = submission.facility and earlier.ma_lk = submission.ma_lk
        and earlier.revision < submission.revision and earlier.attempts > 0
    order by earlier.revision desc limit 1
)
"""

_BACKLOG = """
select count(*) as waiting, extract(epoch from min(added_at))::float8 as oldest
from submission where state in ('READY', 'WAITING', 'SENDING', 'OVERTAKEN')
"""
_HELD = """
select reason, count(*) as number
from (
    select reason from submission where state = 'HELD' union all select reason from hold where state = 'HELD'
) as held
group by reason
"""


_ATTEMPTS = """
select revision, number as attempt, started_at, endpoint, base64_bytes, submission_attempt.envelope_sha256, probe,
    result, code, http_status, message, transaction_code, received_at, extract(epoch from duration)::float8 as seconds,
    late
from submission_attempt join submission on submission.id = submission_attempt.submission
where facility = $1 and ma_lk = $2 order by revision, number
"""


class PostgresLedger:
    """Port `Ledger` of forward. `due` tells from the close when the receipt is due: who is due first goes first.

    `horizon` after closing a visit without an answer is held.
    """

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", due: Callable[[datetime], datetime], horizon: timedelta
    ) -> None:
        self._pool = pool
        self._due = due
        self._horizon = horizon

    async def add(self, visits: Sequence[VisitSigned]) -> None:
        """Writes revisions that are owed to the gateway; one that is there already stays as it is.

        An older revision than the newest is superseded at once, and never sent; a newer one supersedes what is not
        finished. The same content as the gateway has already is not due (GATEWAY §12.4).

        Raises RetryLater while the database is away.
        """
        for batch in _batches(visits):
            await patiently(partial(self._add, batch), "database")

    async def _add(self, visits: Sequence[VisitSigned]) -> None:
        columns = [[getattr(visit, name) for visit in visits] for name in SIGNED_COLUMNS]
        columns.append([self._due(visit.closed_at) for visit in visits])
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_INSERT, *columns, self._horizon, _GRACE)
            if not rows:
                return
            added = [row["id"] for row in rows]
            await connection.execute(_LOCK_VISITS, added)
            await connection.execute(_SUPERSEDE, added, *moves(Happening.NEWER_REVISION))
            await connection.execute(_SAME_CONTENT, added, *moves(Happening.SAME_CONTENT), "SAME_CONTENT")

    async def backlog(self) -> tuple[int, float | None, dict[str, int]]:
        """What waits for the gateway and for people: number, Unix time of the oldest, held visits by reason."""

        async def count() -> tuple[int, float | None, dict[str, int]]:
            row = await self._pool.fetchrow(_BACKLOG)
            assert row is not None  # noqa: S101 - an aggregate always has a row
            held = {item["reason"]: item["number"] for item in await self._pool.fetch(_HELD)}
            return row["waiting"], row["oldest"], held

        return await patiently(count, "database")


async def attempts_of(pool: "asyncpg.Pool[asyncpg.Record]", facility: str, ma_lk: str) -> list[dict[str, Any]]:
    """Every attempt to send a visit, with the gateway's answer; `result` is None while there is none."""
    return [dict(row) for row in await pool.fetch(_ATTEMPTS, facility, ma_lk)]


def _batches(visits: Sequence[VisitSigned]) -> Iterator[list[VisitSigned]]:
    batch: list[VisitSigned] = []
    size = 0
    for visit in visits:
        if batch and size + len(visit.envelope) > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(visit)
        size += len(visit.envelope)
    if batch:
        yield batch


def moves(happening: Happening) -> tuple[list[str], list[str]]:
    """The rows of MOVES for one happening, as two columns."""
    found = [(old, new) for (old, what), new in MOVES.items() if what is happening]
    return [old for old, _ in found], [new for _, new in found]
