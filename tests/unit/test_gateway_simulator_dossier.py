"""What the gateway simulator says to the content of a sending: XML, envelope, tables."""

import base64
from datetime import UTC, datetime

import pytest

from streams.simulators.gateway.answers import Code, Refusal
from streams.simulators.gateway.dossier import Contents, Visit, read_check_in, read_envelope
from streams.simulators.gateway.xml import parse
from tests.support import gateway_simulator as kit

F = "01999"
OTHER = "79888"


def contents(*dossiers: kit.Tables, facility: str = F) -> Contents:
    return read_envelope(parse(kit.envelope(facility, *dossiers), "test"))


def found(*tables: tuple[str, bytes]) -> set[tuple[str, str, str]]:
    return {(finding.code, finding.table, finding.field) for finding in contents(list(tables)).findings}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not XML",
        b"<a>",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<!-- x --><?x y?>\n<!doctype a><a/>",
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"),
        "<a/>".encode("utf-16-le"),
        b'<?xml version="1.0" encoding="utf-8"?><a>\xff</a>',
        b"\xef\xbb\xbf<a/>",
        b"<a><?php x?></a>",
        b"<?style x?><a/>",
        b"<a>&#1;</a>",
    ],
)
def test_bytes_that_are_not_plain_xml_in_utf8_are_123(data: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse(data, "test")
    assert refused.value.code == Code.FORMAT


def test_a_doctype_that_is_only_text_is_text() -> None:
    assert parse(b"<a><![CDATA[<!DOCTYPE a>]]></a>", "test").text == "<!DOCTYPE a>"


def test_a_comment_does_not_cut_a_value_in_two() -> None:
    assert parse(b"<a>01<!-- -->999</a>", "test").text == "01999"


def test_a_refusal_never_quotes_the_document() -> None:
    with pytest.raises(Refusal) as refused:
        parse(b"<HO_TEN>Nguyen Van Thu</HO_TEM>", "XML1")
    assert "Nguyen" not in refused.value.text


def test_a_good_dossier_has_no_findings() -> None:
    good = contents(kit.tables(F, "V-1"))
    assert (good.findings, good.visit, good.facility) == ([], "V-1", F)
    assert good.visits[0] == Visit("V-1", (2026, 11), datetime(2026, 11, 2, tzinfo=UTC).date())


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([("XML1", kit.head(F, "V-1")), ("XML3", kit.services("V-2"))], ("202", "XML3", "MA_LK")),
        ([("XML1", kit.head(OTHER, "V-1"))], ("202", "XML1", "MA_CSKCB")),
        ([("XML1", kit.head(F, "V" * 101))], ("202", "XML1", "MA_LK")),
        ([("XML1", kit.head(F, "V-1", HO_TEN=""))], ("202", "XML1", "HO_TEN")),
        ([("XML1", kit.head(F, "V-1", NGAY_RA="20261399"))], ("202", "XML1", "NGAY_RA")),
        ([("XML3", kit.services("V-1"))], ("123", "XML1", "")),
        ([("XML1", kit.head(F, "V-1"))] * 2, ("123", "XML1", "")),
        ([("XML3", kit.services("V-1")), ("XML1", kit.head(F, "V-1"))], ("123", "GIAMDINHHS", "LOAIHOSO")),
        ([("XML1", kit.head(F, "V-1")), ("XML12", b"<x/>")], ("123", "GIAMDINHHS", "LOAIHOSO")),
        ([("XML1", kit.head(F, "V-1")), ("XML0", kit.check_in(F, "V-1"))], ("123", "GIAMDINHHS", "LOAIHOSO")),
        ([("XML1", kit.head(F, "V-1")), ("XML3", b"<x/>")], ("123", "XML3", "")),
        ([("XML1", kit.head(F, "V-1")), ("XML3", b"<!DOCTYPE a><a/>")], ("123", "XML3", "NOIDUNGFILE")),
        ([("XML1", kit.head(F, "V-1")), ("XML3", kit.services("V-1")[:-9])], ("123", "XML3", "NOIDUNGFILE")),
    ],
)
def test_each_fault_of_content_is_found_where_it_is(
    tables: list[tuple[str, bytes]], expected: tuple[str, str, str]
) -> None:
    assert expected in found(*tables)


def test_all_findings_are_listed_and_what_cannot_be_read_comes_first() -> None:
    read_ = contents([("XML1", kit.head(F, "V-1", HO_TEN="", NGAY_RA="")), ("XML3", b"<x/>")])
    assert read_.refusal
    assert read_.refusal.code == Code.FORMAT
    assert len(read_.refusal.findings) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO>2<"),
        (b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO><"),
        (b"<NGAYLAP>20261102<", b"<NGAYLAP>20261302<"),
        (b"<CHUKYDONVI/>", b"<CHUKYDONVI/><X/>"),
        (b"<NOIDUNGFILE>", b"<NOIDUNGFILE>*"),
    ],
)
def test_a_wrong_envelope_is_123(old: bytes, new: bytes) -> None:
    refusal = read_envelope(parse(kit.envelope(F, kit.tables(F, "V-1")).replace(old, new), "test")).refusal
    assert refusal
    assert refusal.code == Code.FORMAT


def test_line_breaks_in_the_inner_base64_and_empty_tables_are_tolerated() -> None:
    data = kit.envelope(F, [*kit.tables(F, "V-1"), ("XML4", b"")])
    inner = base64.b64encode(kit.head(F, "V-1"))
    broken = b"\r\n".join(inner[at : at + 76] for at in range(0, len(inner), 76))
    assert read_envelope(parse(data.replace(inner, broken), "test")).refusal is None


def test_a_check_in_with_two_rows_is_refused() -> None:
    document = kit.check_in(F, "V-1")
    row = document[document.index(b"<TRANG") : document.index(b"</DSACH")]
    assert read_check_in(parse(document.replace(row, row * 2), "test")).refusal
