"""Bytes of one table → its rows. Values are read by name, so that one mistake does not hide another (RULES §1)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from lxml import etree

from events.xml import XmlError, parse
from streams.domain.dossier import xsd
from streams.domain.dossier.standard import Standard
from streams.domain.dossier.tables import TableSpec
from streams.domain.dossier.trouble import true_reason

T = TypeVar("T")


class TableError(ValueError):
    """The bytes are not this table. `text_id` names the finding; `name` is what was expected, never what was found."""

    def __init__(self, text_id: str, line: int | None = None, name: str | None = None) -> None:
        super().__init__(text_id)
        self.text_id = text_id
        self.line = line
        self.name = name


@dataclass(frozen=True, slots=True)
class Row(Mapping[str, str]):
    """One row: field name → text as written, CDATA and escaped text alike. An absent element reads as empty."""

    number: int
    """From 1, in the order of the file."""
    texts: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self.texts.get(name, "")

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def __contains__(self, name: object) -> bool:
        return name in self.texts


@dataclass(frozen=True)
class Table:
    """One readable table file."""

    spec: TableSpec
    number: int
    """The k of `XML<n>-<k>`: 1 for the first file of a kind."""
    elements: tuple[etree._Element, ...] = field(repr=False)
    """The row elements (for a table without list element the root alone) of a file that its XSD refuses."""
    values: tuple[list[str], ...] | None = field(default=None, repr=False)
    """The texts of each row in the order of the fields, of a file that satisfies its XSD: its tree, which is several
    times as large, is not kept.
    """

    @property
    def proven(self) -> bool:
        """The file satisfies its XSD: elements, presence, length and form of every value need no further look."""
        return self.values is not None

    def __len__(self) -> int:
        """Rows."""
        return len(self.elements if self.values is None else self.values)

    @property
    def label(self) -> str:
        """How the file is named in a folder, and the table in a finding: `XML7`, `XML7-2`."""
        return self.spec.kind if self.number == 1 else f"{self.spec.kind}-{self.number}"

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(Row(number, texts) for number, texts in enumerate(self.texts(dict), 1))

    def texts(self, make: Callable[[Iterable[tuple[str, str]]], T]) -> Iterator[T]:
        """What `make` makes of the (field, text) of each row, one after the other."""
        if self.values is None:
            yield from (make(_values(element).items()) for element in self.elements)
            return
        names = tuple(self.spec.by_name)
        for texts in self.values:
            yield make(zip(names, texts, strict=True))


def parse_table(content: bytes) -> etree._Element:
    """Root of one table file. Raises TableError (ENV-008, ENV-012)."""
    try:
        return parse(content)
    except XmlError as error:
        reason = true_reason(error, content)
        raise TableError(_TROUBLE[reason.code], reason.line) from None


def read_rows(root: etree._Element, spec: TableSpec, number: int, standard: Standard) -> Table:
    """The table under a parsed root. Raises TableError when root, list or row elements are not this table's."""
    if root.tag != spec.root:
        raise TableError("ENV-008/root", name=spec.root)
    if xsd.compiled(standard, spec.kind).validate(root):
        rows = root[0] if spec.list_element else (root,)
        # Every element is there once and in order: no name has to be read.
        return Table(spec, number, (), tuple([child.text or "" for child in row] for row in rows))
    return Table(spec, number, _row_elements(root, spec))


def read_table(content: bytes, spec: TableSpec, number: int, standard: Standard) -> Table:
    """Bytes of one table file → its rows. Raises TableError."""
    return read_rows(parse_table(content), spec, number, standard)


_TROUBLE = {
    "XML_EMPTY": "ENV-008/empty",
    "XML_TOO_LARGE": "ENV-008/size",
    "XML_ENCODING": "ENV-008/encoding",
    "XML_DOCTYPE": "ENV-008/doctype",
    "XML_CONTROL_CHARACTER": "ENV-012",
    "XML_MALFORMED": "ENV-008/malformed",
}


def _row_elements(root: etree._Element, spec: TableSpec) -> tuple[etree._Element, ...]:
    """Rows of a file that its XSD refuses; an empty table is a matter of ENV-009, not of structure."""
    if spec.list_element is None:
        return (root,) if len(root) else ()
    if len(root) == 0:
        return ()
    lists = [child for child in root if child.tag == spec.list_element]
    if len(lists) != 1 or (len(root) > 1 and spec.travels == "dossier"):
        raise TableError("ENV-008/structure", name=f"{spec.list_element}/{spec.row_element}")
    if any(row.tag != spec.row_element for row in lists[0]):
        raise TableError("ENV-008/structure", name=f"{spec.list_element}/{spec.row_element}")
    return tuple(lists[0])


def _values(row: etree._Element) -> dict[str, str]:
    """The first of repeated elements counts (the repetition itself is ENV-011)."""
    values: dict[str, str] = {}
    for element in row:
        values.setdefault(str(element.tag), element.text or "")
    return values
