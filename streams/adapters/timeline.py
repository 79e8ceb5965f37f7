"""The stories of the visits (table `timeline`): written by `record`, read by `visit show` and `visit list`."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from events.deadline import DeadlineChanged
from streams.adapters.postgres import patiently
from streams.domain.story import StoryLine, VisitState, state_of

_ADD = """
insert into timeline (event_id, facility, ma_lk, revision, type, happened_at, detail)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::jsonb[])
on conflict do nothing
"""
_VISITS = """
with visit as (
    select distinct facility, ma_lk from timeline
    where ($1::text is null or facility = $1) and happened_at >= $2 and happened_at < $3
)
select facility, ma_lk, revision, type, happened_at, detail from visit join timeline using (facility, ma_lk)
order by facility, ma_lk, revision, happened_at, recorded_at
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

    async def visits(
        self, facility: str | None, since: datetime, until: datetime, states: Collection[VisitState], limit: int
    ) -> list[dict[str, Any]]:
        """Visits whose story touches the period, by facility and MA_LK: newest revision, its state, its last event.

        `states` empty: all. However many visits the period has, those of `limit` are in memory.
        """
        found: list[dict[str, Any]] = []
        async with self._pool.acquire() as connection, connection.transaction():
            visit: list[dict[str, Any]] = []
            async for row in connection.cursor(_VISITS, facility, since, until, prefetch=1000):
                line = dict(row) | {"detail": json.loads(row["detail"])}
                if visit and _visit_of(visit[0]) != _visit_of(line):
                    found += _listed(visit, states)
                    visit = []
                if len(found) == limit:
                    return found
                visit.append(line)
        return (found + _listed(visit, states))[:limit] if visit else found


def _visit_of(line: dict[str, Any]) -> tuple[str, str]:
    return line["facility"], line["ma_lk"]


def _listed(lines: list[dict[str, Any]], states: Collection[VisitState]) -> list[dict[str, Any]]:
    """The newest revision in one line, unless another state is asked for; `lines` are in the order of the story."""
    newest = [line for line in lines if line["revision"] == lines[-1]["revision"]]
    state = state_of(newest)
    if states and state not in states:
        return []
    # A clock that moved is no news of the visit, unless nothing else is known of it.
    *_, last = [line for line in newest if line["type"] != DeadlineChanged.topic] or newest
    shown = ("facility", "ma_lk", "revision", "happened_at")
    return [{name: last[name] for name in shown} | {"state": state, "last_event": last["type"]}]
