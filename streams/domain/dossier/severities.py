"""Whose word a finding's severity is: the standard's, then the operator's, then the facility's (RULES §1).

List SEVERITY (docs/code-lists.md), columns `code` (of a rule), `severity`, `reason`: the operator may raise and lower,
a facility may raise only. Some rules nobody lowers: without them nobody could say which visit it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from events.visit import Finding, Severity
from streams.domain.dossier.codelists import CodeList
from streams.domain.dossier.findings import rule_texts

LIST = "SEVERITY"
NEVER_LOWERED = frozenset(
    {
        *(f"ENV-00{number}" for number in range(1, 9)),
        *("ENV-010", "ENV-011", "ENV-012", "ENV-015", "LNK-001", "LNK-003", "REQ-001"),
        *("FAC-001", "FAC-002", "FAC-003", "SIZE-001", "SIZE-002"),
    }
)


def problems(decided: CodeList, facility: str | None) -> Iterator[str]:
    """Why a list of severities cannot be taken as it is; `facility`: whose own it is."""
    for row in decided.rows:
        code, severity = row["code"], row.get("severity", "")
        text = rule_texts().get(code)
        if text is None or text.severity == "retired":
            yield f"{code}: no such rule"
        elif severity not in (Severity.CRITICAL, Severity.WARNING):
            yield f"{code}: severity must be critical or warning"
        elif not row.get("reason"):
            yield f"{code}: a reason is missing"
        elif severity == Severity.WARNING and text.severity == Severity.CRITICAL:
            if code in NEVER_LOWERED:
                yield f"{code} is never lowered"
            elif facility is not None:
                yield f"{code}: a facility may raise a rule, the operator alone may lower one"


def judged_by(findings: Sequence[Finding], operator: CodeList | None, facility: CodeList | None) -> tuple[Finding, ...]:
    """The findings with the severities that were decided; what may not be decided is passed over."""
    if operator is None and facility is None:
        return tuple(findings)
    decided = dict(_decided(operator))
    raised = {code for code, severity in _decided(facility) if severity is Severity.CRITICAL}
    decided |= dict.fromkeys(raised, Severity.CRITICAL)
    return tuple(_as(item, decided) for item in findings)


def _decided(rows: CodeList | None) -> Iterator[tuple[str, Severity]]:
    for row in rows.rows if rows is not None else ():
        if row.get("severity") in (Severity.CRITICAL, Severity.WARNING):
            yield row["code"], Severity(row["severity"])


def _as(item: Finding, decided: Mapping[str, Severity]) -> Finding:
    severity = decided.get(item.code, item.severity)
    lowered = severity is Severity.WARNING and item.severity is Severity.CRITICAL
    return (
        item
        if severity is item.severity or (lowered and item.code in NEVER_LOWERED)
        else replace(item, severity=severity)
    )
