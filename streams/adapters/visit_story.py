"""Everything that is known about one visit, as `visit show` and the console tell it: a dictionary ready for JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import asyncpg

from streams.adapters import held
from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.lateness import causes
from streams.adapters.ledger import attempts_of
from streams.adapters.outages import waited_for
from streams.adapters.timeline import PostgresTimeline
from streams.domain.held import waits_for

_OF_CLOCK = (
    "clock",
    "revision",
    "state",
    "started_at",
    "due_at",
    "stopped_at",
    "late",
    "reason",
    "warned",
    "provisional",
)


async def visit_story(
    pool: "asyncpg.Pool[asyncpg.Record]", facility: str, ma_lk: str, letters: Sequence[dict[str, Any]] | None
) -> dict[str, Any] | None:
    """`story` (a line for each event), `decisions`, `standing`, `attempts`, `clocks` (a late one with its `cause`),
    `outages` (that a clock waited for), `dead_letters` (its own of `letters`); None when nobody told of it.

    `letters`: those of `every_letter`, None when they cannot be read: so are the visit's then. Raises RetryLater while
    the database is away.
    """
    story = await PostgresTimeline(pool).story(facility, ma_lk)
    # The key of a clock's event begins with its name.
    own = letters and [item for item in letters if (item["visit"] or "").split("|")[-2:] == [facility, ma_lk]]
    if not story and not own:
        return None
    standings = await held.standings(pool, facility, ma_lk)
    clocks = await PostgresDeadlines(pool, tuple).of_visit(facility, ma_lk)
    late = await causes(pool, [clock for clock in clocks if clock.late], datetime.now(UTC))
    cause_of = {clock.key: asdict(cause) for clock, cause in late if cause is not None}
    return {
        "facility": facility,
        "ma_lk": ma_lk,
        "story": story,
        "decisions": await held.decisions(pool, facility, ma_lk),
        "standing": [asdict(item) | {"waits_for": waits_for(item, standings)} for item in standings],
        "attempts": await attempts_of(pool, facility, ma_lk),
        "outages": await waited_for(pool, facility, ma_lk),
        "clocks": [
            {name: getattr(clock, name) for name in _OF_CLOCK} | {"cause": cause_of.get(clock.key)} for clock in clocks
        ],
        "dead_letters": own,
    }
