"""How long an answer is waited for: the horizon of a visit does not run during an outage (decision 0016)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import asyncpg

from streams.adapters.outages import overlapping
from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.domain.outage import AT_GATEWAY, time_out
from streams.domain.submission import Submission

_SOON = timedelta(minutes=10)  # longer than any send may last: only then the outages are asked for

# Since when the horizon of a visit runs: since the ledger has it, or a person released it.
_SINCE = """
select id, greatest(added_at, (
    select max(decided_at) from decision
    where (decision.facility, decision.ma_lk, decision.revision) = (submission.facility, submission.ma_lk,
        submission.revision) and held_by = 'forward' and act = 'RELEASED'
)) as since
from submission where id = any($1::bigint[])
"""


async def with_patience(
    database: "asyncpg.Pool[asyncpg.Record] | Connection", claimed: Iterable[Submission]
) -> list[Submission]:
    """The same, with the time added to `give_up_at` in which nothing could be sent. Raises RetryLater."""
    submissions = list(claimed)
    near = [item for item in submissions if item.give_up_at <= item.started_at + _SOON]
    if not near:
        return submissions
    ids = [item.id for item in near]
    since = {row["id"]: row["since"] for row in await patiently(lambda: database.fetch(_SINCE, ids), "database")}
    now = max(item.started_at for item in near)
    outages = await overlapping(database, AT_GATEWAY, min(since.values()), now)
    return [
        replace(item, give_up_at=item.give_up_at + time_out(outages, since[item.id], now)) if item.id in since else item
        for item in submissions
    ]
