"""What a facility has to mend: findings of validation and refusals of the gateway, one row for each (duty F08)."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import asyncpg

from events.visit import VisitRefused, VisitRejected

COLUMNS = (
    *("facility", "ma_lk", "revision", "when", "from", "code", "severity", "table", "row", "field"),
    *("expected", "found", "message_vi", "mend_vi", "message_en", "mend_en"),
)
"""Of the error list; the same for every source."""

_ERRORS = """
select facility, ma_lk, revision, type, happened_at, detail, answer.message
from timeline left join lateral (
    select message from submission join submission_attempt on submission_attempt.submission = submission.id
    where submission.facility = timeline.facility and submission.ma_lk = timeline.ma_lk
        and submission.revision = timeline.revision and not late
    order by number desc limit 1
) as answer on type = $5
where facility = $1 and type in ($4, $5) and happened_at >= $2 and happened_at < $3
order by happened_at, ma_lk, revision
"""


async def facility_errors(
    pool: "asyncpg.Pool[asyncpg.Record]", facility: str, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """All errors of this facility, and of no other, told in `since` ≤ t < `until` (aware); by time, then visit."""
    rows = await pool.fetch(_ERRORS, facility, since, until, VisitRejected.topic, VisitRefused.topic)
    return [error for row in rows for error in _errors(row)]


def _errors(row: asyncpg.Record) -> Iterator[dict[str, Any]]:
    detail = json.loads(row["detail"])
    visit = {
        "facility": row["facility"],
        "ma_lk": row["ma_lk"],
        "revision": row["revision"],
        "when": row["happened_at"],
    }
    if row["type"] == VisitRefused.topic:
        text = row["message"] or ""
        yield _row(visit | detail | {"from": "gateway", "severity": "critical", "message_vi": text, "message_en": text})
        return
    for finding in detail["findings"]:
        yield _row(visit | finding | {"from": "validation"})
    if detail.get("findings_omitted"):
        more = detail["findings_omitted"]
        texts = {
            "message_vi": f"và {more} lỗi khác không liệt kê",
            "message_en": f"and {more} more that are not listed",
        }
        yield _row(visit | texts | {"from": "validation", "code": "…"})


def _row(known: dict[str, Any]) -> dict[str, Any]:
    return {name: known.get(name) for name in COLUMNS}
