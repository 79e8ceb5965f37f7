"""What the adapters counted of each day (table `day_count`): written by `flow`, read by `facility reconcile`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import asyncpg

from events.day import DayCounted
from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.domain.reconciliation import Spooled

_ADD = """
insert into day_count as known
    (facility, day, spool, number, closed, waiting, waiting_omitted, counted_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (facility, day, spool) do update set
    number = excluded.number, closed = excluded.closed, waiting = excluded.waiting,
    waiting_omitted = excluded.waiting_omitted, counted_at = excluded.counted_at
where known.number < excluded.number
"""
_COUNTED = "select closed, waiting, waiting_omitted, counted_at from day_count where facility = $1 and day = $2"


@dataclass(frozen=True, slots=True)
class Counted:
    """What the adapters of a facility say of its day, all together. `told_at`: when the first of them last told."""

    closed: int
    told_at: datetime
    spooled: tuple[Spooled, ...]
    omitted: int


async def add_counts(connection: Connection, counts: Sequence[DayCounted]) -> None:
    """Keeps of each spool and day what it said under the highest number, in whichever order they come."""
    rows = [
        (
            count.facility,
            count.day,
            count.spool,
            count.number,
            count.closed,
            json.dumps([asdict(item) for item in count.waiting], ensure_ascii=False),
            count.waiting_omitted,
            count.counted_at,
        )
        for count in sorted(counts, key=lambda count: count.key)
    ]
    await connection.executemany(_ADD, rows)


async def counted(pool: "asyncpg.Pool[asyncpg.Record]", facility: str, of_day: date) -> Counted | None:
    """What they said; None when no adapter has told of that day. Raises RetryLater."""
    rows = await patiently(lambda: pool.fetch(_COUNTED, facility, of_day), "database")
    if not rows:
        return None
    spooled = [
        Spooled(item["ma_lk"], item["revision"], item["refused"], row["counted_at"])
        for row in rows
        for item in json.loads(row["waiting"])
    ]
    return Counted(
        sum(row["closed"] for row in rows),
        min(row["counted_at"] for row in rows),
        tuple(spooled),
        sum(row["waiting_omitted"] for row in rows),
    )
