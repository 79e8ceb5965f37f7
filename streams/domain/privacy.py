"""What may not reach the health book (HEALTHBOOK §6): pure, on the dossier's tables, before they are projected."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from events.health_book import Withheld
from streams.domain.privacy_fields import DISEASES, FREE_TEXTS, LINES, MAIN_DISEASE, SECTIONS, Row, Tables, words_of
from streams.domain.privacy_rules import Rule, compact, fold

ENTRY = "entry"
"""Path of a withholding that leaves nothing."""


@dataclass(frozen=True, slots=True)
class Screening:
    """What is left to show. `whole`: nothing; then `withheld` names only the rules."""

    tables: Tables = field(repr=False)
    withheld: tuple[Withheld, ...] = field(repr=False)
    whole: bool


@dataclass(frozen=True, slots=True)
class _Hit:
    rule: Rule
    table: str
    row: int
    name: str

    @property
    def is_whole(self) -> bool:
        return self.rule.effect == "entry" or (self.rule.effect == "main" and self.name == MAIN_DISEASE)

    @property
    def path(self) -> str:
        if self.rule.kind == "disease" and self.table == "XML1":
            return "visit.dischargeDiagnosis"
        return FREE_TEXTS.get(self.table, {}).get(self.name) or SECTIONS.get(self.table, "papers")


def screen(tables: Tables, rules: Sequence[Rule]) -> Screening:
    """Takes out of a dossier's tables what the rules withhold; the tables themselves when nothing is hit."""
    hits = list(_hits(tables, rules))
    if not hits:
        return Screening(tables, (), whole=False)
    if any(hit.is_whole for hit in hits):
        return Screening({}, _recorded((ENTRY, hit.rule.id) for hit in hits if hit.is_whole), whole=True)
    dropped = {hit.table for hit in hits if hit.rule.effect == "table"}
    left = {kind: rows for kind, rows in tables.items() if kind not in dropped}
    found = [(hit.path, hit.rule.id) for hit in hits]
    items = [hit for hit in hits if hit.rule.effect != "table"]
    if not items:
        return Screening(left, _recorded(found), whole=False)
    texts = [
        (path, items[0].rule.id)
        for kind, names in FREE_TEXTS.items()
        for name, path in names.items()
        if any(row.get(name, "").strip() for row in left.get(kind, ()))
    ]
    return Screening(_without(left, items), _recorded((*found, *texts)), whole=False)


def _hits(tables: Tables, rules: Sequence[Rule]) -> Iterator[_Hit]:
    codes = list(_codes(tables))
    suspicious = list(_suspicious(tables, [rule for rule in rules if rule.kind == "words"]))
    for rule in rules:
        if rule.kind == "disease":
            yield from (_Hit(rule, kind, number, name) for code, kind, number, name in codes if rule.names(code))
        elif rule.kind == "words":
            yield from (
                _Hit(rule, kind, number, name) for text, kind, number, name in suspicious if rule.occurs_in(text)
            )
        elif rule.kind == "table":
            yield from (_Hit(rule, rule.table, number, "") for number in range(len(tables.get(rule.table, ()))))
        else:
            _, name, value = rule.what
            for number, row in enumerate(tables.get(rule.table, ())):
                found = row.get(name, "").strip()
                if found == value or (found and value == "*"):
                    yield _Hit(rule, rule.table, number, name)


def _codes(tables: Tables) -> Iterator[tuple[str, str, int, str]]:
    """(compacted code of a disease, table, row, field)."""
    for kind, rows in tables.items():
        for number, row in enumerate(rows):
            for name in DISEASES:
                if row.get(name):
                    yield from ((compact(code), kind, number, name) for code in row[name].split(";"))


def _suspicious(tables: Tables, words: Sequence[Rule]) -> Iterator[tuple[str, str, int, str]]:
    """(folded text, table, row, field) of the tables in which any words occur: nearly always none.

    Each table is searched as one text first; folding and searching every value by itself costs ten times as much.
    """
    for kind, rows in tables.items():
        texts = [(number, name, row[name]) for number, row in enumerate(rows) for name in words_of(row)]
        together = fold("\n".join(text for _, _, text in texts))
        if any(rule.occurs_in(together) for rule in words):
            yield from ((fold(text), kind, number, name) for number, name, text in texts)


def _without(tables: Tables, hits: Sequence[_Hit]) -> Tables:
    """Lines that were hit go as a whole, and results with the service that they belong to."""
    lines = {(hit.table, hit.row) for hit in hits if hit.table in LINES}
    services = {tables["XML3"][hit.row].get("MA_DICH_VU", "") for hit in hits if hit.table == "XML3"} - {""}
    fields = {(hit.table, hit.row, hit.name) for hit in hits}
    diseases = [hit.rule for hit in hits if hit.rule.kind == "disease"]
    return {
        kind: [
            _cleaned(kind, row, {name for name in row if (kind, number, name) in fields}, diseases)
            for number, row in enumerate(rows)
            if (kind, number) not in lines and not (kind in LINES and _of_service(row, services))
        ]
        for kind, rows in tables.items()
    }


def _of_service(row: Row, services: set[str]) -> bool:
    """A result belongs to a service with its code, also when the test was sent out (RULES §3)."""
    code = row.get("MA_DICH_VU", "")
    return bool(code) and (code in services or any(service.startswith(f"{code}.K.") for service in services))


def _cleaned(kind: str, row: Row, hit: set[str], diseases: Sequence[Rule]) -> Row:
    """The row without its free texts and the fields that were hit; a list of codes loses those that a rule names."""
    free = FREE_TEXTS.get(kind, {})
    kept = {
        name: ";".join(code for code in row[name].split(";") if not any(rule.names(compact(code)) for rule in diseases))
        for name in hit.intersection(DISEASES).difference(free)
    }
    return {**row, **dict.fromkeys((*free, *hit), ""), **kept}


def _recorded(found: Iterable[tuple[str, str]]) -> tuple[Withheld, ...]:
    return tuple(Withheld(path, rule) for path, rule in dict.fromkeys(found))
