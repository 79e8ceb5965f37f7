"""ENV-011: which elements a row has, and in which order. Only files that their XSD refused come here.

An exporter that leaves an element out does so in every row: that is one mistake, so it is one finding, at the first
row, with the number of rows. Rows are compared by the sequence of their element names, each sequence looked at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from lxml import etree

from events.visit import Finding
from streams.domain.dossier.data import read_csv
from streams.domain.dossier.findings import Place, finding
from streams.domain.dossier.reader import Table
from streams.domain.dossier.standard import Standard

_NAME_SHOWN = 40
_LENIENT_STANDARD = "130"  # elements that QĐ 4750 added may be missing before 2024-07-01 (ENVELOPE §6)

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mistake:
    """What is wrong with a sequence of elements."""

    variant: str
    field: str | None
    name: str | None = None
    """The element that the text speaks of, when it is not the field itself."""
    doubtful: bool = False


def check_structure(table: Table, standard: Standard) -> Iterator[Finding]:
    """ENV-011 and ENV-011W of all rows."""
    rows_of: dict[_Mistake, list[int]] = {}
    sequences: dict[Names, list[_Mistake]] = {}
    for number, element in enumerate(table.elements, 1):
        names = tuple(str(child.tag) for child in element)
        if names not in sequences:
            sequences[names] = list(_in_sequence(table, names))
        for mistake in (*sequences[names], *_in_content(element)):
            rows_of.setdefault(mistake, []).append(number)
    for mistake, rows in rows_of.items():
        yield _finding(table, mistake, rows, lenient=standard.name == _LENIENT_STANDARD)


def _finding(table: Table, mistake: _Mistake, rows: list[int], *, lenient: bool) -> Finding:
    code = "ENV-011W" if mistake.doubtful or lenient else "ENV-011"
    place = Place(table.label, rows[0] if table.spec.list_element else None, mistake.field)
    found = f"in {len(rows)} of {len(table.elements)} rows"
    name = mistake.name or mistake.field
    return finding(f"{code}/{mistake.variant}", place, found=found, name=name, count=len(rows))


def _in_sequence(table: Table, names: Names) -> Iterator[_Mistake]:
    fields = table.spec.by_name
    known = tuple(dict.fromkeys(name for name in names if name in fields))
    for name in names:
        if name not in fields:
            yield _Mistake("unknown", None, name[:_NAME_SHOWN])
    for name in known:
        if names.count(name) > 1:
            yield _Mistake("repeated", name)
    for field in table.spec.fields:
        if field.name not in known:
            yield _Mistake("missing", field.name, doubtful=not field.is_required)
    yield from _in_order(table, known)


def _in_order(table: Table, known: Names) -> Iterator[_Mistake]:
    """At most one mistake: the first element that stands after one it should precede."""
    published = tuple(field.name for field in table.spec.fields)
    misplaced = _first_misplaced(known, published)
    if misplaced is not None:
        other = _tolerated_order(table.spec.kind, published)
        doubtful = other is not None and _first_misplaced(known, other) is None
        yield _Mistake("order", *misplaced, doubtful=doubtful)


def _first_misplaced(names: Iterable[str], order: Names) -> tuple[str, str] | None:
    """(element, the earlier written one that it belongs before), or None when the order is kept."""
    rank = {name: position for position, name in enumerate(order)}
    highest = ""
    for name in names:
        if highest and rank[name] < rank[highest]:
            return name, highest
        highest = name
    return None


@cache
def _tolerated_order(kind: str, published: Names) -> Names | None:
    """The one other order that an exporter in production writes (`tolerated_orders.csv`)."""
    for row in read_csv("tolerated_orders.csv"):
        if row["table"] == kind:
            moved = tuple(row["moved"].split(";"))
            rest = tuple(name for name in published if name not in moved)
            position = rest.index(row["before"]) if row["before"] else len(rest)
            return rest[:position] + moved + rest[position:]
    return None


_HAS_STRAY_CONTENT = etree.XPath("boolean(*/* | text()[normalize-space()])")


def _in_content(row: etree._Element) -> Iterator[_Mistake]:
    """Elements within values, text between elements."""
    if not _HAS_STRAY_CONTENT(row):
        return
    for name in dict.fromkeys(str(child.tag) for child in row if len(child)):
        yield _Mistake("nested", name)
    if any(text and text.strip() for text in (row.text, *(child.tail for child in row))):
        yield _Mistake("text", None)
