"""What each revision was when it was first seen (tables `revision`, `sick_leave_serial`), for those that come later."""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from streams.adapters.coalescer import Coalescer
from streams.adapters.outbox import Connection
from streams.adapters.postgres import patiently
from streams.domain.dossier.history import EarlierDossiers, History
from streams.stages.validate import HandOver, Remembered

_ADD = """
insert into revision (facility, ma_lk, revision, dossier_sha256, patient_digest, arrival_day)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
on conflict do nothing
"""
_ADD_SERIALS = """
insert into sick_leave_serial as known (facility, serial_digest, ma_lk, revision)
select facility, serial, ma_lk, max(revision)
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as item (facility, serial, ma_lk, revision)
group by facility, serial, ma_lk order by facility, serial, ma_lk
on conflict (facility, serial_digest, ma_lk) do update set revision = greatest(known.revision, excluded.revision)
"""
_BEFORE = """
select first.dossier_sha256, before.patient_digest, before.arrival_day
from unnest($1::text[], $2::text[], $3::bigint[]) with ordinality as asked (facility, ma_lk, revision, number)
join revision as first using (facility, ma_lk, revision)
left join lateral (
    select patient_digest, arrival_day from revision as earlier
    where earlier.facility = asked.facility and earlier.ma_lk = asked.ma_lk and earlier.revision < asked.revision
        and rejected is not true
    order by earlier.revision desc limit 1
) as before on true
order by number
"""
# A visit that names the serial later does not make the one before it wrong; one whose correction dropped it, neither.
_OTHERS = """
select distinct mine.facility, mine.ma_lk, mine.serial_digest
from unnest($1::text[], $2::text[], $3::text[]) as asked (facility, serial_digest, ma_lk)
join sick_leave_serial as mine using (facility, serial_digest, ma_lk)
join sick_leave_serial as other using (facility, serial_digest)
where other.ma_lk <> mine.ma_lk and other.number < mine.number and other.revision = (
    select max(revision) from revision
    where revision.facility = other.facility and revision.ma_lk = other.ma_lk and rejected is not true
)
"""
# What once passed may be at the gateway, whatever a later look says (a facility that was not registered for a while).
_JUDGED = """
update revision set rejected = coalesce(revision.rejected, true) and verdict.rejected
from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::boolean[])
    as verdict (facility, ma_lk, revision, digest, rejected)
where revision.facility = verdict.facility and revision.ma_lk = verdict.ma_lk
    and revision.revision = verdict.revision and dossier_sha256 = digest
    and revision.rejected is distinct from (coalesce(revision.rejected, true) and verdict.rejected)
"""


class PostgresRevisions:
    """Port `Revisions` of validate."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._ask = Coalescer(self._remember)
        self._tell = Coalescer(self._judged)

    async def remember(self, hand_over: HandOver) -> Remembered:
        """See the port. Raises RetryLater while the database is away."""
        return await self._ask(hand_over)

    async def judged(self, hand_over: HandOver, *, rejected: bool) -> None:
        """See the port. Raises RetryLater while the database is away."""
        await self._tell((hand_over.facility, hand_over.ma_lk, hand_over.revision, hand_over.digest, rejected))

    async def _judged(self, verdicts: Sequence[tuple[str, str, int, str, bool]]) -> list[None]:
        await patiently(lambda: self._pool.execute(_JUDGED, *_columns(sorted(verdicts))), "database")
        return [None] * len(verdicts)

    async def _remember(self, given: Sequence[HandOver]) -> list[Remembered]:
        return await patiently(lambda: self._remember_in_one(given), "database")

    async def _remember_in_one(self, given: Sequence[HandOver]) -> list[Remembered]:
        # Always in the same order: two overlapping consumers wait for each other instead of deadlocking.
        ordered = sorted(given, key=lambda item: (item.facility, item.ma_lk, item.revision))
        serials = [(item, serial) for item in ordered if item.history for serial in item.history.serials]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_ADD, *_columns(_row(item) for item in ordered))
            others = await _serials_of_others(connection, serials) if serials else {}
            rows = await connection.fetch(_BEFORE, *_columns((i.facility, i.ma_lk, i.revision) for i in given))
        return [
            Remembered(
                row["dossier_sha256"],
                EarlierDossiers(
                    History(row["patient_digest"], row["arrival_day"]) if row["patient_digest"] else None,
                    others.get((item.facility, item.ma_lk), frozenset()),
                ),
            )
            for item, row in zip(given, rows, strict=True)
        ]


async def _serials_of_others(
    connection: Connection, serials: Sequence[tuple[HandOver, str]]
) -> dict[tuple[str, str], set[str]]:
    named = sorted((item.facility, serial, item.ma_lk, item.revision) for item, serial in serials)
    columns = _columns(named)
    await connection.execute(_ADD_SERIALS, *columns)
    found: dict[tuple[str, str], set[str]] = {}
    for row in await connection.fetch(_OTHERS, *columns[:3]):
        found.setdefault((row["facility"], row["ma_lk"]), set()).add(row["serial_digest"])
    return found


def _row(item: HandOver) -> tuple[Any, ...]:
    said = item.history
    patient, day = (said.patient or None, said.arrival_day) if said else (None, None)
    return item.facility, item.ma_lk, item.revision, item.digest, patient, day


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
