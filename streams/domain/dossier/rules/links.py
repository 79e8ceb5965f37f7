"""LNK: what ties the tables of one visit together."""

import unicodedata
from collections.abc import Iterable, Iterator

from events.visit import Finding
from streams.domain.dossier.findings import Place, finding
from streams.domain.dossier.reader import Row, Table
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.visit import Visit

NUMBERED = ("XML2", "XML3", "XML4", "XML5", "XML15")


def _place(table: Table, row: Row, field: str) -> Place:
    return Place(table.label, row.number if table.spec.list_element else None, field)


def same_ma_lk(visit: Visit) -> Iterator[Finding]:
    """LNK-001: every row of every table names the visit of XML1."""
    ma_lk = unicodedata.normalize("NFC", visit.of_xml1("MA_LK"))
    if not ma_lk:
        return
    for table in visit.tables:
        if all(value == ma_lk for value in table.column("MA_LK")):
            continue
        for row in table.rows:
            value = unicodedata.normalize("NFC", visit.usable(table, row, "MA_LK"))
            if value and value != ma_lk:
                yield finding("LNK-001", _place(table, row, "MA_LK"), expected="MA_LK of XML1", found="another MA_LK")


def counted_rows(visit: Visit) -> Iterator[Finding]:
    """LNK-004: STT counts 1, 2, 3 … in each file; the first row that breaks the count is named."""
    for table in visit.of_kind(*NUMBERED):
        if table.column("STT") != [str(number) for number in range(1, len(table.elements) + 1)]:
            yield from _first_miscounted(visit, table)


def _first_miscounted(visit: Visit, table: Table) -> Iterable[Finding]:
    for row in table.rows:
        text = visit.usable(table, row, "STT")
        if text and int(text) != row.number:
            return [finding("LNK-004", _place(table, row, "STT"), expected=str(row.number), found=str(int(text)))]
    return []


RULES = (Rule("LNK-001", same_ma_lk), Rule("LNK-004", counted_rows))
