"""What the tables of a dossier look like on a given day: elements, fields, lengths.

The layouts are data (`schemas/dossier/layouts.csv`, `tables/*.csv`, `codes/lengths_by_date.csv`; read as ENVELOPE §§1
and 3 say). Every date in them is the first day of a standard, which a test keeps so: one catalogue per standard.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from types import MappingProxyType
from typing import Literal, cast

from streams.domain.dossier.data import in_force, read_csv
from streams.domain.dossier.standard import Standard, standard_on

FieldType = Literal["string", "integer", "decimal", "date", "datetime"]
Travels = Literal["dossier", "checkin", "portal"]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One element of a row. All values are text in XML; `type` says which form the text must have."""

    order: int
    name: str
    type: FieldType
    max_length: int | None
    """Characters, not bytes; None: the decision sets no limit."""
    required: str
    """`yes`, `no`, or `conditional:<when>`, which binds only through a rule that names the field."""
    format: str
    meaning: str
    warn_above: int | None = None
    """Length above which one source refuses and another does not (rule ENV-013W)."""

    @property
    def is_required(self) -> bool:
        return self.required == "yes"


@dataclass(frozen=True, eq=False)  # one object for each layout: compared and hashed by identity
class TableSpec:
    """One table: `root`/`list_element`/`row_element`, or fields directly under `root` when there is no list."""

    kind: str
    root: str
    list_element: str | None
    row_element: str
    fields: tuple[FieldSpec, ...]
    travels: Travels = "dossier"

    @cached_property
    def by_name(self) -> Mapping[str, FieldSpec]:
        return MappingProxyType({field.name: field for field in self.fields})

    @property
    def number(self) -> int:
        """The n of XML<n>; 0 for the check-in, which HIS exporters call XML0."""
        return int(self.kind[3:]) if self.kind.startswith("XML") else 0


def catalogue(on: date) -> Mapping[str, TableSpec]:
    """Every table known on the day by its kind (`XML1` … `XML15`, `CHECKIN`), in ascending order.

    Only tables with `travels == "dossier"` may stand in an envelope (ENV-005).
    """
    return catalogue_of(standard_on(on))


@cache
def catalogue_of(standard: Standard) -> Mapping[str, TableSpec]:
    """The tables as the standard has them."""
    day = standard.valid_from
    return MappingProxyType({row["kind"]: _table(row, day) for row in read_csv("layouts.csv") if in_force(row, day)})


def _table(layout: dict[str, str], day: date) -> TableSpec:
    lengths = {
        row["field"]: row
        for row in read_csv("codes/lengths_by_date.csv")
        if row["table"] == layout["kind"] and in_force(row, day)
    }
    return TableSpec(
        kind=layout["kind"],
        root=layout["root"],
        list_element=layout["list_element"] or None,
        row_element=layout["row_element"],
        fields=tuple(_field(row, lengths.get(row["name"])) for row in read_csv(f"tables/{layout['fields']}")),
        travels=cast(Travels, layout["travels"]),
    )


def _field(row: dict[str, str], dated: dict[str, str] | None) -> FieldSpec:
    length = dated["max_length"] if dated else row["max_length"]
    return FieldSpec(
        order=int(row["order"]),
        name=row["name"],
        type=cast(FieldType, row["type"]),
        max_length=None if length == "n" else int(length),
        required=row["required"],
        format=row["format_or_values"],
        meaning=row["meaning_en"],
        warn_above=int(dated["warn_above"]) if dated and dated["warn_above"] else None,
    )
