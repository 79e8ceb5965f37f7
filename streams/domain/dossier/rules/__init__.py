"""All rules, in one place.

A rule that relates values is a `Rule` of one of the modules here: an id of `rules.csv`, a pure function over the visit,
texts in `messages.csv`. To add one: a row in `rules.csv` (or `own_rules.csv`), a row in `messages.csv`, a function in
the module of its kind, a defect in `sample/defects.py` that shows it failing. Rules about bytes, elements and types of
values (`READING`) are judged while the dossier is read, by `envelope.py`, `reader.py`, `structure.py` and `values.py`.
"""

from collections.abc import Iterable, Iterator

from events.visit import Finding
from streams.domain.dossier.findings import rule_texts
from streams.domain.dossier.rules import (
    benefit,
    catalogues,
    category,
    codes,
    dates,
    facility,
    forms,
    history,
    lines,
    links,
    money,
    papers,
    presence,
)
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.visit import Visit

STEPS: tuple[tuple[Rule, ...], ...] = (
    forms.RULES,
    codes.RULES,
    presence.RULES,
    (
        *facility.RULES,
        *links.RULES,
        *history.RULES,
        *dates.RULES,
        *category.RULES,
        *lines.RULES,
        *money.RULES,
        *benefit.RULES,
        *papers.RULES,
        *catalogues.RULES,
    ),
)
"""A value that one step finds wrong is not judged by the next ones: one mistake, one finding (RULES §1)."""

RULES: tuple[Rule, ...] = tuple(rule for step in STEPS for rule in step)

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
        "SIZE-002",
    }
)

OF_THE_CHECKIN = frozenset({"ENV-015", "REQ-002", "REQ-003", "REQ-004", "CHK-001", "CHK-002", "CHK-003"})
"""Judged on the check-in file, which travels apart; never on a dossier (RULES §7)."""

OF_THE_DEADLINES = frozenset({"TIM-001", "TIM-002"})
"""Clocks of `streams/sla`, no rules about the content of a dossier (RULES §7)."""

_WITH_LISTS = tuple(rule for rule in RULES if rule.lists)

JUDGED = READING | {code for rule in RULES for code in rule.ids}


def judge_rows(visit: Visit) -> Iterator[Finding]:
    """The findings of all rules that relate values, step by step."""
    for step in STEPS:
        found = list(_certain(item for rule in step for item in rule.judge(visit)))
        visit.discard(found)
        yield from found


def _certain(found: Iterable[Finding]) -> Iterator[Finding]:
    """The doubtful half (`W`) is not reported for a value where the critical half is (RULES §1)."""
    items = list(found)
    critical = {(item.code, item.table, item.row, item.field) for item in items}
    for item in items:
        whole = item.code.removesuffix("W")
        if whole == item.code or (whole, item.table, item.row, item.field) not in critical:
            yield item


def not_judged(visit: Visit) -> dict[str, str]:
    """Rules that could not be judged on this visit, each with the list that is missing (RULES §1, coverage)."""
    return {
        code: ", ".join(missing) for rule in _WITH_LISTS if (missing := rule.missing_lists(visit)) for code in rule.ids
    }


def unknown_rules() -> tuple[str, ...]:
    """Live rules of the standard that nothing here judges."""
    elsewhere = JUDGED | OF_THE_CHECKIN | OF_THE_DEADLINES
    return tuple(code for code, text in rule_texts().items() if text.severity != "retired" and code not in elsewhere)
