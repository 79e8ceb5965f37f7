"""Everything that waits for a person, wherever it is kept (the ledger, table `hold`), and what was decided about it.

A decision is one transaction: who decided what and why, the new state, and the clocks that have to look again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import asyncpg

from streams.adapters.deadlines import wake
from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.domain.held import AT_GATEWAY, Standing, meant
from streams.domain.submission import Happening, State, next_state

Visit = tuple[str, str]

_STANDING = f"""
select facility, ma_lk, revision, '{AT_GATEWAY}' as stage, state, reason, changed_at as since, holds, next_attempt_at,
    give_up_at
from submission
union all
select facility, ma_lk, revision, held_by, state, reason, changed_at, number, null, null
from hold where state <> 'ENDED'
"""  # noqa: S608 - put together from constants
_OF_VISIT = f"select * from ({_STANDING}) as standing where facility = $1 and ma_lk = $2 order by revision, since"  # noqa: S608
_OF_VISITS = f"select * from ({_STANDING}) as standing where facility = $1 and ma_lk = any($2::text[])"  # noqa: S608
_OF_HELD_VISITS = f"""
select standing.* from ({_STANDING}) as standing join (
    select facility, ma_lk from submission where state = 'HELD' and ($1::text is null or facility = $1)
    union select facility, ma_lk from hold where state = 'HELD' and ($1::text is null or facility = $1)
) as visit using (facility, ma_lk)
order by facility, ma_lk, revision, since
"""  # noqa: S608
_LOCK_LEDGER = "select 1 from submission where facility = $1 and ma_lk = $2 order by id for update"
_LOCK_HOLDS = "select 1 from hold where facility = $1 and ma_lk = $2 order by revision, held_by for update"
# The bytes stay what they were. A released visit gets one more horizon: with the old one, which has passed, the next
# answer that decides nothing would hold it again.
_DECIDE_AT_GATEWAY = """
update submission set
    state = $4, changed_at = statement_timestamp(),
    reason = case when $4 = 'NOT_DUE' then $5 end,
    next_attempt_at = statement_timestamp(),
    give_up_at = case when $4 = 'READY' then statement_timestamp() + $6::interval else give_up_at end
where facility = $1 and ma_lk = $2 and revision = $3
returning give_up_at
"""
_DECIDE_BEFORE_GATEWAY = """
update hold set
    state = $5, changed_at = statement_timestamp(), reason = case when $5 = 'NOT_DUE' then $6 else reason end
where facility = $1 and ma_lk = $2 and revision = $3 and held_by = $4
"""
_NOTE = """
insert into decision (facility, ma_lk, revision, held_by, act, actor, reason)
values ($1, $2, $3, $4, $5, $6, $7) returning decided_at
"""
_DECISIONS = """
select revision, held_by as stage, act, actor, reason, decided_at from decision
where facility = $1 and ma_lk = $2 order by id
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided: RELEASED or ABANDONED. `reason` is theirs, and stays in the database."""

    act: Happening
    actor: str
    reason: str


async def held_visits(pool: "asyncpg.Pool[asyncpg.Record]", facility: str | None) -> list[tuple[Visit, list[Standing]]]:
    """Every visit of which something is held, with where all its revisions stand. Raises RetryLater."""
    rows = await patiently(lambda: pool.fetch(_OF_HELD_VISITS, facility), "database")
    return [
        (visit, list(map(_standing, of_visit)))
        for visit, of_visit in groupby(rows, key=lambda row: (row["facility"], row["ma_lk"]))
    ]


async def standings(pool: "asyncpg.Pool[asyncpg.Record] | Connection", facility: str, ma_lk: str) -> list[Standing]:
    """Where every revision of one visit stands, as far as it reached `sign` or the ledger. Raises RetryLater."""
    return [_standing(row) for row in await patiently(lambda: pool.fetch(_OF_VISIT, facility, ma_lk), "database")]


async def standings_of(
    pool: "asyncpg.Pool[asyncpg.Record]", facility: str, visits: Sequence[str]
) -> list[tuple[str, Standing]]:
    """Where every revision of these visits stands, with its MA_LK. Raises RetryLater."""
    rows = await patiently(lambda: pool.fetch(_OF_VISITS, facility, list(visits)), "database")
    return [(row["ma_lk"], _standing(row)) for row in rows]


async def decisions(pool: "asyncpg.Pool[asyncpg.Record]", facility: str, ma_lk: str) -> list[dict[str, Any]]:
    """What people decided about a visit, in that order. Raises RetryLater."""
    return [dict(row) for row in await patiently(lambda: pool.fetch(_DECISIONS, facility, ma_lk), "database")]


async def decide(
    pool: "asyncpg.Pool[asyncpg.Record]",
    visit: Visit,
    revision: int | None,
    decision: Decision,
    horizon: timedelta,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """Decides about `revision`, or the newest one that is held; a dry run does the same and takes it back.

    `horizon`: how long the gateway may give no clear answer from now on. Raises RefusedError, RetryLater.
    """

    async def work() -> dict[str, Any]:
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                done = await _decide(connection, visit, revision, decision, horizon)
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.rollback() if dry_run else transaction.commit())
            return done

    return await patiently(work, "database")


async def _decide(
    connection: Connection, visit: Visit, revision: int | None, decision: Decision, horizon: timedelta
) -> dict[str, Any]:
    await connection.execute(_LOCK_LEDGER, *visit)
    await connection.execute(_LOCK_HOLDS, *visit)
    found = meant(await standings(connection, *visit), revision, decision.act)
    state = next_state(found.state, decision.act)
    give_up_at: datetime | None = None
    if found.stage == AT_GATEWAY:
        give_up_at = await connection.fetchval(_DECIDE_AT_GATEWAY, *visit, found.revision, state, decision.act, horizon)
    else:
        await connection.execute(_DECIDE_BEFORE_GATEWAY, *visit, found.revision, found.stage, state, decision.act)
    decided_at = await connection.fetchval(
        _NOTE, *visit, found.revision, found.stage, decision.act, decision.actor, decision.reason
    )
    await wake(connection, *visit)
    return {
        "facility": visit[0],
        "ma_lk": visit[1],
        "revision": found.revision,
        "stage": found.stage,
        "act": str(decision.act),
        "state": str(state),
        "actor": decision.actor,
        "reason": decision.reason,
        "decided_at": decided_at,
        "give_up_at": give_up_at if state is State.READY else None,
    }


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        revision=row["revision"],
        stage=row["stage"],
        state=State(row["state"]),
        reason=row["reason"],
        since=row["since"],
        holds=row["holds"],
        next_attempt_at=row["next_attempt_at"],
        give_up_at=row["give_up_at"],
    )
