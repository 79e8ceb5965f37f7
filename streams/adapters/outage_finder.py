"""Finds outages of the gateway in the attempts of all dispatchers, and writes them into the ledger of outages."""

import asyncpg

from streams.adapters.outages import COLUMNS, LOCK, as_json, outage
from streams.adapters.postgres import patiently
from streams.domain.outage import NO_ANSWER, OUR_OWN, Evidence, Failures, Outage, Spell, cause, judged

_LAST = f"""
select {COLUMNS} from outage where subject = 'gateway' and not announced
order by coalesce(until_at, 'infinity') desc, id desc limit 1
"""  # noqa: S608 - put together from constants
_FAILED = "result = any($1::text[]) and code <> all($2::text[])"
_ANSWERED = "http_status is not null and result <> all($1::text[])"

# What failed within a maintenance, or before it and was not followed by an answer, shows nothing new. $3: since
# when the outage lasts that lasts now.
_EVIDENCE = f"""
with quiet as (
    select coalesce(max(until_at), '-infinity') as until from outage
    where subject = 'gateway' and announced and from_at <= statement_timestamp() and until_at > from_at
), answered as (
    select coalesce((
        select started_at from submission_attempt where {_ANSWERED} order by started_at desc limit 1
    ), '-infinity') as last_at
), failing as (
    select count(distinct submission) as failing, min(started_at) as failing_since
    from submission_attempt, quiet, answered
    where started_at > greatest(last_at, until) and {_FAILED}
)
select failing, failing_since, (
    select min(started_at + coalesce(duration, '0')) from submission_attempt
    where {_ANSWERED} and started_at > coalesce((
        select max(started_at) from submission_attempt where started_at >= $3 and started_at < last_at and {_FAILED}
    ), $3)
) as answered_at
from failing, answered
"""  # noqa: S608
_PROOF = f"""
select result, code, http_status, count(*) as attempts, count(distinct submission) as visits,
    min(started_at) as first_at, max(started_at) as last_at
from submission_attempt
where started_at >= $3 and started_at < coalesce($4::timestamptz, 'infinity') and {_FAILED}
group by result, code, http_status order by attempts desc, code
"""  # noqa: S608
_BEGIN = f"""
insert into outage (subject, from_at, until_at, found_by, cause, proof)
values ('gateway', $1, $2, 'attempts', $3, $4::jsonb) returning {COLUMNS}
"""  # noqa: S608
_CHANGE = f"""
update outage set from_at = $2, until_at = $3, proof = $5::jsonb,
    cause = case when found_by = 'attempts' then $4 else cause end
where id = $1 and (from_at, until_at, proof) is distinct from ($2, $3, $5::jsonb) returning {COLUMNS}
"""  # noqa: S608
_BY = (list(NO_ANSWER), list(OUR_OWN))


class OutageFinder:
    """Any number of them may look: one at a time does, and what was found already is not found again."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def look(self, *, failing: bool) -> Outage | None:
        """Writes what the attempts say, see `judged`; None when that changes nothing. Raises RetryLater."""

        async def look() -> Outage | None:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
                row = await connection.fetchrow(_LAST)
                last = outage(row) if row else None
                lasts_since = last.from_at if last is not None and last.until_at is None else None
                evidence = Evidence(*await connection.fetchrow(_EVIDENCE, *_BY, lasts_since) or (0, None, None))
                spell = judged(last, evidence, failing=failing)
                if spell is None:
                    return None
                rows = await connection.fetch(_PROOF, *_BY, spell.from_at, spell.until_at)
                statement, arguments = _statement(spell, [Failures(**row) for row in rows])
                found = await connection.fetchrow(statement, *arguments)
                return outage(found) if found else None

        return await patiently(look, "database")


def _statement(spell: Spell, proof: list[Failures]) -> tuple[str, tuple[object, ...]]:
    told = (spell.from_at, spell.until_at, cause(proof), as_json(proof))
    return (_BEGIN, told) if spell.outage is None else (_CHANGE, (spell.outage.id, *told))
