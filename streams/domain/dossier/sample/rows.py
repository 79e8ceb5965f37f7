"""How a sound dossier is changed in its values: rows of tables, edited and written again."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from events.visit import TableFile
from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.reading import read_files
from streams.domain.dossier.sample.edits import Change
from streams.domain.dossier.sample.model import Sample
from streams.domain.dossier.sample.money import round_amount, totals
from streams.domain.dossier.sample.write import write_table

Rows = dict[str, list[dict[str, str]]]
"""Table → its rows, all files of a table together."""
Edit = Callable[[Rows], None]
Value = str | Callable[[Rows], str]
"""A text, or how it follows from the other rows."""
Which = int | Mapping[str, str]
"""A row by its position, or the first one with these values."""

_ONE_PER_FILE = frozenset({"XML7", "XML14"})


def rows_of(sample: Sample) -> Rows:
    """Every filled field of every row."""
    files = [TableFile(kind, content) for kind, content in sample.tables]
    rows: Rows = {}
    for table in read_files(files, (), date.max).tables:
        rows.setdefault(table.spec.kind, []).extend(
            {name: text for name, text in row.items() if text} for row in table.rows
        )
    return rows


def edited(*edits: Edit) -> Change:
    """The edits, one after the other, on the rows; the tables are written again in the layout of the visit's day."""

    def change(sample: Sample) -> Sample:
        rows = rows_of(sample)
        for edit in edits:
            edit(rows)
        day = sample.closed_at.astimezone(VIETNAM).date()
        tables = []
        for kind in sorted((kind for kind in rows if rows[kind]), key=lambda kind: int(kind[3:])):
            parts = [[row] for row in rows[kind]] if kind in _ONE_PER_FILE else [rows[kind]]
            tables += [(kind, write_table(kind, part, day)) for part in parts]
        return replace(sample, tables=tuple(tables))

    return change


def find(rows: Rows, kind: str, which: Which) -> dict[str, str]:
    """The row. Raises LookupError."""
    if isinstance(which, int):
        return rows[kind][which]
    return next(row for row in rows[kind] if all(row.get(name, "") == text for name, text in which.items()))


def put(kind: str, which: Which = 0, /, **values: Value) -> Edit:
    """Fields of one row get values; an empty one makes an empty element."""

    def edit(rows: Rows) -> None:
        row = find(rows, kind, which)
        row.update({name: value if isinstance(value, str) else value(rows) for name, value in values.items()})

    return edit


def put_all(kind: str, /, **values: Value) -> Edit:
    """The same in every row of a table."""

    def edit(rows: Rows) -> None:
        for row in rows.get(kind, ()):
            row.update({name: value if isinstance(value, str) else value(rows) for name, value in values.items()})

    return edit


def copy_row(kind: str, which: Which = 0, /, **values: Value) -> Edit:
    """One row once more at the end, with the next STT and these values."""

    def edit(rows: Rows) -> None:
        row = dict(find(rows, kind, which))
        if "STT" in row:
            row["STT"] = str(len(rows[kind]) + 1)
        row.update({name: value if isinstance(value, str) else value(rows) for name, value in values.items()})
        rows[kind].append(row)

    return edit


def drop(kind: str) -> Edit:
    """The whole table."""
    return lambda rows: rows.update({kind: []})


def keep(kind: str, wanted: Callable[[dict[str, str]], bool]) -> Edit:
    """Only these rows of a table, numbered again."""

    def edit(rows: Rows) -> None:
        rows[kind] = [row for row in rows[kind] if wanted(row)]
        for number, row in enumerate(rows[kind], 1):
            row["STT"] = str(number)

    return edit


def of(name: str, kind: str = "XML1", which: Which = 0, **later: float) -> Callable[[Rows], str]:
    """The value of another field; with `days`, `hours`, `minutes` a day or moment that much later."""

    def value(rows: Rows) -> str:
        text = find(rows, kind, which).get(name, "")
        if not later:
            return text
        form = "%Y%m%d" if len(text) == 8 else "%Y%m%d%H%M"
        return (datetime.strptime(text, form) + timedelta(**later)).strftime(form)  # noqa: DTZ007 - local time

    return value


def day_of(name: str, kind: str = "XML1", **later: float) -> Callable[[Rows], str]:
    """The day of a moment."""
    return lambda rows: of(name, kind, 0, **later)(rows)[:8]


def reckoned(kind: str, which: Which = 0, /, **values: Value) -> Edit:
    """Amounts of one line are changed, and everything that follows from them is reckoned again: shares, then totals."""

    def edit(rows: Rows) -> None:
        put(kind, which, **values)(rows)
        row = find(rows, kind, which)
        whole, covered = Decimal(row["THANH_TIEN_BV"]), Decimal(row["THANH_TIEN_BH"])
        fund = round_amount(covered * Decimal(row["MUC_HUONG"]) / 100)
        row |= {"T_BNTT": str(whole - covered), "T_BNCCT": str(covered - fund), "T_BHTT": str(fund)}
        retotal(rows)

    return edit


def retotal(rows: Rows) -> None:
    """The totals of table 1 from the lines."""
    rows["XML1"][0].update(totals(rows.get("XML2", []), rows.get("XML3", [])))


def add(amount: str, name: str, kind: str, which: Which = 0) -> Callable[[Rows], str]:
    """An amount that much higher."""
    return lambda rows: str(Decimal(find(rows, kind, which)[name]) + Decimal(amount))
