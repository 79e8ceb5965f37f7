"""Which decision of the Ministry of Health judges a visit: dated data, chosen by the day of NGAY_RA (RULES §2)."""

from dataclasses import dataclass
from datetime import date
from functools import cache

from streams.domain.dossier.data import read_csv


@dataclass(frozen=True, slots=True)
class Standard:
    """One version of the dossier format (ENVELOPE §6)."""

    name: str
    """Number of the decision: 130, 4750, 3176 or 1931."""
    decision: str
    valid_from: date
    endpoint: str
    """Path of the gateway service that takes dossiers of this standard (GATEWAY §1)."""


@cache
def standards() -> tuple[Standard, ...]:
    """All standards, oldest first."""
    rows = read_csv("standards.csv")
    found = (
        Standard(
            row["name"],
            row["decision"],
            date.fromisoformat(row["valid_from"]) if row["valid_from"] else date.min,
            row["endpoint"],
        )
        for row in rows
    )
    return tuple(sorted(found, key=lambda standard: standard.valid_from))


def standard_on(day: date) -> Standard:
    """The standard in force on the day."""
    return max((s for s in standards() if s.valid_from <= day), key=lambda s: s.valid_from)


def standard_named(name: str) -> Standard:
    """The standard by the name that events carry. Raises KeyError."""
    return {standard.name: standard for standard in standards()}[name]
