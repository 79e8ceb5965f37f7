"""What a rule looks at: one visit's readable tables, its day, and which values are already known to be wrong."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime

from events.visit import Finding, Severity
from streams.domain.dossier.reader import Row, Table
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
    sender: Sender
    envelope_facility: str | None
    """MACSKCB of a well-formed envelope; None when the tables came without one."""
    flawed: Set[tuple[str, int, str]] = frozenset()
    """(table label, row, field) with a critical finding of an earlier step: a rule that needs it is skipped."""

    @property
    def xml1(self) -> Row:
        return self.tables[0].rows[0]

    def of_kind(self, *kinds: str) -> Iterator[Table]:
        return (table for table in self.tables if table.spec.kind in kinds)

    def usable(self, table: Table, row: Row, name: str) -> str:
        """The value, or empty when it is missing, empty or already flawed: then the rule has nothing to say."""
        return "" if (table.label, row.number, name) in self.flawed else row[name]

    def of_xml1(self, name: str) -> str:
        return self.usable(self.tables[0], self.xml1, name)


def flaws(found: tuple[Finding, ...]) -> frozenset[tuple[str, int, str]]:
    """The values with a critical finding."""
    return frozenset(
        (f.table, f.row or 1, f.field)
        for f in found
        if f.severity is Severity.CRITICAL and f.table is not None and f.field is not None
    )
