"""When each facility was heard, and what is expected of it (table `rhythm`)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.sla.flow import Step
from streams.sla.silence import learn

_HEARD = """
insert into rhythm as known (facility, first_at, last_at)
select facility, min(at), max(at) from unnest($1::text[], $2::timestamptz[]) as told (facility, at)
group by facility order by facility
on conflict (facility) do update set
    first_at = least(known.first_at, excluded.first_at), last_at = greatest(known.last_at, excluded.last_at)
"""
_TO_LEARN = """
select facility, first_at, last_at from rhythm where learned_at is null or learned_at < $1
order by learned_at nulls first limit $2
"""
_HOURS = "select facility, hour, revisions from flow_hour where facility = any($1::text[]) and step = $2 and hour >= $3"
_LEARNED = """
update rhythm set expected = learned.expected::real[], learned_at = $3
from unnest($1::text[], $2::text[]) as learned (facility, expected) where rhythm.facility = learned.facility
"""
_FORGET = "delete from flow_hour where hour < $1"
_LAST = "select facility, last_at, learned_at from rhythm where expected is not null"
_NEWEST = "select max(last_at) from rhythm"
_MARK = "update rhythm set silent = not silent where silent is distinct from (facility = any($1::text[]))"
_SILENT = "select facility, last_at from rhythm where silent order by last_at, facility limit $1"
_EXPECTED = "select facility, expected from rhythm where facility = any($1::text[])"


@dataclass(frozen=True, slots=True)
class Last:
    """When a facility of which the rhythm is known was heard last, and when its rhythm was learned."""

    facility: str
    last_at: datetime
    learned_at: datetime


async def heard(connection: Connection, told: Sequence[tuple[str, datetime]]) -> None:
    """Facilities closed visits at these times; inside of the caller's transaction."""
    if told:
        await connection.execute(_HEARD, [facility for facility, _ in told], [at for _, at in told])


class PostgresRhythms:
    """Everything raises RetryLater while the database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def learn(self, hours: Sequence[tuple[datetime, int]], older_than: datetime, now: datetime, most: int) -> int:
        """Learns anew what is older; at most so many facilities. Answers how many it was."""
        return await patiently(lambda: self._learn(hours, older_than, now, most), "database")

    async def newest(self) -> datetime | None:
        """When anybody was heard last."""
        found: datetime | None = await patiently(lambda: self._pool.fetchval(_NEWEST), "database")
        return found

    async def last(self) -> list[Last]:
        """Of each facility of which enough is known."""
        rows = await patiently(lambda: self._pool.fetch(_LAST), "database")
        return [Last(**row) for row in rows]

    async def expected(self, facilities: Sequence[str]) -> dict[str, tuple[float, ...]]:
        """The rhythms of these."""
        rows = await patiently(lambda: self._pool.fetch(_EXPECTED, list(facilities)), "database")
        return {row["facility"]: tuple(row["expected"]) for row in rows if row["expected"] is not None}

    async def mark_silent(self, facilities: Sequence[str]) -> None:
        """These have gone quiet, and no others."""
        await patiently(lambda: self._pool.execute(_MARK, list(facilities)), "database")

    async def silent(self, most: int) -> dict[str, datetime]:
        """Who has gone quiet, and when each was heard last; the longest first."""
        rows = await patiently(lambda: self._pool.fetch(_SILENT, most), "database")
        return {row["facility"]: row["last_at"] for row in rows}

    async def _learn(
        self, hours: Sequence[tuple[datetime, int]], older_than: datetime, now: datetime, most: int
    ) -> int:
        rows = await self._pool.fetch(_TO_LEARN, older_than, most)
        if not rows or not hours:
            return 0
        facilities = [row["facility"] for row in rows]
        told: dict[str, dict[datetime, int]] = defaultdict(dict)
        for row in await self._pool.fetch(_HOURS, facilities, Step.CLOSED, hours[0][0]):
            told[row["facility"]][row["hour"]] = row["revisions"]
        learned = [learn(told[row["facility"]], row["first_at"], row["last_at"], hours) for row in rows]
        texts = [None if item is None else "{" + ",".join(f"{value:.6g}" for value in item) + "}" for item in learned]
        await self._pool.execute(_LEARNED, facilities, texts, now)
        await self._pool.execute(_FORGET, hours[0][0])  # nobody reads further back
        return len(rows)
