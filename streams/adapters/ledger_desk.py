"""What people see of the submission ledger and decide in it: the story of a visit, held visits, release, abandon."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg

from streams.adapters.ledger import moves
from streams.adapters.postgres import patiently
from streams.domain.submission import Happening

_REVISIONS = """
select id, revision, state, reason, closed_at, due_at, give_up_at, next_attempt_at, added_at, changed_at,
    envelope_sha256, payload_sha256
from submission where facility = $1 and ma_lk = $2 order by revision
"""
_ATTEMPTS = """
select submission, number, started_at, endpoint, base64_bytes, probe, result, code, http_status, message,
    transaction_code, received_at, duration, late
from submission_attempt where submission = any($1::bigint[]) order by submission, number
"""
_DECISIONS = """
select submission, act, actor, reason, decided_at
from submission_decision where submission = any($1::bigint[]) order by submission, id
"""

_HELD = """
select facility, ma_lk, revision, reason, changed_at as held_at, attempts
from submission where state = 'HELD' and ($1::text is null or facility = $1)
order by changed_at
"""

_LOCK = "select id from submission where facility = $1 and ma_lk = $2 and revision = $3 for update"

# A revision that was overtaken while it lay there stays where it is: its successor is sent instead.
_DECIDE = """
with changed as (
    update submission set
        state = move.new, reason = case when move.new = 'NOT_DUE' then $4 end,
        next_attempt_at = statement_timestamp(), give_up_at = statement_timestamp() + $5::interval,
        changed_at = statement_timestamp()
    from unnest($2::text[], $3::text[]) as move (old, new)
    where id = $1 and state = move.old and not exists (
        select from submission as newer
        where newer.facility = submission.facility and newer.ma_lk = submission.ma_lk
            and newer.revision > submission.revision
    )
    returning id
)
insert into submission_decision (submission, act, actor, reason) select id, $4, $6, $7 from changed returning true
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as it was. `message` may quote the gateway: for authorised eyes only."""

    number: int
    started_at: datetime
    endpoint: str
    base64_bytes: int
    probe: bool
    result: str | None
    code: str | None
    http_status: int | None
    message: str | None = field(repr=False)
    transaction_code: str | None
    received_at: datetime | None
    duration: timedelta | None
    late: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, and why."""

    act: str
    actor: str
    reason: str = field(repr=False)
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a visit at the gateway."""

    revision: int
    state: str
    reason: str | None
    closed_at: datetime
    due_at: datetime
    give_up_at: datetime
    next_attempt_at: datetime
    added_at: datetime
    changed_at: datetime
    envelope_sha256: str
    payload_sha256: str
    attempts: tuple[Attempt, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A revision that waits for a person."""

    facility: str
    ma_lk: str
    revision: int
    reason: str
    held_at: datetime
    attempts: int


class LedgerDesk:
    """Everything raises RetryLater while the database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", horizon: timedelta) -> None:
        self._pool = pool
        self._horizon = horizon

    async def story(self, facility: str, ma_lk: str) -> tuple[Revision, ...]:
        """Every revision of the visit with its attempts, answers and decisions; empty for a visit that never came."""
        return await patiently(lambda: self._story(facility, ma_lk), "database")

    async def _story(self, facility: str, ma_lk: str) -> tuple[Revision, ...]:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            revisions = await connection.fetch(_REVISIONS, facility, ma_lk)
            ids = [row["id"] for row in revisions]
            attempts = await connection.fetch(_ATTEMPTS, ids)
            decisions = await connection.fetch(_DECISIONS, ids)
        return tuple(
            Revision(
                **_without(row, "id"),
                attempts=tuple(Attempt(**item) for item in _of(row["id"], attempts)),
                decisions=tuple(Decision(**item) for item in _of(row["id"], decisions)),
            )
            for row in revisions
        )

    async def held(self, facility: str | None = None) -> list[Held]:
        """What waits for a person, longest first; of one facility or of all."""
        rows = await patiently(lambda: self._pool.fetch(_HELD, facility), "database")
        return [Held(**dict(row)) for row in rows]

    async def release(self, facility: str, ma_lk: str, revision: int, *, actor: str, reason: str) -> bool:
        """Sends the same bytes again, with a whole horizon. False: nothing of that revision waits for a decision.

        Also for a revision that was not due: to send the same content again needs a person's reason (GATEWAY §12.5).
        """
        return await self._decide(Happening.RELEASED, (facility, ma_lk, revision), actor, reason)

    async def abandon(self, facility: str, ma_lk: str, revision: int, *, actor: str, reason: str) -> bool:
        """Gives a held revision up: it is not due. False: it is not held."""
        return await self._decide(Happening.ABANDONED, (facility, ma_lk, revision), actor, reason)

    async def _decide(self, act: Happening, revision: tuple[str, str, int], actor: str, reason: str) -> bool:
        if not reason.strip():
            raise ValueError("a decision needs a reason")

        async def decide() -> bool:
            async with self._pool.acquire() as connection, connection.transaction():
                found = await connection.fetchval(_LOCK, *revision)
                return bool(await connection.fetchval(_DECIDE, found, *moves(act), act, self._horizon, actor, reason))

        return await patiently(decide, "database")


def _of(submission: int, rows: Sequence[asyncpg.Record]) -> list[dict[str, object]]:
    return [_without(row, "submission") for row in rows if row["submission"] == submission]


def _without(row: asyncpg.Record, name: str) -> dict[str, object]:
    return {key: value for key, value in row.items() if key != name}
