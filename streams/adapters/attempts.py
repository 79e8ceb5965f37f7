"""Attempts to hand over what the ledger owes to the gateway: claimed with a fence and a lease, then finished.

An attempt is committed before it is sent; its number is the fence, and its result counts only while that number is the
last one and the lease was not taken away. Instants, locks and tables: see `ledger.py`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from events.visit import PersonKeyKind, VisitHeld, VisitSigned
from streams.adapters.claim import CLAIM
from streams.adapters.ledger import SIGNED_COLUMNS
from streams.adapters.outbox import Connection, Outbox
from streams.adapters.patience import with_patience
from streams.adapters.postgres import patiently
from streams.domain.dossier.standard import standards
from streams.domain.submission import MOVES, Later, Result, State, Submission

LEASE_EXPIRED = "LEASE_EXPIRED"
"""Code of an attempt whose dispatcher went away: the gateway may have the dossier."""

LEASE_LOST = "LEASE_LOST"
"""Code of an attempt that its dispatcher broke off because it could not keep the lease: it may have arrived."""

_SHORT = timedelta(seconds=0.2)  # within so short a time half more than the rate, so that a second does not begin with
_BURST = 1.5  # all of its sends, and what one claim came late for the next may catch up
_CLAIM_LOCK = 0x636C61696D  # any constant: two dispatchers must not count the free places at once

_MINE = """
select id, attempts from submission join unnest($1::bigint[], $2::int[]) as mine (id, number) using (id)
where attempts = number and state = 'SENDING' and lease_until > statement_timestamp()
"""

_RENEW = """
update submission set lease_until = statement_timestamp() + $3::interval
from (
    select id from submission join unnest($1::bigint[], $2::int[]) as mine (id, number) using (id)
    where attempts = number and state in ('SENDING', 'OVERTAKEN') and lease_until > statement_timestamp()
    order by id for update of submission skip locked
) as kept
where submission.id = kept.id
returning submission.id, attempts
"""

_EXPIRED = """
select *, false as probe, statement_timestamp() as started_at from submission
where state in ('SENDING', 'OVERTAKEN') and lease_until <= statement_timestamp()
order by lease_until limit 100
"""

_LOCK_ROWS = "select 1 from submission where id = any($1::bigint[]) order by id for update"

_FINISH = """
with result as (
    select * from unnest(
        $1::bigint[], $2::int[], $3::text[], $4::text[], $5::interval[], $6::text[], $7::text[], $8::int[], $9::text[],
        $10::text[], $11::timestamptz[], $12::interval[]
    ) as item (
        submission, number, happening, reason, wait, class, code, http_status, message, transaction_code, received_at,
        duration
    )
), changed as (
    update submission set
        state = move.new, reason = result.reason, lease_until = null,
        next_attempt_at = statement_timestamp() + result.wait,
        holds = holds + (move.new = 'HELD')::int, changed_at = statement_timestamp()
    from result join unnest($13::text[], $14::text[], $15::text[]) as move (happening, old, new) using (happening)
    where submission.id = result.submission and submission.attempts = result.number and submission.state = move.old
    returning submission.id, submission.attempts, submission.state
), history as (
    update submission_attempt as attempt set
        result = class, code = result.code, http_status = result.http_status, message = result.message,
        transaction_code = result.transaction_code, received_at = result.received_at, duration = result.duration,
        late = changed.id is null
    from result left join changed on changed.id = result.submission and changed.attempts = result.number
    where attempt.submission = result.submission and attempt.number = result.number
        and (attempt.result is null or (attempt.code = $16 and result.code <> $16))
), wake as (
    insert into deadline_wake (facility, ma_lk)
    select facility, ma_lk from result join submission on submission.id = result.submission where class = 'UNKNOWN'
)
select id, attempts, state from changed
"""

_Fence = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be sent at once, over all dispatchers of this ledger (GATEWAY §6.7); `rate` is a second."""

    per_facility: int = 5
    rate: float = 10.0
    lease: timedelta = timedelta(seconds=30)


class PostgresAttempts:
    """What the dispatcher needs. Everything raises RetryLater while the database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox
        self._endpoints = {standard.name: standard.endpoint for standard in standards()}

    async def claim(
        self, free: int, limits: Limits, stopped: Collection[str], probing: Collection[str], *, probe: bool
    ) -> list[Submission]:
        """At most `free` attempts, committed before any of them is sent: earliest deadline first, one for each visit.

        Facilities in `stopped` get none, those in `probing` one at a time; `probe` says that the whole claim is one.
        """
        window = max(1.0, 1.0 / limits.rate)
        burst = max(1, round(limits.rate * _SHORT.total_seconds() * _BURST))

        async def claim() -> list[Submission]:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", _CLAIM_LOCK)
                rows = await connection.fetch(
                    CLAIM,
                    free,
                    limits.per_facility,
                    limits.lease,
                    list(stopped),
                    list(probing),
                    round(limits.rate * window),
                    timedelta(seconds=window),
                    probe,
                    list(self._endpoints),
                    list(self._endpoints.values()),
                    burst,
                    _SHORT,
                )
                # Before the commit: once that is done, whatever fails leaves attempts that nobody makes.
                return await with_patience(connection, map(_submission, rows))

        return await patiently(claim, "database")

    async def mine(self, submissions: Sequence[Submission]) -> list[bool]:
        """Which may still be sent: not taken over, not overtaken by a newer revision (GATEWAY §12.2)."""
        rows = await patiently(lambda: self._pool.fetch(_MINE, *_fences(submissions)), "database")
        found = {(row["id"], row["attempts"]) for row in rows}
        return [(submission.id, submission.attempt) in found for submission in submissions]

    async def renew(self, submissions: Collection[Submission], lease: timedelta) -> set[tuple[int, int]]:
        """Keeps the leases of attempts in flight; answers (id, attempt) of those that it could keep."""
        rows = await patiently(lambda: self._pool.fetch(_RENEW, *_fences(submissions), lease), "database")
        return {(row["id"], row["attempts"]) for row in rows}

    async def expired(self) -> list[Submission]:
        """Attempts whose dispatcher went away; `started_at` of them is now."""
        rows = await patiently(lambda: self._pool.fetch(_EXPIRED), "database")
        return await with_patience(self._pool, map(_submission, rows))

    async def finish(self, results: Sequence[tuple[Result, timedelta]]) -> list[State | None]:
        """Writes what attempts brought, and their events, in one transaction; `timedelta` is the wait before the next.

        Answers each with the state it led to, or None when the fence was lost: then the answer is kept as history of
        its attempt, and changes nothing else. Of two results of one attempt one counts (`_one_for_each_attempt`).
        """
        chosen = _one_for_each_attempt(results)
        columns = [list(column) for column in zip(*(_columns(*item) for item in chosen.values()), strict=True)]
        moves = [(happening, old, new) for (old, happening), new in MOVES.items()]

        async def finish() -> list[State | None]:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_LOCK_ROWS, columns[0])
                rows = await connection.fetch(
                    _FINISH, *columns, *(list(column) for column in zip(*moves, strict=True)), LEASE_EXPIRED
                )
                states = {(row["id"], row["attempts"]): State(row["state"]) for row in rows}
                await self._publish(connection, [result for result, _ in chosen.values()], states)
                return [states.get(_fence(item[0])) if chosen[_fence(item[0])] is item else None for item in results]

        return await patiently(finish, "database")

    async def _publish(self, connection: Connection, results: Sequence[Result], states: dict[_Fence, State]) -> None:
        """An event for each result that became the state of its visit; an overtaken one is history."""
        events = [
            result.outcome
            for result in results
            if not isinstance(result.outcome, Later) and states.get(_fence(result)) == result.happening.value
        ]
        await self._outbox.put(connection, events)


def _one_for_each_attempt(results: Sequence[tuple[Result, timedelta]]) -> dict[_Fence, tuple[Result, timedelta]]:
    """An answer and the sweep's word that nobody waits for it may be written together: the answer counts."""
    chosen: dict[_Fence, tuple[Result, timedelta]] = {}
    for item in results:
        known = chosen.get(_fence(item[0]))
        if known is None or known[0].reply.code == LEASE_EXPIRED:
            chosen[_fence(item[0])] = item
    return chosen


def _fence(result: Result) -> _Fence:
    return result.submission.id, result.submission.attempt


def _fences(submissions: Collection[Submission]) -> tuple[list[int], list[int]]:
    return [submission.id for submission in submissions], [submission.attempt for submission in submissions]


def _columns(result: Result, wait: timedelta) -> tuple[Any, ...]:
    reply = result.reply
    return (
        result.submission.id,
        result.submission.attempt,
        result.happening,
        result.outcome.reason if isinstance(result.outcome, VisitHeld) else None,
        wait,
        reply.result,
        reply.code,
        reply.http_status,
        reply.message,
        reply.receipt.transaction_code if reply.receipt else None,
        reply.receipt.received_at if reply.receipt else None,
        reply.duration if reply.code != LEASE_EXPIRED else None,
    )


def _submission(row: asyncpg.Record) -> Submission:
    columns = {name: row[name] for name in SIGNED_COLUMNS}
    return Submission(
        id=row["id"],
        visit=VisitSigned(**{**columns, "person_key_kind": PersonKeyKind(columns["person_key_kind"])}),
        attempt=row["attempts"],
        holds=row["holds"],
        started_at=row["started_at"],
        due_at=row["due_at"],
        give_up_at=row["give_up_at"],
        probe=row["probe"],
    )
