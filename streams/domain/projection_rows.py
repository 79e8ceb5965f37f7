"""The sent envelope → rows of its tables, for reading only: these bytes were judged before they were signed."""

from datetime import date

from events.xml import XmlError, parse
from streams.domain.dossier.envelope import read_envelope
from streams.domain.dossier.moments import day_of
from streams.domain.dossier.tables import catalogue
from streams.domain.privacy_fields import LINES, Row, Tables

TABLES = frozenset({*(f"XML{number}" for number in (*range(1, 12), 13, 14, 15))})


class UnreadableDossierError(Exception):
    """An envelope that the gateway accepted cannot be read: it is not the one that was validated."""


def read_tables(envelope: bytes) -> Tables:
    """Table kind → its rows, those of several files of a kind one after the other. Raises UnreadableDossierError."""
    dossier, _ = read_envelope(envelope)
    if dossier is None:
        raise UnreadableDossierError
    tables: dict[str, list[Row]] = {}
    for file in dossier.tables:
        if file.kind in TABLES and file.content.strip():
            tables.setdefault(file.kind, []).extend(_rows(file.kind, file.content))
    if not tables.get("XML1"):
        raise UnreadableDossierError
    return tables


def visit_day(tables: Tables) -> date | None:
    """The visit's day: the day of NGAY_RA (RULES §2)."""
    return day_of(tables["XML1"][0].get("NGAY_RA", ""))


def _rows(kind: str, content: bytes) -> list[Row]:
    try:
        root = parse(content)
    except XmlError:
        raise UnreadableDossierError from None
    # Roots, lists and rows have the same names under every standard.
    in_list = catalogue(date.max)[kind].list_element is not None
    elements = [row for lines in root for row in lines] if in_list else [root]
    names = _READ.get(kind, ())
    # From the end: of a repeated element the first counts, as for validation.
    return [
        {str(element.tag): element.text or "" for element in row.iterchildren(*names, reversed=True)}
        for row in elements
        if len(row)
    ]


_READ = {
    "XML2": (*LINES["XML2"], "SO_LUONG", "DON_VI_TINH", "NGAY_YL"),
    "XML3": (*LINES["XML3"], "MA_PTTT_QT", "MA_VAT_TU", "MA_NHOM", "MA_BENH", "NGAY_YL", "NGAY_TH_YL"),
}
"""Of the long tables only what is shown or screened: the many amounts of a line are most of the work."""
