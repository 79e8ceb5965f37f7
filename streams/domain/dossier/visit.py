"""What a rule looks at: one visit's readable rows, its day, and which values are already known to be wrong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

from events.visit import Finding, Severity
from streams.domain.dossier.codelists import SHIPPED, Lists
from streams.domain.dossier.findings import Place
from streams.domain.dossier.history import EarlierDossiers
from streams.domain.dossier.identity import insured
from streams.domain.dossier.reader import Table
from streams.domain.dossier.standard import Standard


@dataclass(frozen=True, slots=True)
class Registration:
    """When a facility may send: both days included, an open end is None."""

    valid_from: date | None = None
    valid_to: date | None = None

    def covers(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who hands the dossier over, and who may (None: there is no register to judge by)."""

    facility: str | None = None
    register: Mapping[str, Registration] | None = None


class Line(dict[str, str | None]):
    """One row as the rules read it: field → text; "" when it is missing or empty, None when it is known to be wrong.

    So `if line["NGAY_YL"]` asks for a value that a rule may use, and `line["NGAY_YL"] == ""` for an empty one (RULES
    §1, "one mistake, one finding").
    """

    __slots__ = ("label", "number")

    label: str
    """The table as its file is named: `XML3`, `XML7-2`."""
    number: int | None
    """From 1; None in a table that has one row only."""

    def __missing__(self, name: str) -> str:
        return ""

    def at(self, name: str) -> Place:
        """Where a value of this row stands."""
        return Place(self.label, self.number, name)


_NO_LINE = Line()
_NO_LINE.label, _NO_LINE.number = "XML1", None


def lines_of(table: Table) -> tuple[Line, ...]:
    """The rows of a readable table. Whole numbers lose their leading zeros, as the gateway reads them."""
    listed = table.spec.list_element is not None
    numbers = [item.name for item in table.spec.fields if item.type == "integer"]
    return tuple(
        _line(line, table.label, number if listed else None, numbers)
        for number, line in enumerate(table.texts(Line), 1)
    )


def _line(line: Line, label: str, number: int | None, numbers: Iterable[str]) -> Line:
    line.label, line.number = label, number
    for name in numbers:
        text = line[name]
        if text and text[0] == "0" and len(text) > 1 and text.isdigit():
            line[name] = text.lstrip("0") or "0"
    return line


@dataclass(frozen=True)
class Visit:
    """The input of every rule that relates values. Only ENV rules run without a readable XML1, so here there is one."""

    standard: Standard
    day: date
    """The visit's day: the day of NGAY_RA, else of judging (RULES §2)."""
    now: datetime
    """The moment of judging in Vietnamese local time, without zone."""
    tables: tuple[Table, ...] = field(repr=False)
    """Readable tables, ascending by kind and number; the first one is XML1."""
    sender: Sender = Sender()
    envelope_facility: str | None = None
    """MACSKCB of a well-formed envelope; None when the tables came without one."""
    unknown: frozenset[str] = frozenset()
    """Kinds of which a file is there and could not be read: rules that need their rows are skipped (RULES §1)."""
    lists: Lists = SHIPPED
    earlier: EarlierDossiers | None = None
    """None: nobody remembers; a check of files alone."""
    checkin: Mapping[str, str] | None = field(default=None, repr=False)
    """The check-in sent earlier with the same MA_LK."""
    xml8_every_visit: bool = True
    """Switch of RULES §7: XML8 is expected with every visit for the health book."""
    shared: dict[object, Any] = field(default_factory=dict, repr=False)
    """What several rules of the last step reckon from the same rows, by who reckoned it."""
    _lines: Mapping[str, tuple[Line, ...]] = field(init=False, repr=False)
    insured: bool = field(init=False)
    """Not a patient without BHYT (RULES §3); by the values as written."""

    def __post_init__(self) -> None:
        by_kind = groupby(self.tables, key=lambda table: table.spec.kind)
        lines = {kind: tuple(line for table in tables for line in lines_of(table)) for kind, tables in by_kind}
        object.__setattr__(self, "_lines", lines)
        object.__setattr__(self, "insured", insured(self.tables[0].rows[0]))

    @property
    def xml1(self) -> Line:
        """The summary; a row without values where there is none (a check-in)."""
        return self._lines["XML1"][0] if "XML1" in self._lines else _NO_LINE

    def of_xml1(self, name: str) -> str:
        """A value of the summary; empty when no rule may use it."""
        return self.xml1[name] or ""

    def lines(self, *kinds: str) -> tuple[Line, ...]:
        """All rows of these tables, in the order of the dossier."""
        if len(kinds) == 1:
            return self._lines.get(kinds[0], ())
        return tuple(line for kind in kinds for line in self._lines.get(kind, ()))

    def every_line(self) -> Iterator[Line]:
        """All rows of all tables."""
        return (line for lines in self._lines.values() for line in lines)

    def has(self, kind: str) -> bool:
        """Whether the table is there with a row, or with rows that nobody can read."""
        return kind in self._lines or kind in self.unknown

    def lacks(self, name: str) -> bool:
        """Whether a list is not there: nobody loaded it, or nobody remembers."""
        if name == "EARLIER_DOSSIERS":
            return self.earlier is None
        if name == "CHECKIN":
            return self.checkin is None
        return self.lists.on(name, self.day) is None

    def discard(self, found: Iterable[Finding]) -> None:
        """From now on no rule uses the values that these findings call wrong: one mistake, one finding."""
        for item in found:
            if item.severity is not Severity.CRITICAL or item.table is None or item.field is None:
                continue
            kind = item.table.partition("-")[0]
            for line in self._lines.get(kind, ()):
                if line.label == item.table and (line.number is None or line.number == (item.row or 1)):
                    line[item.field] = None
