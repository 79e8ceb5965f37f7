"""What the processor `deadlines` has still to tell: changes of clocks, and entries to be offered again.

Both are marked once they are on their topic; a crash before that tells them again, under the same id.
"""

from collections.abc import Sequence

import asyncpg

from events.deadline import DeadlineChanged, DeadlineState
from events.health_book import HealthBookReminder
from streams.adapters.deadlines import columns
from streams.adapters.postgres import patiently

UNANNOUNCED = """
select clock, facility, ma_lk, revision, state, started_at, due_at, stopped_at, late, reason, warned, provisional
from deadline where not announced limit $1
"""
# Only what was told is marked: it may have moved on meanwhile.
_ANNOUNCED = """
update deadline set announced = true
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::integer[], $7::timestamptz[])
    as told (clock, facility, ma_lk, revision, state, warned, started_at)
where (deadline.clock, deadline.facility, deadline.ma_lk, deadline.revision, deadline.state, deadline.warned,
    deadline.started_at) = (told.clock, told.facility, told.ma_lk, told.revision, told.state, told.warned,
    told.started_at)
"""
UNOFFERED = """
select facility, ma_lk, revision, offer_again, started_at, due_at, entry_partition, entry_offset
from (
    select facility, ma_lk, revision, offer_again, started_at, due_at from deadline where offer_again > offered limit $1
) as due cross join lateral (
    select entry_partition, entry_offset from deadline_facts as facts
    where (facts.facility, facts.ma_lk, facts.revision) = (due.facility, due.ma_lk, due.revision) limit 1
) as place
"""
_OFFERED = """
update deadline set offered = greatest(offered, told.mark)
from unnest($1::text[], $2::text[], $3::bigint[], $4::integer[]) as told (facility, ma_lk, revision, mark)
where (deadline.facility, deadline.ma_lk, deadline.revision) = (told.facility, told.ma_lk, told.revision)
    and offer_again > 0
"""


class PostgresNews:
    """Everything raises RetryLater while the database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def unannounced(self, limit: int = 500) -> list[DeadlineChanged]:
        """Changes that deadline.changed.v1 has not told yet."""
        rows = await patiently(lambda: self._pool.fetch(UNANNOUNCED, limit), "database")
        return [DeadlineChanged(**{**row, "state": DeadlineState(row["state"])}) for row in rows]

    async def announced(self, told: Sequence[DeadlineChanged]) -> None:
        """These changes are on the topic."""
        named = ("clock", "facility", "ma_lk", "revision", "state", "warned", "started_at")
        rows = [[getattr(item, name) for name in named] for item in told]
        await patiently(lambda: self._pool.execute(_ANNOUNCED, *columns(rows)), "database")

    async def unoffered(self, limit: int = 500) -> list[HealthBookReminder]:
        """Entries that were not acknowledged and are to be offered again."""
        rows = await patiently(lambda: self._pool.fetch(UNOFFERED, limit), "database")
        return [
            HealthBookReminder(
                entry_id=f"{row['facility']}|{row['ma_lk']}",
                version=row["revision"],
                mark=row["offer_again"],
                received_at=row["started_at"],
                due_at=row["due_at"],
                entry_partition=row["entry_partition"],
                entry_offset=row["entry_offset"],
            )
            for row in rows
        ]

    async def offered(self, told: Sequence[HealthBookReminder]) -> None:
        """These entries were offered again."""
        rows = [(*item.entry_id.split("|", 1), item.version, item.mark) for item in told]
        await patiently(lambda: self._pool.execute(_OFFERED, *columns(rows)), "database")
