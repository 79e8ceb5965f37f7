"""The table files of a dossier → its readable tables, and what is wrong with the others."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from lxml import etree

from events.visit import Finding, TableFile
from streams.domain.dossier.findings import Place, finding
from streams.domain.dossier.moments import day_of
from streams.domain.dossier.reader import Row, Table, TableError, parse_table, read_rows
from streams.domain.dossier.rules.files import check_files, travels
from streams.domain.dossier.rules.structure import check_structure
from streams.domain.dossier.rules.values import check_values
from streams.domain.dossier.standard import Standard, standard_on
from streams.domain.dossier.tables import TableSpec, catalogue_of

MAX_ROWS = 100_000
"""Of one table; the longest stays have some thousands. More would cost memory out of all proportion to the file."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of a dossier."""

    day: date
    """The visit's day (RULES §2)."""
    standard: Standard
    tables: tuple[Table, ...]
    """Ascending by kind, then in the order of the files."""
    findings: tuple[Finding, ...]
    """ENV-005..009, 011..014, REQ-001 and FMT; without a readable XML1 only ENV."""
    unknown: frozenset[str] = frozenset()
    """Kinds of which a file is there and could not be read (RULES §1)."""

    @property
    def xml1(self) -> Row | None:
        return _xml1(self.tables)


def read_files(
    files: Sequence[TableFile], undecoded: Sequence[str], judging_day: date, rules_of: date | None = None
) -> Reading:
    """Reads every file by the layout of the visit's day, or of `rules_of` in its place.

    `undecoded`: kinds of files whose bytes are not known.
    """
    summary = next((number for number, file in enumerate(files) if file.kind == "XML1"), None)
    xml1 = None if summary is None else _parsed(files[summary].content)
    day = rules_of or _discharge_day(xml1) or judging_day
    standard = standard_on(day)
    catalogue = catalogue_of(standard)
    found = list(check_files([*(file.kind for file in files), *undecoded], catalogue))
    tables: list[Table] = []
    unknown = set(undecoded)
    numbers: Counter[str] = Counter()
    for number, file in enumerate(files):
        numbers[file.kind] += 1
        if not travels(file.kind, catalogue):
            continue  # ENV-005 has named it
        root = xml1 if xml1 is not None and number == summary else _parsed(file.content)
        read = _table(root, catalogue[file.kind], numbers[file.kind], standard)
        if isinstance(read, Table):
            tables.append(read)
        else:
            found.append(read)
            if read.code != "ENV-009":  # an empty table is no table
                unknown.add(file.kind)
    tables.sort(key=lambda table: (table.spec.number, table.number))
    found += _looked_closer(tables, standard)
    return Reading(day, standard, tuple(tables), tuple(found), frozenset(unknown))


def _parsed(content: bytes) -> etree._Element | TableError:
    try:
        return parse_table(content)
    except TableError as error:
        return error


def _discharge_day(xml1: etree._Element | TableError | None) -> date | None:
    if xml1 is None or isinstance(xml1, TableError):
        return None
    return day_of(xml1.findtext("NGAY_RA") or "")


def _table(root: etree._Element | TableError, spec: TableSpec, number: int, standard: Standard) -> Table | Finding:
    place = Place(spec.kind if number == 1 else f"{spec.kind}-{number}")
    if isinstance(root, TableError):
        return _empty(spec, place) if root.text_id == "ENV-008/empty" else _unreadable(root, place)
    rows = max((len(child) for child in root), default=0)
    if rows > MAX_ROWS:
        return finding(
            "SIZE-002", place, expected=f"at most {MAX_ROWS} rows", found=f"{rows} rows", size=rows, limit=MAX_ROWS
        )
    try:
        table = read_rows(root, spec, number, standard)
    except TableError as error:
        return _unreadable(error, place)
    return table if len(table) else _empty(spec, place)


def _empty(spec: TableSpec, place: Place) -> Finding:
    """Readers accept an empty table (ENV-009); without the visit summary there is no visit."""
    return finding("ENV-008/empty" if spec.kind == "XML1" else "ENV-009", place)


def _unreadable(error: TableError, place: Place) -> Finding:
    return finding(error.text_id, place, expected=error.name, line=error.line, name=error.name)


def _xml1(tables: Sequence[Table]) -> Row | None:
    return tables[0].rows[0] if tables and tables[0].spec.kind == "XML1" else None


def _looked_closer(tables: Sequence[Table], standard: Standard) -> Iterator[Finding]:
    """Elements and values of the files that their XSD refused."""
    xml1 = _xml1(tables)
    nationality = xml1["MA_QUOCTICH"] if xml1 is not None else ""
    for table in tables:
        if table.proven:
            continue
        yield from check_structure(table, standard)
        values = check_values(table, nationality)
        yield from values if xml1 is not None else (item for item in values if item.code.startswith("ENV-"))
