"""What the whole flow looks like now: the promise of a day, what waits where, facilities side by side.

Read by the console and `status --watch`. Counts and times by facility and stage; of visits only their keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from events.deadline import DeadlineState
from events.health_book import HealthBookDisplayed, HealthBookEntry
from events.visit import VisitAccepted, VisitClosed, VisitHeld, VisitSigned, VisitValidated
from streams.adapters.postgres import patiently
from streams.sla.clocks import CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN

WAITS_FOR: Mapping[str, str] = {
    VisitClosed.topic: "validate",
    VisitValidated.topic: "sign",
    VisitHeld.topic: "person",
    VisitSigned.topic: "forward",
    VisitAccepted.topic: "publish",
    HealthBookEntry.topic: "display",
}
"""The furthest event of a revision that has not ended → who is to act next, in the order of the flow."""

FLOW: Mapping[str, str] = {
    **{stage: topic for topic, stage in WAITS_FOR.items()},
    "shown": HealthBookDisplayed.topic,
}
"""Where visits wait → the event that brought them there; what was shown waits for nobody."""

PROMISES = (CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN)

_PROMISE = """
select clock, case when late then 'BREACHED' else state end as state, count(*) as number
from deadline where started_at >= $1 and started_at < $2 and clock = any($3::text[]) group by 1, 2
"""
# A revision with a clock that runs has not ended; what its story tells furthest says who is to act.
_WAITING = """
with open as (
    select distinct facility, ma_lk, revision from deadline where stopped_at is null and clock = any($1::text[])
), furthest as (
    select distinct on (facility, ma_lk, revision) type, happened_at
    from open join timeline using (facility, ma_lk, revision)
        join unnest($2::text[]) with ordinality as step (type, rank) using (type)
    order by facility, ma_lk, revision, rank desc
)
select type, count(*) as number, min(happened_at) as oldest from furthest group by type
"""
_CAME = """
select type, count(*) as number from timeline
where recorded_at > statement_timestamp() - make_interval(secs => $1) group by type
"""
# By clock, each from the present on in both directions: the index has them in this order, however many run.
_NEAREST = """
select wanted.clock, facility, ma_lk, revision, state, due_at, late
from unnest($1::text[]) as wanted (clock) cross join lateral (
    (select * from deadline where clock = wanted.clock and stopped_at is null and due_at >= $3 order by due_at limit $2)
    union all
    (select * from deadline where clock = wanted.clock and stopped_at is null and due_at < $3
     order by due_at desc limit $2)
) as near
order by due_at < $3, abs(extract(epoch from due_at - $3))
"""
_LEAGUE = """
with day as (
    select facility, clock, state, late, reason from deadline where started_at >= $1 and started_at < $2
        and ($3 = '' or strpos(lower(facility), lower($3)) > 0 or facility = any($4::text[]))
), facility as (
    select facility,
        count(*) filter (where clock = $5 and state <> 'SUPERSEDED') as closed,
        count(*) filter (where clock = $5 and state = 'NOT_DUE') as returned,
        count(*) filter (where clock = $5 and state in ('MET', 'BREACHED')) as due,
        count(*) filter (where clock = $5 and late) as late_receipt,
        count(*) filter (where clock = $6 and state <> 'SUPERSEDED') as received,
        count(*) filter (where clock = $6 and state = 'MET') as shown,
        count(*) filter (where clock = $6 and late) as late_shown,
        count(*) filter (where state in ('RUNNING', 'AT_RISK')) as running
    from day group by facility
)
select *, count(*) over () as total from facility order by late_shown desc, late_receipt desc, closed desc, facility
limit $7 offset $8
"""


@dataclass(frozen=True, slots=True)
class Promise:
    """The clocks of one kind that started in the period, by how they stand."""

    clock: str
    numbers: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.numbers.values())

    @property
    def owed(self) -> int:
        """Those that the promise is about."""
        return self.total - self.numbers.get(DeadlineState.NOT_DUE, 0) - self.numbers.get(DeadlineState.SUPERSEDED, 0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many revisions wait for a stage, since when the oldest does, and how many came there lately, a minute."""

    stage: str
    number: int
    oldest: datetime | None
    a_minute: float


@dataclass(frozen=True, slots=True)
class League:
    """One page of the facilities of a period, those with late visits first, and how many there are in all."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0


class Overview:
    """Everything raises RetryLater while the database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def promises(self, since: datetime, until: datetime) -> list[Promise]:
        """How the clocks of both promises stand that started in the period."""
        rows = await self._fetch(_PROMISE, since, until, list(PROMISES))
        return [
            Promise(clock, {row["state"]: row["number"] for row in rows if row["clock"] == clock}) for clock in PROMISES
        ]

    async def waiting(self, seconds: float = 300) -> list[Waiting]:
        """What has not ended, by who is to act next; rates are of the last `seconds`."""
        open_ = {row["type"]: row for row in await self._fetch(_WAITING, list(PROMISES), list(WAITS_FOR))}
        came = {row["type"]: row["number"] for row in await self._fetch(_CAME, seconds)}
        return [
            Waiting(
                stage,
                open_[topic]["number"] if topic in open_ else 0,
                open_[topic]["oldest"] if topic in open_ else None,
                came.get(topic, 0) * 60 / seconds,
            )
            for stage, topic in FLOW.items()
        ]

    async def nearest(self, limit: int, now: datetime) -> list[dict[str, Any]]:
        """The running clocks that are due first: these can still be kept. A quarter at least is left to late ones."""
        rows = [dict(row) for row in await self._fetch(_NEAREST, list(PROMISES), limit, now)]
        late = [row for row in rows if row["due_at"] < now]
        running = rows[: len(rows) - len(late)][: limit - min(len(late), limit // 4)]
        return running + late[: limit - len(running)]

    async def league(
        self, since: datetime, until: datetime, search: str, named: Sequence[str], limit: int, offset: int
    ) -> League:
        """Facilities with visits in the period whose code contains `search`, or is one of `named`."""
        rows = await self._fetch(_LEAGUE, since, until, search, list(named), *PROMISES, limit, offset)
        return League([dict(row) for row in rows], rows[0]["total"] if rows else 0)

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return list(await patiently(lambda: self._pool.fetch(sql, *arguments), "database"))
