"""Texts of the dossier → values of the entry. An empty text is None; nothing is corrected, nothing is guessed."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache

from events.health_book_content import CareKind, Coded
from streams.domain.dossier.data import in_force, read_csv
from streams.domain.dossier.moments import day_of
from streams.domain.privacy_fields import Row

Names = Callable[[str], str | None]
"""Facility code → its name, None for one that is not known here."""

PROVINCES_MERGED = date(2025, 7, 1)


def text(row: Row, name: str) -> str | None:
    """The text exactly as sent (HBR-10); None when there is nothing to read in it."""
    value = row.get(name, "")
    return value if value.strip() else None


def first(row: Row, *names: str) -> str | None:
    """The first of several fields that says something."""
    return next((value for name in names if (value := text(row, name))), None)


def split(value: str) -> tuple[str, ...]:
    """Members of a value between semicolons (RULES §3), without the empty ones."""
    return tuple(member.strip() for member in value.split(";") if member.strip())


def number(row: Row, name: str) -> int | None:
    value = row.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() else None


def days(value: str) -> tuple[date, ...]:
    """The days of a list."""
    return tuple(day for member in split(value) if (day := day_of(member)))


def coded(row: Row, name: str, code_list: str | None = None) -> Coded | None:
    """A code with its Vietnamese name from `codes/<code_list>.csv`."""
    code = row.get(name, "").strip()
    return Coded(code, _names(code_list).get(code) if code_list else None) if code else None


def facility(code: str, names: Names) -> Coded | None:
    """A facility; its name where the register of this installation knows it."""
    code = code.strip()
    return Coded(code, names(code)) if code else None


def province(row: Row, on: date) -> Coded | None:
    """HB-13: old codes stay valid for old data."""
    return coded(row, "MATINH_CU_TRU", "tinh_tp_tu_2025_07" if on >= PROVINCES_MERGED else "tinh_tp_truoc_2025_07")


def care(code: str, on: date) -> CareKind:
    """HB-22: one of the six kinds of the book."""
    rows = read_csv("book_visit_types.csv")
    found = (row["care"] for row in rows if row["code"] == code and in_force(row, on))
    return CareKind(next(found, CareKind.UNKNOWN))


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """Each value once, in the order of its first occurrence."""
    return tuple(dict.fromkeys(values))


@cache
def _names(code_list: str) -> Mapping[str, str]:
    return {row["code"]: row["meaning_vi"] for row in read_csv(f"codes/{code_list}.csv")}
