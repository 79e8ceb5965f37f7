"""Which bytes each revision stands for (table `revision`)."""

from collections.abc import Sequence

import asyncpg

from streams.adapters.coalescer import Coalescer
from streams.adapters.postgres import patiently

_FIRST_DIGESTS = """
with asked as (
    select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) with ordinality
        as item (facility, ma_lk, revision, digest, number)
), added as (
    insert into revision (facility, ma_lk, revision, dossier_sha256)
    select distinct on (facility, ma_lk, revision) facility, ma_lk, revision, digest
    from asked order by facility, ma_lk, revision, number
    on conflict do nothing
    returning facility, ma_lk, revision, dossier_sha256
)
select coalesce(added.dossier_sha256, revision.dossier_sha256) as digest
from asked
left join added using (facility, ma_lk, revision)
left join revision using (facility, ma_lk, revision)
order by number
"""

Claim = tuple[str, str, int, str]


class PostgresRevisions:
    """Port `Revisions` of validate."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._ask = Coalescer(self._first_digests)

    async def first_digest(self, facility: str, ma_lk: str, revision: int, digest: str) -> str:
        """See the port. Raises RetryLater while the database is away."""
        return await self._ask((facility, ma_lk, revision, digest))

    async def _first_digests(self, claims: Sequence[Claim]) -> list[str]:
        columns = [list(column) for column in zip(*claims, strict=True)]
        rows = await patiently(lambda: self._pool.fetch(_FIRST_DIGESTS, *columns), "database")
        # A claim that another worker committed while ours ran is neither added nor visible yet: ask for it again.
        answers: list[str | None] = [row["digest"] for row in rows]
        again = [claim for claim, answer in zip(claims, answers, strict=True) if answer is None]
        later = iter(await self._first_digests(again) if again else [])
        return [answer if answer is not None else next(later) for answer in answers]
