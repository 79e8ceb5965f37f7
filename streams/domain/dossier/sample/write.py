"""Rows to table files, and table files to an envelope, as HIS exporters write them (ENVELOPE §§2 to 4)."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from xml.sax.saxutils import escape

from streams.domain.dossier.sample.model import Row
from streams.domain.dossier.tables import FieldSpec, TableSpec, catalogue

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'


def write_table(kind: str, rows: Sequence[Row], on: date) -> bytes:
    """One table file in the layout of the day: every field, in order; free text in CDATA; empty elements for no value.

    Raises ValueError for a field that the table does not have, so that a misspelt one cannot vanish.
    """
    spec = catalogue(on)[kind]
    unknown = {name for row in rows for name in row} - spec.by_name.keys()
    if unknown:
        raise ValueError(f"{kind} has no field {', '.join(sorted(unknown))}")
    return (DECLARATION + "\n".join(_document(spec, rows)) + "\n").encode()


def _document(spec: TableSpec, rows: Sequence[Row]) -> Iterable[str]:
    yield f"<{spec.root}>"
    if spec.list_element is None:
        (row,) = rows
        yield from _elements(spec, row, "  ")
    else:
        yield f"  <{spec.list_element}>"
        for row in rows:
            yield f"    <{spec.row_element}>"
            yield from _elements(spec, row, "      ")
            yield f"    </{spec.row_element}>"
        yield f"  </{spec.list_element}>"
        if spec.travels == "checkin":  # it carries its own signature (ENV-015)
            yield "  <CHUKYDONVI/>"
    yield f"</{spec.root}>"


def _elements(spec: TableSpec, row: Row, indent: str) -> Iterable[str]:
    return (indent + _element(field, row.get(field.name, "")) for field in spec.fields)


def _element(field: FieldSpec, value: str) -> str:
    if not value:
        return f"<{field.name}/>"
    if "CDATA" in field.format:
        return f"<{field.name}>{cdata(value)}</{field.name}>"
    return f"<{field.name}>{escape(value)}</{field.name}>"


def cdata(text: str) -> str:
    """A CDATA section; split where the text itself would end it."""
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def table_files(tables: Iterable[tuple[str, bytes]]) -> Mapping[str, bytes]:
    """File names of a folder: XML7.xml, and XML7-2.xml for the second of a kind (RULES §7)."""
    seen: Counter[str] = Counter()
    files: dict[str, bytes] = {}
    for kind, content in tables:
        seen[kind] += 1
        files[f"{kind}.xml" if seen[kind] == 1 else f"{kind}-{seen[kind]}.xml"] = content
    return files


def write_envelope(facility: str, made_on: date, tables: Iterable[tuple[str, bytes]]) -> bytes:
    """GIAMDINHHS with one HOSO, not yet signed."""
    files = "".join(
        "        <FILEHOSO>\n"
        f"          <LOAIHOSO>{kind}</LOAIHOSO>\n"
        f"          <NOIDUNGFILE>{b64encode(content).decode()}</NOIDUNGFILE>\n"
        "        </FILEHOSO>\n"
        for kind, content in tables
    )
    return (
        f"{DECLARATION}<GIAMDINHHS>\n"
        f"  <THONGTINDONVI>\n    <MACSKCB>{escape(facility)}</MACSKCB>\n  </THONGTINDONVI>\n"
        f"  <THONGTINHOSO>\n    <NGAYLAP>{made_on:%Y%m%d}</NGAYLAP>\n    <SOLUONGHOSO>1</SOLUONGHOSO>\n"
        f"    <DANHSACHHOSO>\n      <HOSO>\n{files}      </HOSO>\n    </DANHSACHHOSO>\n  </THONGTINHOSO>\n"
        "  <CHUKYDONVI/>\n</GIAMDINHHS>\n"
    ).encode()
