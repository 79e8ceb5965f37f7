"""All rules, in one place.

A rule that relates values is a `Rule` in `RULES`: an id of `rules.csv`, a pure function over the visit, texts in
`messages.csv`. Rules about bytes, elements and single values (`READING`) are judged while the dossier is read, by
`envelope.py`, `reader.py`, `structure.py` and `values.py`.
"""

from streams.domain.dossier.findings import rule_texts
from streams.domain.dossier.rules import facility, links, times
from streams.domain.dossier.rules.rule import Rule

RULES: tuple[Rule, ...] = (*facility.RULES, *links.RULES, *times.RULES)

READING = frozenset(
    {
        "ENV-001",
        "ENV-003",
        "ENV-004",
        "ENV-005",
        "ENV-006",
        "ENV-007",
        "ENV-008",
        "ENV-009",
        "ENV-010",
        "ENV-011",
        "ENV-011W",
        "ENV-012",
        "ENV-013",
        "ENV-013W",
        "ENV-014",
        "ENV-014W",
        "REQ-001",
        "FMT-001",
        "FMT-002",
        "FMT-003",
        "FMT-003W",
        "FMT-004",
        "FMT-004W",
        "FMT-009",
        "FMT-010",
        "FMT-011",
        "FMT-029",
        "SIZE-001",
    }
)

JUDGED = READING | {rule.id for rule in RULES}


def not_judged() -> tuple[str, ...]:
    """Live rules of the standard that this version does not judge: neither passed nor failed (RULES §1, coverage)."""
    return tuple(code for code, text in rule_texts().items() if text.severity != "retired" and code not in JUDGED)
