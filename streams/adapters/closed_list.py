"""The HIS's own list of what it closed: one MA_LK a line, or a CSV with a heading, or the lines of `simulate his`."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from streams.domain.dossier.moments import VIETNAM
from streams.domain.reconciliation import Closed

_MA_LK = ("ma_lk", "malk")
_FACILITY = ("facility", "ma_cskcb")
_CLOSED_AT = ("closed_at",)
_LONGEST = 100


class ClosedListError(Exception):
    """The list cannot be used; one text for each line that is wrong, in the order of the lines."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ClosedList:
    """What a facility closed on a day. `repeated`: lines that said it again; `elsewhere`: of other days, facilities."""

    closed: tuple[Closed, ...]
    repeated: int
    elsewhere: int


def read_closed_list(path: Path, facility: str, day: date) -> ClosedList:
    """Raises ClosedListError, OSError. No text quotes the file: it may hold more than keys."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ClosedListError([f"{path.name}: expected text in UTF-8. Save it as CSV UTF-8."]) from None
    problems: list[str] = []
    found: list[Closed] = []
    elsewhere = 0
    for number, row in _rows(lines):
        try:
            line = _line(row)
        except ValueError as error:
            problems.append(f"{path.name}:{number}: {error}")
            continue
        if line.facility not in (None, facility) or line.day not in (None, day):
            elsewhere += 1
        else:
            found.append(line.closed)
    if problems:
        raise ClosedListError(problems)
    closed = tuple(dict.fromkeys(found))
    return ClosedList(closed, len(found) - len(closed), elsewhere)


@dataclass(frozen=True, slots=True)
class _Line:
    closed: Closed
    facility: str | None
    day: date | None


def _rows(lines: list[str]) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """Each line that says something, with its number: its columns by name, or why it cannot be read."""
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        return
    first = numbered[0][1]
    if first.lstrip().startswith("{"):
        for number, line in numbered:
            yield number, _from_json(line)
        return
    delimiter = max(",;\t", key=first.count)
    heading = [name.strip().strip('"').lower() for name in first.split(delimiter)]
    if not set(heading) & set(_MA_LK):
        if any(separator in first for separator in ",;\t"):
            yield numbered[0][0], "a CSV needs a heading with the column MA_LK (and, where known, REVISION, CLOSED_AT)"
            return
        for number, line in numbered:
            yield number, {"ma_lk": line}
        return
    for number, line in numbered[1:]:
        cells = next(csv.reader([line], delimiter=delimiter))
        if len(cells) != len(heading):
            yield number, f"expected {len(heading)} columns as in the heading, found {len(cells)}"
        else:
            yield number, dict(zip(heading, cells, strict=True))


def _from_json(line: str) -> Mapping[str, str] | str:
    try:
        row = json.loads(line)
    except ValueError:
        return "expected a JSON object as in the first line"
    if not isinstance(row, dict):
        return "expected a JSON object as in the first line"
    return {name.lower(): str(value) for name, value in row.items() if value is not None}


def _line(row: Mapping[str, str] | str) -> _Line:
    """Raises ValueError with what was expected and the kind of what was found."""
    if isinstance(row, str):
        raise ValueError(row)
    ma_lk = _cell(row, _MA_LK)
    if not ma_lk or len(ma_lk) > _LONGEST or not ma_lk.isprintable() or "|" in ma_lk:
        raise ValueError(f"MA_LK: expected 1 to {_LONGEST} characters without '|', found {len(ma_lk or '')}")
    revision = _cell(row, ("revision",))
    if revision and not (revision.isascii() and revision.isdecimal() and 0 < int(revision) < 2**63):
        raise ValueError(f"REVISION: expected a whole number above 0, found {len(revision)} characters")
    at = _cell(row, _CLOSED_AT)
    return _Line(Closed(ma_lk, int(revision) if revision else None), _cell(row, _FACILITY), _day(at) if at else None)


def _cell(row: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((row[name].strip() or None for name in names if name in row), None)


def _day(text: str) -> date:
    """Of yyyymmddHHMM as in the dossier, or of ISO 8601; a time without an offset is Vietnam's."""
    try:
        if text.isdecimal() and len(text) in (8, 12, 14):
            return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("CLOSED_AT: expected yyyymmddHHMM or yyyy-mm-ddTHH:MM, found another form") from None
    return (at if at.tzinfo is None else at.astimezone(VIETNAM)).date()
