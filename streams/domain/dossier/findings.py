"""Findings: a rule's code and severity, its text in two languages, and where it was found.

Texts are data (`schemas/dossier/messages.csv`), one row for each text id: a rule code, or `code/variant` where one rule
can be broken in ways that are mended differently. Nothing that goes into a text may quote a person's data: a value is
described by `shape` or its length.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice

from events.visit import Finding, Severity
from streams.domain.dossier.data import read_csv

ENVELOPE = "ENVELOPE"
MAX_FINDINGS = 1000
_SHAPE_LIMIT = 20


@dataclass(frozen=True, slots=True)
class RuleText:
    """What `rules.csv` says about a rule; `retired` rules are never judged."""

    code: str
    severity: str
    tables: tuple[str, ...]
    condition: str
    source: str
    """Law, annex or checker that it rests on; marks: `docs/codes.md`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where: table as its file is named (`XML7-2` is the second XML7), row from 1 (None: one row only), field."""

    table: str | None = None
    row: int | None = None
    field: str | None = None

    def text(self, row_word: str, field_word: str) -> str:
        parts = [self.table or ENVELOPE]
        parts += [f"{row_word} {self.row}"] if self.row is not None else []
        parts += [f"{field_word} {self.field}"] if self.field else []
        return ", ".join(parts)


@cache
def rule_texts() -> Mapping[str, RuleText]:
    """Every rule by its code: those of the standard and our own."""
    rows = (*read_csv("rules.csv"), *read_csv("own_rules.csv"))
    return {
        row["rule_id"]: RuleText(
            row["rule_id"], row["severity"], tuple(row["tables"].split(",")), row["condition_en"], row["source_note"]
        )
        for row in rows
    }


@cache
def messages() -> Mapping[str, Mapping[str, str]]:
    """Texts by text id."""
    return {row["id"]: row for row in read_csv("messages.csv")}


def finding(
    text_id: str,
    place: Place,
    *,
    expected: str | None = None,
    found: str | None = None,
    **parts: object,
) -> Finding:
    """The finding with its texts filled in. A W half without a text of its own speaks the text of its critical half."""
    code, _, variant = text_id.partition("/")
    texts = messages()
    text = texts.get(text_id) or texts[f"{code.removesuffix('W')}/{variant}" if variant else code.removesuffix("W")]
    parts |= {"expected": expected, "found": found}
    vi = parts | {"where": place.text("dòng", "trường")}
    en = parts | {"where": place.text("row", "field")}
    return Finding(
        code=code,
        severity=Severity(rule_texts()[code].severity),
        table=place.table,
        row=place.row,
        field=place.field,
        message_vi=text["message_vi"].format_map(vi),
        message_en=text["message_en"].format_map(en),
        expected=expected,
        found=found,
        mend_vi=text["mend_vi"].format_map(vi),
        mend_en=text["mend_en"].format_map(en),
    )


def shape(value: str) -> str:
    """The form of a value without its content: 9 for a digit, A and a for letters, ␣ for white space."""
    kinds = (_shape_of(character) for character in islice(value, _SHAPE_LIMIT))
    return "".join(kinds) + ("…" if len(value) > _SHAPE_LIMIT else "")


def _shape_of(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return "␣" if character.isspace() else character


def most_important(found: Iterable[Finding], limit: int = MAX_FINDINGS) -> tuple[tuple[Finding, ...], int]:
    """At most `limit` findings in their order, and how many were left out: warnings go first."""
    everything = tuple(found)
    rest = len(everything) - limit
    if rest <= 0:
        return everything, 0
    critical = sum(f.severity is Severity.CRITICAL for f in everything)
    room = {Severity.CRITICAL: limit, Severity.WARNING: max(limit - critical, 0)}
    kept = []
    for item in everything:
        if room[item.severity] > 0:
            room[item.severity] -= 1
            kept.append(item)
    return tuple(kept), rest
