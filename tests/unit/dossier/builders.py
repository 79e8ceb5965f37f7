"""Table files of any standard that are sound in form, with one thing changed. Everybody in them is invented.

Their values make no sense together: the rules that relate values have their own dossiers (`test_rule_proofs.py`), and
`judge` here leaves their findings out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from xml.sax.saxutils import escape

from events.visit import Finding, TableFile
from streams.domain.dossier.forms import Form, form_of
from streams.domain.dossier.rules import READING
from streams.domain.dossier.standard import Standard, standard_on
from streams.domain.dossier.tables import FieldSpec, TableSpec, catalogue
from streams.domain.dossier.verdict import Verdict
from streams.domain.dossier.verdict import judge as judge_all

FACILITY = "01999"
MA_LK = "TEST-2026-000001"
TODAY = date(2026, 11, 2)
NOW = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)

_BY_FORM = {
    Form.DATE: "20261102",
    Form.APPOINTMENT: "20261120",
    Form.MOMENT: "202611020930",
    Form.BIRTH: "199001010000",
    Form.IDENTITY: "001090000000",
    Form.INTEGER: "1",
    Form.DECIMAL: "1",
    Form.AMOUNT: "1.00",
    Form.QUANTITY: "1.5",
}
_BY_NAME = {"MA_LK": MA_LK, "MA_CSKCB": FACILITY, "MA_QUOCTICH": "000", "MA_LOAI_KCB": "01", "MA_DOITUONG_KCB": "9"}


def spec_of(kind: str, on: date = TODAY) -> TableSpec:
    return catalogue(on)[kind]


def sound_value(kind: str, field: FieldSpec) -> str:
    """A value that needs no finding; empty where the field is not required."""
    if not field.is_required:
        return ""
    return _BY_NAME.get(field.name) or _BY_FORM.get(form_of(kind, field), "X")


def sound_row(spec: TableSpec, number: int = 1, /, **changes: str) -> dict[str, str]:
    row = {field.name: sound_value(spec.kind, field) for field in spec.fields}
    if "STT" in row:
        row["STT"] = str(number)
    return row | changes


def row_xml(row: Mapping[str, str], order: Iterable[str] | None = None) -> str:
    return "".join(f"<{name}>{escape(row[name])}</{name}>" for name in (order or row))


def table_xml(spec: TableSpec, rows: Sequence[str]) -> bytes:
    """A table file around rows that are XML already."""
    if spec.list_element is None:
        return f"<{spec.root}>{''.join(rows)}</{spec.root}>".encode()
    body = "".join(f"<{spec.row_element}>{row}</{spec.row_element}>" for row in rows)
    signature = "<CHUKYDONVI/>" if spec.travels == "checkin" else ""
    return f"<{spec.root}><{spec.list_element}>{body}</{spec.list_element}>{signature}</{spec.root}>".encode()


def table(kind: str, *rows: Mapping[str, str], on: date = TODAY, **changes: str) -> TableFile:
    """One file with a sound row that has these changes, or with the rows given."""
    spec = spec_of(kind, on)
    return TableFile(kind, table_xml(spec, [row_xml(row) for row in rows or (sound_row(spec, **changes),)]))


def summary(on: date = TODAY, /, **changes: str) -> TableFile:
    """A sound XML1 of a visit that ended on the day."""
    day = f"{on:%Y%m%d}"
    return table("XML1", on=on, **{"NGAY_VAO": f"{day}0800", "NGAY_RA": f"{day}0930"} | changes)


_OF_FORM = READING | {"ENV-002", "FAC-001", "FAC-002", "FAC-003", "LNK-001", "LNK-004", "X1-003"}


def judge(dossier: bytes | Iterable[TableFile], **given: Any) -> Verdict:
    """The verdict without what relates values."""
    found = judge_all(dossier, **given)
    return replace(found, findings=tuple(item for item in found.findings if item.code in _OF_FORM))


def verdict(*tables: TableFile, facility: str | None = FACILITY) -> Verdict:
    return judge(tables, now=NOW, facility=facility)


def codes(found: Verdict | Iterable[Finding]) -> list[str]:
    return [item.code for item in (found.findings if isinstance(found, Verdict) else found)]


def standard(on: date = TODAY) -> Standard:
    return standard_on(on)
