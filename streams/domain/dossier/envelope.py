"""The envelope GIAMDINHHS: table files in base64 between the facility's code and its signature (ENVELOPE §2)."""

import binascii
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

from lxml import etree

from events.visit import Finding, TableFile
from events.xml import XmlError, parse
from streams.domain.dossier.findings import ENVELOPE, Place, finding
from streams.domain.dossier.moments import day_of, is_day
from streams.domain.dossier.trouble import true_reason

ROOT_ELEMENT = "GIAMDINHHS"
CHILDREN = ("THONGTINDONVI", "THONGTINHOSO", "CHUKYDONVI")
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"

_TROUBLE = {
    "XML_EMPTY": "ENV-001/empty",
    "XML_TOO_LARGE": "ENV-001/size",
    "XML_ENCODING": "ENV-001/encoding",
    "XML_DOCTYPE": "ENV-001/doctype",
    "XML_CONTROL_CHARACTER": "ENV-001/control",
    "XML_MALFORMED": "ENV-001/malformed",
}


@dataclass(frozen=True, slots=True)
class Dossier:
    """What a well-formed envelope holds: its first HOSO; others are named in a finding."""

    facility: str
    """MACSKCB."""
    made_on: date | None
    tables: tuple[TableFile, ...]
    """In the order of the file; a file without content is an empty table."""
    undecoded: tuple[str, ...]
    """Kinds of files whose base64 cannot be read: present, but unknown (RULES §1)."""
    signed: bool
    """CHUKYDONVI is not empty. Whether the signature holds is the verifier's word (ENV-010)."""


def read_envelope(data: bytes) -> tuple[Dossier | None, tuple[Finding, ...]]:
    """The dossier and the findings ENV-001, 003, 004, 008 (base64) and 010 (count); no dossier when ENV-001 fails."""
    try:
        root = parse(data)
    except XmlError as error:
        reason = true_reason(error, data)
        return None, (finding(_TROUBLE[reason.code], Place(ENVELOPE), line=reason.line),)
    if root.tag != ROOT_ELEMENT or tuple(child.tag for child in root) != CHILDREN:
        return None, (finding("ENV-001/structure", Place(ENVELOPE), expected="/".join(CHILDREN)),)
    unit, info, signature = root
    found = [*_made_on(info), *_count(info)]
    tables, undecoded, troubles = _files(info.find("DANHSACHHOSO/HOSO"))
    signed = len(signature) > 0 or bool((signature.text or "").strip())
    if signed and [child.tag for child in signature] != [SIGNATURE]:
        troubles.append(finding("ENV-010/count", Place(ENVELOPE, None, "CHUKYDONVI"), expected="1 signature"))
    dossier = Dossier(
        facility=unit.findtext("MACSKCB") or "",
        made_on=day_of(info.findtext("NGAYLAP") or ""),
        tables=tuple(tables),
        undecoded=tuple(undecoded),
        signed=signed,
    )
    return dossier, (*found, *troubles)


def write_envelope(facility: str, made_on: date, tables: Iterable[TableFile]) -> bytes:
    """The unsigned envelope, the same bytes for the same input: tables ascending by kind, then in the order given."""
    files = "".join(
        f"<FILEHOSO><LOAIHOSO>{escape(table.kind)}</LOAIHOSO>"
        f"<NOIDUNGFILE>{b64encode(table.content).decode('ascii')}</NOIDUNGFILE></FILEHOSO>"
        for table in sorted(tables, key=lambda table: int(table.kind.removeprefix("XML")))
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{escape(facility)}</MACSKCB></THONGTINDONVI>"
        f"<THONGTINHOSO><NGAYLAP>{made_on:%Y%m%d}</NGAYLAP><SOLUONGHOSO>1</SOLUONGHOSO>"
        f"<DANHSACHHOSO><HOSO>{files}</HOSO></DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
    ).encode()


def _made_on(info: etree._Element) -> list[Finding]:
    text = info.findtext("NGAYLAP") or ""
    if is_day(text):
        return []
    return [finding("ENV-003", Place(ENVELOPE, None, "NGAYLAP"), expected="yyyyMMdd", found=f"{len(text)} characters")]


def _count(info: etree._Element) -> list[Finding]:
    place = Place(ENVELOPE, None, "SOLUONGHOSO")
    count = len(info.findall("DANHSACHHOSO/HOSO"))
    if count != 1:
        return [finding("ENV-004/many", place, expected="1 HOSO", found=f"{count} HOSO", count=count)]
    if (info.findtext("SOLUONGHOSO") or "").strip().lstrip("0") != "1":
        return [finding("ENV-004/number", place, expected="1", found="another value", count=count)]
    return []


def _files(hoso: etree._Element | None) -> tuple[list[TableFile], list[str], list[Finding]]:
    """(decoded files, kinds that could not be decoded, why) of one HOSO."""
    tables: list[TableFile] = []
    undecoded: list[str] = []
    troubles: list[Finding] = []
    numbers: Counter[str] = Counter()
    for file in () if hoso is None else hoso.findall("FILEHOSO"):
        kind = file.findtext("LOAIHOSO") or ""
        numbers[kind] += 1
        try:
            tables.append(TableFile(kind, _decoded(file.findtext("NOIDUNGFILE") or "")))
        except ValueError:
            label = kind if numbers[kind] == 1 else f"{kind}-{numbers[kind]}"
            troubles.append(finding("ENV-008/base64", Place(label, None, "NOIDUNGFILE"), expected="base64"))
            undecoded.append(kind)
    return tables, undecoded, troubles


def _decoded(text: str) -> bytes:
    """Standard base64, line breaks tolerated. Raises ValueError (binascii.Error is one)."""
    return binascii.a2b_base64("".join(text.split()), strict_mode=True)
