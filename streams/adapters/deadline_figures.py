"""What is counted about the clocks: for the gauges, `deadline show` and `deadline list`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from streams.adapters.deadlines import deadline_of
from streams.adapters.postgres import patiently
from streams.sla.deadline import Deadline
from streams.sla.prediction import Prediction, Waiting

# Both by index: one counted row for each state, one step down the open clocks.
_COUNTS = "select clock, state, running, number from deadline_count order by clock, state"
NEAREST = """
select min(due_at) - statement_timestamp() as left from deadline where clock = $1 and stopped_at is null
"""
LISTED = """
select clock, facility, ma_lk, revision, started_at, due_at, state, stopped_at, late, reason, next_look_at, warned,
    provisional, offer_again
from deadline
where clock = $1 and stopped_at is null and state = any($2::text[]) and ($3::text is null or facility = $3)
order by due_at limit $4
"""
# What is late already is no prediction. The one that is due first started first.
WAITING = """
select min(due_at) as due_at, count(*) as number from deadline
where clock = $1 and stopped_at is null and due_at >= statement_timestamp()
group by date_bin($2, due_at, 'epoch') order by 1
"""
OLDEST = """
select started_at from deadline
where clock = $1 and stopped_at is null and due_at >= statement_timestamp() order by due_at limit 1
"""
_NOW = "select statement_timestamp()"
_KEEP = """
insert into deadline_prediction (clock, at, per_second, running, breaches, first_at) values ($1, $2, $3, $4, $5, $6)
on conflict (clock) do update set at = excluded.at, per_second = excluded.per_second, running = excluded.running,
    breaches = excluded.breaches, first_at = excluded.first_at
"""
_PREDICTED = "select at, per_second, running, breaches, first_at from deadline_prediction where clock = $1"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits of one clock at the database's `now`, in groups by due time; `busy_since`: the oldest one's start."""

    now: datetime
    waiting: list[Waiting]
    busy_since: datetime | None


class PostgresFigures:
    """Everything raises RetryLater while the database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def counts(self) -> list[dict[str, Any]]:
        """How many clocks there are: `clock`, `state`, whether they are `running`, `number`."""
        return [dict(row) for row in await patiently(lambda: self._pool.fetch(_COUNTS), "database")]

    async def nearest(self, clock: str) -> timedelta | None:
        """Time left for the most urgent one that runs, negative when past; None when none runs."""
        left: timedelta | None = await patiently(lambda: self._pool.fetchval(NEAREST, clock), "database")
        return left

    async def backlog(self, clock: str, group: timedelta) -> Backlog:
        """What runs of a clock and is not late."""

        async def ask() -> Backlog:
            async with self._pool.acquire() as connection:
                rows = await connection.fetch(WAITING, clock, group)
                return Backlog(
                    await connection.fetchval(_NOW),
                    [Waiting(row["due_at"], row["number"]) for row in rows],
                    await connection.fetchval(OLDEST, clock),
                )

        return await patiently(ask, "database")

    async def keep(self, clock: str, at: datetime, found: Prediction) -> None:
        """The prediction that `deadline show` tells."""
        told = found.per_second, found.running, found.breaches, found.first_at
        await patiently(lambda: self._pool.execute(_KEEP, clock, at, *told), "database")

    async def predicted(self, clock: str) -> dict[str, Any] | None:
        """The last prediction, and when it was made; None before the first."""
        row = await patiently(lambda: self._pool.fetchrow(_PREDICTED, clock), "database")
        return None if row is None else dict(row)

    async def listed(self, clock: str, states: Sequence[str], facility: str | None, limit: int) -> list[Deadline]:
        """Those that run, nearest due time first."""
        rows = await patiently(lambda: self._pool.fetch(LISTED, clock, states, facility, limit), "database")
        return [deadline_of(row) for row in rows]
