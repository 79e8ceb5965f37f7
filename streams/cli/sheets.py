"""Rows as a file for people: CSV or XLSX by the name's ending."""

import csv
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from streams.domain.vietnam import local

SUFFIXES = (".csv", ".xlsx")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_sheet(path: Path | None, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Instants in Vietnamese time. A text never becomes a formula of the spreadsheet. Without a path: CSV on standard
    output. Raises OSError.
    """
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if path is None:
        _csv(sys.stdout, columns, cells)
        return
    if path.suffix == ".xlsx":
        _xlsx(path, columns, cells)
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark tells spreadsheets that it is UTF-8
        _csv(file, columns, cells)


def safe(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe (OWASP, CSV injection)."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _csv(file: TextIO, columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> None:
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([safe(cell) for cell in row] for row in cells)


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return local(value)
    return value


def _xlsx(path: Path, columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> None:
    from xlsxwriter import Workbook  # only where a workbook is written: commands do not pay for it

    with Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}) as book:
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, columns, book.add_format({"bold": True}))
        for number, row in enumerate(cells, 1):
            sheet.write_row(number, 0, row)
        sheet.autofilter(0, 0, len(cells), len(columns) - 1)
        sheet.autofit()
