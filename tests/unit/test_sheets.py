"""Rows as files for people: CSV and XLSX hold the same, and no text becomes a formula."""

import csv
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from streams.cli.sheets import write_sheet

COLUMNS = ("ma_lk", "when", "count", "text")
ROWS: list[dict[str, Any]] = [
    {"ma_lk": "0012", "when": datetime(2026, 11, 2, 3, tzinfo=UTC), "count": 3, "text": "Thiếu trường"},
    {"ma_lk": "=1+1", "when": None, "count": None, "text": "http://x"},
]
TEXT = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def test_csv_is_utf_8_for_spreadsheets_in_vietnamese_time(tmp_path: Path) -> None:
    write_sheet(tmp_path / "a.csv", ROWS, COLUMNS)
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            list(COLUMNS),
            ["0012", "2026-11-02 10:00:00", "3", "Thiếu trường"],
            ["'=1+1", "", "", "http://x"],
        ]


def test_xlsx_keeps_texts_as_texts(tmp_path: Path) -> None:
    write_sheet(tmp_path / "a.xlsx", ROWS, COLUMNS)
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        sheet = etree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        strings = etree.fromstring(book.read("xl/sharedStrings.xml"))
    assert [text.text for text in strings.iter(f"{TEXT}t")] == [
        *COLUMNS, "0012", "2026-11-02 10:00:00", "Thiếu trường", "=1+1", "http://x",
    ]  # fmt: skip
    assert not list(sheet.iter(f"{TEXT}f")), "a formula"
    assert not list(sheet.iter(f"{TEXT}hyperlink"))
    assert len(list(sheet.iter(f"{TEXT}row"))) == 3


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_no_rows_are_a_file_with_a_head(tmp_path: Path, suffix: str) -> None:
    write_sheet(tmp_path / f"a{suffix}", [], COLUMNS)
    assert (tmp_path / f"a{suffix}").stat().st_size > 20
