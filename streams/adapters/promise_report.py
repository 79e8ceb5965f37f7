"""How the promises were kept over a period, in numbers: one pass over the clocks, grouped every way at once.

A clock belongs to the day of Vietnam on which it started. Each is counted once: in time, late (its due time passed
unmet, whatever came later), running, superseded or not due; `owed` is what the promise is about, without the last two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import asyncpg

from streams.adapters.postgres import patiently


class Grouping(StrEnum):
    """By what the clocks are counted. ALL: together."""

    ALL = "all"
    DAY = "day"
    FACILITY = "facility"
    VISIT_TYPE = "visit-type"
    INSURED = "insured"


# GROUPING() tells which of the sets a row is of: the bit of each column that the row is not grouped by is 1.
_REPORT = """
with clock as (
    select clock, deadline.facility, deadline.state, late, stopped_at, stopped_at - started_at as took,
        to_char(started_at at time zone 'Asia/Ho_Chi_Minh', 'YYYY-MM-DD') as day,
        coalesce(visit_type, '') as visit_type, coalesce(insured::text, '') as insured
    from deadline left join submission using (facility, ma_lk, revision)
    where started_at >= $1 and started_at < $2 and ($3::text is null or deadline.facility = $3)
)
select clock,
    case grouping(day, facility, visit_type, insured)
        when 7 then 'day' when 11 then 'facility' when 13 then 'visit-type' when 14 then 'insured' else 'all'
    end as grouping,
    coalesce(day, facility, visit_type, insured, '') as value,
    count(*) filter (where late or state not in ('SUPERSEDED', 'NOT_DUE')) as owed,
    count(*) filter (where state = 'MET' and not late) as in_time,
    count(*) filter (where late) as late,
    count(*) filter (where late and stopped_at is null) as late_and_open,
    count(*) filter (where state in ('RUNNING', 'AT_RISK') and not late) as running,
    count(*) filter (where state = 'SUPERSEDED' and not late) as superseded,
    count(*) filter (where state = 'NOT_DUE' and not late) as not_due,
    percentile_disc(array[0.5, 0.95, 0.99]) within group (order by took)
        filter (where state in ('MET', 'BREACHED') and stopped_at is not null) as took
from clock group by grouping sets ((clock), (clock, day), (clock, facility), (clock, visit_type), (clock, insured))
order by clock, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """The clocks of one kind in one group. `p50`…`p99`: until they stopped, of those that did; None without any."""

    clock: str
    grouping: Grouping
    value: str
    owed: int
    in_time: int
    late: int
    late_and_open: int
    running: int
    superseded: int
    not_due: int
    p50: timedelta | None
    p95: timedelta | None
    p99: timedelta | None

    @property
    def share(self) -> float | None:
        """In time, of those that are decided; None before any is."""
        decided = self.in_time + self.late
        return self.in_time / decided if decided else None


async def promise_report(
    pool: "asyncpg.Pool[asyncpg.Record]",
    since: datetime,
    until: datetime,
    facility: str | None,
    groupings: Sequence[Grouping],
) -> list[Figures]:
    """Figures of every clock that started in the period, by clock, grouping and value. Raises RetryLater."""
    rows = await patiently(lambda: pool.fetch(_REPORT, since, until, facility), "database")
    return [_figures(row) for row in rows if row["grouping"] in groupings]


def _figures(row: asyncpg.Record) -> Figures:
    told = dict(row)
    p50, p95, p99 = told.pop("took") or (None, None, None)
    return Figures(**{**told, "grouping": Grouping(told["grouping"])}, p50=p50, p95=p95, p99=p99)
