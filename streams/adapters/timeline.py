"""The stories of the visits (table `timeline`): written by `record`, read by `visit show` and `visit list`."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from streams.adapters.postgres import patiently
from streams.domain.story import StoryLine

_ADD = """
insert into timeline (event_id, facility, ma_lk, revision, type, happened_at, detail)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::jsonb[])
on conflict do nothing
"""


class PostgresTimeline:
    """Port `Timeline` of record."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def add(self, lines: Sequence[StoryLine]) -> None:
        """See the port. Raises RetryLater while the database is away."""
        if not lines:
            return
        await patiently(
            lambda: self._pool.execute(
                _ADD,
                [line.event_id for line in lines],
                [line.facility for line in lines],
                [line.ma_lk for line in lines],
                [line.revision for line in lines],
                [line.type for line in lines],
                [line.happened_at for line in lines],
                [json.dumps(line.detail, ensure_ascii=False) for line in lines],
            ),
            "database",
        )

    async def story(self, facility: str, ma_lk: str) -> list[dict[str, Any]]:
        """All lines of one visit, oldest revision first, each in the order in which it happened."""
        rows = await self._pool.fetch(
            "select revision, type, happened_at, detail from timeline where facility = $1 and ma_lk = $2"
            " order by revision, happened_at, recorded_at",
            facility,
            ma_lk,
        )
        return [dict(row) | {"detail": json.loads(row["detail"])} for row in rows]

    async def visits(self, facility: str | None, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Visits whose story touches the period, the latest first: their revision and the last thing that happened."""
        rows = await self._pool.fetch(
            """
            select distinct on (facility, ma_lk) facility, ma_lk, revision, type, happened_at
            from timeline
            where ($1::text is null or facility = $1) and happened_at >= $2 and happened_at < $3
                and type <> 'deadline.changed.v1'
            order by facility, ma_lk, revision desc, happened_at desc, recorded_at desc
            limit $4
            """,
            facility,
            since,
            until,
            limit,
        )
        return [dict(row) for row in rows]
