"""Code lists with dates: the closed lists that we ship, and those that a facility or the operator loads (RULES §6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from typing import Protocol

from streams.domain.dossier.data import ROOT, in_force, read_csv

Entry = Mapping[str, str]
"""One row of a list: column → text."""


@dataclass(frozen=True)
class CodeList:
    """One version of a list as it stands on one day."""

    name: str
    source: str
    rows: tuple[Entry, ...] = field(repr=False)

    @cached_property
    def codes(self) -> frozenset[str]:
        return frozenset(row["code"] for row in self.rows)

    @cached_property
    def by_code(self) -> Mapping[str, tuple[Entry, ...]]:
        found: dict[str, list[Entry]] = {}
        for row in self.rows:
            found.setdefault(row["code"], []).append(row)
        return {code: tuple(rows) for code, rows in found.items()}

    def __contains__(self, code: object) -> bool:
        return code in self.codes


class Lists(Protocol):
    """Where the rules look codes up."""

    def on(self, name: str, day: date) -> CodeList | None:
        """The list as it stands on the day; None when nobody loaded one that is valid then."""
        ...

    def of(self, facility: str) -> "Lists":
        """The same with the facility's own lists before the common ones."""
        ...


class ShippedLists:
    """The closed lists of the standard (`schemas/dossier/codes`), with the dates of `validity.csv`."""

    def on(self, name: str, day: date) -> CodeList | None:
        """See the port. A list that is not of the standard, or not valid on the day, is None."""
        return _shipped(name, day) if name in shipped_names() else None

    def of(self, facility: str) -> Lists:
        """See the port: nobody loaded any."""
        del facility
        return self


SHIPPED = ShippedLists()


@cache
def shipped_names() -> frozenset[str]:
    """Names of the closed lists: those with codes, not the dated tables of numbers."""
    folder = ROOT.joinpath("codes")
    names = (item.name.removesuffix(".csv") for item in folder.iterdir() if item.name.endswith(".csv"))
    return frozenset(name for name in names if name not in _NOT_LISTS)


_NOT_LISTS = frozenset({"validity", "lengths_by_date", "luong_co_so", "ty_le_doituong"})


@cache
def _shipped(name: str, day: date) -> CodeList | None:
    limits = {row["code"]: row for row in read_csv("codes/validity.csv") if row["list"] == name}
    if "*" in limits and not in_force(limits["*"], day):
        return None
    rows = read_csv(f"codes/{name}.csv")
    kept = tuple(row for row in rows if row["code"] not in limits or in_force(limits[row["code"]], day))
    return CodeList(name, "shipped with this version", kept)


def codes_on(lists: Lists, day: date, *names: str) -> frozenset[str]:
    """The codes of several lists together; a list that is not valid on the day adds none."""
    found: Sequence[CodeList | None] = [lists.on(name, day) for name in names]
    return frozenset().union(*(item.codes for item in found if item is not None))
