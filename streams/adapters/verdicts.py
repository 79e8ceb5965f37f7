"""The gateway's error lists in PostgreSQL (table `gateway_finding`), and the late verdicts in them as events."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

import asyncpg

from events.visit import VisitLateVerdict
from streams.adapters.outbox import Connection, Outbox
from streams.adapters.postgres import patiently
from streams.domain.feedback import About, Sending, ToldFinding, about, sending_of

_MOST_IN_ONE_EVENT = 200  # of at most 1000 characters each: the event stays below 1 MiB

# Locked, so that two imports of one list do not count the same verdict twice.
_REVISIONS = "select revision, closed_at from submission where facility = $1 and ma_lk = $2 order by id for update"
_SENDINGS = """
select revision, started_at, transaction_code, case
    when bool_or(result = 'ACCEPTED') over (partition by revision) then true
    when bool_or(result like 'PERMANENT%') over (partition by revision) then false
end as accepted
from submission_attempt join submission on submission.id = submission_attempt.submission
where facility = $1 and ma_lk = $2
"""
_LAST_VERDICT = """
select coalesce(max(verdict), 0) from gateway_finding where facility = $1 and ma_lk = $2 and revision = $3
"""
_ADD = """
insert into gateway_finding (
    facility, ma_lk, revision, verdict, transaction_code, code, table_name, row_number, field_name, message, told_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict do nothing returning true
"""


class PostgresVerdicts:
    """Keeps each line once. `outbox` must be prepared for VisitLateVerdict."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def add(self, lines: Sequence[ToldFinding]) -> Counter[About]:
        """Adds the lines, a transaction for each visit; counts what they are about. The same again changes nothing.

        Raises RetryLater while the database is away; visits that were done stay done.
        """
        counted: Counter[About] = Counter()
        for (facility, ma_lk), of_visit in groupby(sorted(lines, key=_visit), key=_visit):
            counted += await patiently(partial(self._add, facility, ma_lk, list(of_visit)), "database")
        return counted

    async def _add(self, facility: str, ma_lk: str, lines: Sequence[ToldFinding]) -> Counter[About]:
        counted: Counter[About] = Counter()
        async with self._pool.acquire() as connection, connection.transaction():
            closed_at = {
                row["revision"]: row["closed_at"] for row in await connection.fetch(_REVISIONS, facility, ma_lk)
            }
            sendings = [Sending(**row) for row in await connection.fetch(_SENDINGS, facility, ma_lk)]
            events = []
            for sending, told in _verdicts(lines, sendings):
                what, revision, number = about(sending), sending.revision if sending else None, None
                if what is About.ACCEPTED:
                    number = 1 + await connection.fetchval(_LAST_VERDICT, facility, ma_lk, revision)
                if what is About.UNANSWERED:
                    counted[what] += len(told)
                    continue
                new = [line for line in told if await _add_line(connection, line, revision, number)]
                counted += Counter({what: len(new), About.KNOWN: len(told) - len(new)})
                if new and number is not None and revision is not None:
                    findings = tuple(line.finding for line in new)
                    code, told_at = new[0].transaction_code, new[0].told_at
                    closed = closed_at[revision]
                    events.append(
                        VisitLateVerdict(facility, ma_lk, revision, closed, code, told_at, findings, number=number)
                    )
            await self._outbox.put(connection, events)
        return counted


def _visit(line: ToldFinding) -> tuple[str, str]:
    return line.facility, line.ma_lk


def _verdicts(
    lines: Sequence[ToldFinding], sendings: Sequence[Sending]
) -> Iterator[tuple[Sending | None, list[ToldFinding]]]:
    """What was told about one revision, one receipt, at one time: one verdict, or several when it is long."""

    def verdict(item: tuple[ToldFinding, Sending | None]) -> tuple[int, float, str]:
        line, sending = item
        return sending.revision if sending else -1, line.told_at.timestamp(), line.transaction_code

    placed = sorted(((line, sending_of(line, sendings)) for line in lines), key=verdict)
    for _, group in groupby(placed, key=verdict):
        items = list(group)
        for start in range(0, len(items), _MOST_IN_ONE_EVENT):
            yield items[0][1], [line for line, _ in items[start : start + _MOST_IN_ONE_EVENT]]


async def _add_line(connection: Connection, line: ToldFinding, revision: int | None, verdict: int | None) -> bool:
    """Whether the line is new."""
    finding = line.finding
    return bool(
        await connection.fetchval(
            _ADD,
            line.facility,
            line.ma_lk,
            revision,
            verdict,
            line.transaction_code,
            finding.code,
            finding.table,
            finding.row,
            finding.field,
            finding.message,
            line.told_at,
        )
    )
