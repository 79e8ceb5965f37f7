"""What the causes of missed deadlines are read from: the visits' lines, attempts, decisions, and the outages."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from streams.adapters.deadlines import deadline_of
from streams.adapters.outages import overlapping
from streams.adapters.postgres import patiently
from streams.domain.lateness import SLOW, Cause, Course, cause_of
from streams.domain.outage import Side
from streams.sla.deadline import Deadline

Visit = tuple[str, str]

_VISITS = "join unnest($1::text[], $2::text[]) as visit (facility, ma_lk) using (facility, ma_lk)"
_LINES = f"""
select facility, ma_lk, revision, type, happened_at, detail from timeline {_VISITS} order by revision, happened_at
"""  # noqa: S608 - put together from constants
_ATTEMPTS = f"""
select facility, ma_lk, revision, started_at, result from submission {_VISITS}
join submission_attempt on submission_attempt.submission = submission.id order by revision, number
"""  # noqa: S608
# Sends of each facility that took long, overlapping ones as one.
_SLOW = """
select facility, unnest(range_agg(tstzrange(started_at, started_at + duration))) as span
from submission_attempt join submission on submission.id = submission
where facility = any($1::text[]) and duration > $2 and started_at + duration > $3
    and started_at > $3 - interval '1 hour' and started_at < $4  -- no send lasts longer; for the index
group by facility
"""
_DECISIONS = f"select facility, ma_lk, revision, decided_at from decision {_VISITS} order by decision.id"  # noqa: S608


_LATE = """
select clock, facility, ma_lk, revision, started_at, due_at, state, stopped_at, late, reason, next_look_at, warned,
    provisional, offer_again
from deadline where late and started_at >= $1 and started_at < $2 and ($3::text is null or facility = $3)
order by due_at, facility, ma_lk, revision, clock
"""
_AT_ONCE = 1000  # clocks whose stories are in memory together


async def late_clocks(
    pool: "asyncpg.Pool[asyncpg.Record]", since: datetime, until: datetime, facility: str | None, now: datetime
) -> list[tuple[Deadline, Cause | None]]:
    """Every missed deadline that started in [since, until), with its cause; by due time. Raises RetryLater."""
    rows = await patiently(lambda: pool.fetch(_LATE, since, until, facility), "database")
    late = [deadline_of(row) for row in rows]
    found: list[tuple[Deadline, Cause | None]] = []
    for start in range(0, len(late), _AT_ONCE):
        found += await causes(pool, late[start : start + _AT_ONCE], now)
    return found


async def causes(
    pool: "asyncpg.Pool[asyncpg.Record]", late: Sequence[Deadline], now: datetime
) -> list[tuple[Deadline, Cause | None]]:
    """Whose turn it was for most of the time, for each of these clocks. Raises RetryLater.

    Five queries, however many clocks there are.
    """
    if not late:
        return []
    visits = sorted({(item.facility, item.ma_lk) for item in late})
    lines, attempts, decisions = [await _told(pool, query, visits) for query in (_LINES, _ATTEMPTS, _DECISIONS)]
    since, until = min(item.started_at for item in late), max(item.stopped_at or now for item in late)
    outages = await overlapping(pool, list(Side), since, until)
    slow = await _slow(pool, sorted({item.facility for item in late}), since, until)

    def course(item: Deadline) -> Course:
        visit = item.facility, item.ma_lk
        return Course(
            clock=item.clock,
            revision=item.revision,
            since=item.started_at,
            until=item.stopped_at or now,
            lines=lines[visit],
            attempts=attempts[visit],
            decisions=decisions[visit],
            outages=[outage for outage in outages if outage.facility in (None, item.facility)],
            slow=slow[item.facility],
        )

    return [(item, cause_of(course(item))) for item in late]


async def _slow(
    pool: "asyncpg.Pool[asyncpg.Record]", facilities: Sequence[str], since: datetime, until: datetime
) -> Mapping[str, list[tuple[datetime, datetime]]]:
    found: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in await patiently(lambda: pool.fetch(_SLOW, facilities, SLOW, since, until), "database"):
        found[row["facility"]].append((row["span"].lower, row["span"].upper))
    return found


async def _told(
    pool: "asyncpg.Pool[asyncpg.Record]", query: str, visits: Sequence[Visit]
) -> Mapping[Visit, list[dict[str, Any]]]:
    facilities, numbers = [facility for facility, _ in visits], [ma_lk for _, ma_lk in visits]
    found: dict[Visit, list[dict[str, Any]]] = defaultdict(list)
    for row in await patiently(lambda: pool.fetch(query, facilities, numbers), "database"):
        told = dict(row)
        if "detail" in told:
            told["detail"] = json.loads(told["detail"])
        found[row["facility"], row["ma_lk"]].append(told)
    return found
