"""What is known here of one facility's day: stories, ledger, holds, dead letters, and what the adapters counted."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import asyncpg

from events.deadline import DeadlineChanged
from events.envelope import read_headers
from events.topics import VISIT_ACCEPTED, VISIT_CLOSED, VISIT_SIGNED, VISIT_VALIDATED
from events.visit import VisitClosed, VisitLateVerdict, VisitRefused, VisitRejected
from streams.adapters.dead_letters import DeadLetterActs, DeadLetterTopics
from streams.adapters.held import standings_of
from streams.adapters.outages import running
from streams.adapters.postgres import patiently
from streams.domain.dead_letter import Letter, Order
from streams.domain.dossier.moments import VIETNAM
from streams.domain.held import Standing
from streams.domain.outage import Outage, Side
from streams.domain.outcome import DeadEnd, Known
from streams.domain.reconciliation import Day, Spooled
from streams.domain.story import VisitState, state_of

WAY = (VISIT_CLOSED, VISIT_VALIDATED, VISIT_SIGNED, VISIT_ACCEPTED)
"""What a visit passes on its way: a dead letter of these, put aside by the stage that moves it on, stops it."""

_MOVING = ("validate", "sign", "forward", "publish")

_STORIES = """
with visit as (
    select ma_lk from timeline where facility = $1 and type = $4 and happened_at >= $2 and happened_at < $3
    union select unnest($5::text[])
)
select ma_lk, revision, type, happened_at, detail, event_id from visit join timeline using (ma_lk) where facility = $1
"""
_LAST_ANSWERS = """
select distinct on (ma_lk, revision) ma_lk, revision, concat_ws(' ', result, code) as answer
from submission join submission_attempt on submission_attempt.submission = submission.id
where facility = $1 and ma_lk = any($2::text[]) and result is not null
order by ma_lk, revision, number desc
"""


async def day(
    pool: "asyncpg.Pool[asyncpg.Record]",
    letters: Sequence[Letter],
    facility: str,
    of_day: date,
    *,
    named: Collection[str] = (),
    spooled: Iterable[Spooled] = (),
) -> Day:
    """Every revision that closed on that day in Vietnam, with all others of its visit, and all of `named` visits.

    `letters`: the open ones, see `open_letters`. Raises RetryLater.
    """
    spooled = tuple(spooled)
    since = datetime.combine(of_day, time(), VIETNAM)
    until = since + timedelta(days=1)
    asked = sorted({*named, *(item.ma_lk for item in spooled)})
    stories = await patiently(
        lambda: pool.fetch(_STORIES, facility, since, until, VisitClosed.topic, asked), "database"
    )
    lines: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in stories:
        lines[row["ma_lk"], row["revision"]].append(dict(row) | {"detail": json.loads(row["detail"])})
    visits = sorted({ma_lk for ma_lk, _ in lines})
    standings: dict[tuple[str, int], list[Standing]] = defaultdict(list)
    for ma_lk, standing in await standings_of(pool, facility, visits):
        standings[ma_lk, standing.revision].append(standing)
    answers = {
        (row["ma_lk"], row["revision"]): row["answer"]
        for row in await patiently(lambda: pool.fetch(_LAST_ANSWERS, facility, visits), "database")
    }
    ids = {str(line["event_id"]): revision for revision, told in lines.items() for line in told}
    stopped, unread = _dead_ends(letters, facility, ids, since, until)
    known = [
        _known(revision, told, standings[revision], answers.get(revision), stopped.get(revision), since, until)
        for revision, told in lines.items()
    ]
    return Day(known, spooled, unread, {stage: out for item in await running(pool) for stage, out in _stopped(item)})


async def open_letters(
    connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", topics: DeadLetterTopics, facility: str
) -> list[Letter]:
    """The dead letters of a facility that stop a visit and that nobody dealt with. Raises RetryLater."""
    letters = await topics.letters()
    order = Order(letters, await DeadLetterActs(connection).of([topic.name for topic in WAY]))
    return [
        item
        for item in letters
        if item.stage in _MOVING and (item.visit or "").startswith(f"{facility}|") and order.open(item)
    ]


_STOPPED_BY = {Side.GATEWAY: ("forward",), Side.DISPLAY: ("display",), Side.US: ("forward", "display")}


def _stopped(item: Outage) -> Iterator[tuple[str, str]]:
    """The stages that an outage keeps from moving on, and how it is called."""
    for stage in _STOPPED_BY.get(item.subject, ()):
        yield stage, f"outage {item.id} ({item.subject}, since {item.from_at.astimezone(VIETNAM):%Y-%m-%d %H:%M})"


def _known(
    revision: tuple[str, int],
    lines: Sequence[Mapping[str, Any]],
    standings: Sequence[Standing],
    answer: str | None,
    dead: DeadEnd | None,
    since: datetime,
    until: datetime,
) -> Known:
    closed_at = next((line["happened_at"] for line in lines if line["type"] == VisitClosed.topic), None)
    state = state_of(lines) or VisitState.CLOSED
    return Known(
        *revision,
        closed_at=closed_at,
        on_day=closed_at is not None and since <= closed_at < until,
        state=state,
        reason=_reason(state, lines),
        standings=tuple(standings),
        last_answer=answer,
        dead=dead,
    )


_ENDED_BY = {
    VisitState.REJECTED: VisitRejected.topic,
    VisitState.REFUSED: VisitRefused.topic,
    VisitState.LATE_VERDICT: VisitLateVerdict.topic,
    VisitState.NOT_DUE: DeadlineChanged.topic,
}


def _reason(state: VisitState, lines: Iterable[Mapping[str, Any]]) -> str | None:
    """The codes with which the story ends."""
    codes: list[str] = []
    for detail in (line["detail"] for line in lines if line["type"] == _ENDED_BY.get(state)):
        codes += [item["code"] for item in detail.get("findings", ()) if item.get("severity") != "warning"]
        codes += [code for name in ("code", "reason") if (code := detail.get(name))]
    return ", ".join(dict.fromkeys(codes)) or None


def _dead_ends(
    letters: Iterable[Letter], facility: str, ids: Mapping[str, tuple[str, int]], since: datetime, until: datetime
) -> tuple[dict[tuple[str, int], DeadEnd], list[DeadEnd]]:
    """Those of a revision that is known, by the id of its event, and those of which only the key could be read."""
    stopped: dict[tuple[str, int], DeadEnd] = {}
    unread = []
    for item in letters:
        meta = read_headers(item.headers)
        ma_lk = (item.visit or "").removeprefix(f"{facility}|")
        # `ce_time` of a closed visit is when it closed.
        at = meta.time if meta and meta.time.tzinfo and meta.type == VisitClosed.topic else item.at
        found = DeadEnd(ma_lk, str(item.stage), str(item.reason), str(item.place), on_day=since <= at < until)
        revision = ids.get(meta.id) if meta else None
        if revision is None:
            unread.append(found)
        else:
            stopped[revision] = found
    return stopped, unread
