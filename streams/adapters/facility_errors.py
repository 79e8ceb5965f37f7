"""What a facility has to mend (duty F08): findings of validation, refusals and late verdicts of the gateway, unknown
persons.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import asyncpg

from events.deadline import DeadlineChanged
from events.visit import VisitRefused, VisitRejected
from streams.domain.dossier.findings import rule_texts
from streams.domain.feedback import MEND_EN, MEND_VI
from streams.domain.projection_versions import NO_IDENTIFIER

COLUMNS = (
    *("facility", "ma_lk", "revision", "when", "from", "code", "severity", "table", "row", "field"),
    *("expected", "found", "message_vi", "mend_vi", "message_en", "mend_en", "source"),
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
where facility = $1 and happened_at >= $2 and happened_at < $3
    and (type in ($4, $5) or type = $6 and detail->>'state' = 'NOT_DUE' and detail->>'reason' = $7)
"""
_TOLD = """
select facility, ma_lk, revision, told_at as "when", code, table_name as "table", row_number as "row",
    field_name as "field", message
from gateway_finding where facility = $1 and told_at >= $2 and told_at < $3
"""


async def facility_errors(
    pool: "asyncpg.Pool[asyncpg.Record]", facility: str, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """All errors of this facility, and of no other, told in `since` ≤ t < `until` (aware); by time, then visit."""
    told = [_told(row) for row in await pool.fetch(_TOLD, facility, since, until)]
    explained = {(error["ma_lk"], error["revision"]) for error in told}
    types = (VisitRejected.topic, VisitRefused.topic, DeadlineChanged.topic)
    rows = await pool.fetch(_ERRORS, facility, since, until, *types, NO_IDENTIFIER)
    found = [error for row in rows if not _is_explained(row, explained) for error in _errors(row)] + told
    return sorted(found, key=lambda error: (error["when"], error["ma_lk"], error["revision"] or 0))


def _is_explained(row: asyncpg.Record, explained: set[tuple[str, int | None]]) -> bool:
    """A refusal of which the portal tells every error is no error beside them."""
    return row["type"] == VisitRefused.topic and (row["ma_lk"], row["revision"]) in explained


def _told(row: asyncpg.Record) -> dict[str, Any]:
    texts = {"message_vi": row["message"], "message_en": row["message"], "mend_vi": MEND_VI, "mend_en": MEND_EN}
    return _row(dict(row) | texts | {"from": "gateway", "severity": "critical"})


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
    if row["type"] == DeadlineChanged.topic:
        yield _row(visit | _NOBODY)
        return
    for finding in detail["findings"]:
        text = rule_texts().get(finding["code"])
        yield _row(visit | finding | {"from": "validation", "source": text and text.source})
    if detail.get("findings_omitted"):
        more = detail["findings_omitted"]
        texts = {
            "message_vi": f"và {more} lỗi khác không liệt kê",
            "message_en": f"and {more} more that are not listed",
        }
        yield _row(visit | texts | {"from": "validation", "code": "…"})


_NOBODY = {
    "from": "health-book",
    "code": NO_IDENTIFIER,
    "severity": "warning",
    "table": "XML1",
    "field": "SO_CCCD",
    "message_vi": "Không có số định danh, thẻ BHYT hay giấy tờ nào: lượt khám chưa thể hiển thị trên sổ sức khỏe.",
    "message_en": "No citizen number, insurance card or other paper: the visit cannot be shown in the health book yet.",
    "mend_vi": "Khi biết danh tính, ghi SO_CCCD hoặc MA_THE_BHYT rồi đóng lại lượt khám; không tự đặt số tạm.",
    "mend_en": "Once known, write SO_CCCD or MA_THE_BHYT and close the visit again; never invent a number.",
}
"""The item of HEALTHBOOK §4.4: no fault of the dossier, and nothing is refused for it."""


def _row(known: dict[str, Any]) -> dict[str, Any]:
    return {name: known.get(name) for name in COLUMNS}
