"""Error lists exported from the gateway's portal: CSV, XLSX, XLS or ODS (GATEWAY §6.6).

The portal's own layout is not documented. Columns are found by their heading, in any order; accents, case and spaces do
not matter, and columns that nobody asks for are passed over.
"""

import asyncio
import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from events.visit import GatewayFinding
from streams.domain.dossier.moments import VIETNAM
from streams.domain.feedback import LONGEST_MESSAGE, FeedbackError, ToldFinding
from streams.domain.gateway_result import readable

COLUMNS: Mapping[str, Sequence[str]] = {
    "maCSKCB": ("maCSKCB", "Mã CSKCB", "Mã cơ sở KCB", "Mã cơ sở khám chữa bệnh"),
    "maLK": ("maLK", "Mã liên kết"),
    "maGiaoDich": ("maGiaoDich", "Mã giao dịch"),
    "bang": ("bang", "Bảng", "Tên bảng", "Loại XML"),
    "stt": ("stt", "Dòng", "STT dòng"),
    "truong": ("truong", "Tên trường", "Trường dữ liệu"),
    "maLoi": ("maLoi",),
    "moTa": ("moTa", "Mô tả lỗi", "Nội dung lỗi"),
    "thoiGian": ("thoiGian", "Thời gian trả lời", "Ngày trả lời"),
}
"""Our name of a column → the headings by which it is found."""

REQUIRED = ("maLK", "maLoi", "thoiGian")
_WORKBOOKS = (".xlsx", ".xls", ".ods")
_TIMES = ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M")
_TABLE = re.compile(r"(?:XML|BANG)?\s*([0-9]{1,2})")
_FIRST_YEAR, _LAST_YEAR = 2017, 2099  # the gateway's first year
_LONGEST = 100  # of codes, keys and field names


class FileFeedback:
    """Port `GatewayFeedback` over one exported file. `facility` is meant where the file has no column for it."""

    def __init__(self, path: Path, facility: str | None = None) -> None:
        self._path = path
        self._facility = facility

    async def told(self) -> Sequence[ToldFinding]:
        """See the port: all lines, or FeedbackError when one of them cannot be used. Raises OSError."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> list[ToldFinding]:
        rows = _workbook(self._path) if self._path.suffix.lower() in _WORKBOOKS else _csv(self._path)
        numbered = ((number, row) for number, row in enumerate(rows, 1) if any(_text(cell) for cell in row))
        first = next(numbered, None)
        if first is None:
            raise FeedbackError("the file is empty; expected a heading and one line for each error")
        places = _columns(first[1], with_facility=self._facility is None)
        return [self._line(number, _cells(row, places)) for number, row in numbered]

    def _line(self, number: int, cells: Mapping[str, Any]) -> ToldFinding:
        facility = _facility(cells.get("maCSKCB")) or self._facility or ""
        if self._facility not in (None, facility):
            raise FeedbackError(f"line {number}, maCSKCB: expected {self._facility}, found another facility")
        for name in REQUIRED:
            if not _text(cells.get(name)):
                raise FeedbackError(f"line {number}, {name}: expected a value, found nothing")
        return ToldFinding(
            facility=_short(number, "maCSKCB", facility),
            ma_lk=_short(number, "maLK", _text(cells["maLK"])),
            transaction_code=_short(number, "maGiaoDich", _text(cells.get("maGiaoDich"))),
            told_at=_instant(number, cells["thoiGian"]),
            finding=GatewayFinding(
                code=_short(number, "maLoi", _text(cells["maLoi"])),
                table=table_named(_short(number, "bang", _text(cells.get("bang")))),
                row=_row(number, _text(cells.get("stt"))),
                field=_short(number, "truong", _text(cells.get("truong"))) or None,
                message=readable(_text(cells.get("moTa")))[:LONGEST_MESSAGE],
            ),
        )


def table_named(text: str) -> str | None:
    """`XML3`, `3` and `Bảng 3` are one table; None where none is named."""
    found = _TABLE.fullmatch(_plain(text).upper())
    return f"XML{int(found[1])}" if found else text or None


def _csv(path: Path) -> Iterable[Sequence[Any]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FeedbackError("the file is not UTF-8; export it as CSV UTF-8 or as a workbook") from None
    comma = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    try:
        return list(csv.reader(io.StringIO(text), delimiter=comma))
    except csv.Error as error:
        raise FeedbackError(f"not a CSV file: {error}") from None


def _workbook(path: Path) -> Iterable[Sequence[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook  # only where a workbook is read

    content = path.read_bytes()
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    except CalamineError:
        raise FeedbackError("the file is not a workbook that can be read; export it again, or as CSV") from None


def _columns(heading: Sequence[Any], *, with_facility: bool) -> Mapping[str, int]:
    known = {_plain(alias): name for name, aliases in COLUMNS.items() for alias in (*aliases, name)}
    places: dict[str, int] = {}
    for place, cell in enumerate(heading):
        name = known.get(_plain(_text(cell)))
        if name is not None:
            places.setdefault(name, place)
    missing = [name for name in (*REQUIRED, *(("maCSKCB",) if with_facility else ())) if name not in places]
    if missing:
        # Not quoted: without a heading it is a row about a person.
        raise FeedbackError(f"heading: expected columns {', '.join(missing)}, found {len(heading)} other columns")
    return places


def _cells(row: Sequence[Any], places: Mapping[str, int]) -> Mapping[str, Any]:
    return {name: row[place] for name, place in places.items() if place < len(row)}


def _plain(text: str) -> str:
    """Letters and digits only, without accents and case."""
    letters = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D")).casefold()
    return "".join(letter for letter in letters if letter.isascii() and letter.isalnum())


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():  # a workbook's numbers are floats
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _facility(cell: Any) -> str:
    """A workbook may have made a number of the code: 01999 comes as 1999."""
    return _text(cell).zfill(5) if isinstance(cell, float | int) else _text(cell)


def _short(number: int, name: str, text: str) -> str:
    if len(text) > _LONGEST:
        raise FeedbackError(f"line {number}, {name}: expected at most {_LONGEST} characters, found {len(text)}")
    if not text.isprintable():
        raise FeedbackError(f"line {number}, {name}: expected text, found characters that cannot be printed")
    return text


def _row(number: int, text: str) -> int | None:
    if text and not re.fullmatch("[0-9]{1,9}", text):
        raise FeedbackError(f"line {number}, stt: expected a whole number, found other characters")
    return int(text) or None if text else None


def _instant(number: int, cell: Any) -> datetime:
    """An instant in Vietnamese time, as the gateway writes all its times."""
    told = _told_at(cell)
    if told is None:
        expected = "yyyyMMddHHmmss or dd/MM/yyyy HH:mm:ss"
        raise FeedbackError(f"line {number}, thoiGian: expected {expected}, found another form")
    if not _FIRST_YEAR <= told.year <= _LAST_YEAR:
        raise FeedbackError(f"line {number}, thoiGian: expected a year from {_FIRST_YEAR} on, found {told.year}")
    return told.replace(tzinfo=VIETNAM)


def _told_at(cell: Any) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    for form in _TIMES:
        try:
            return datetime.strptime(_text(cell), form)  # noqa: DTZ007 - the caller knows the zone
        except ValueError:
            continue
    return None
