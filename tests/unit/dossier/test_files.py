"""Which files a dossier holds, and files that are not the table they should be."""

from datetime import date

import pytest

from events.visit import TableFile
from tests.unit.dossier.builders import FACILITY, MA_LK, NOW, codes, judge, sound_row, spec_of, summary, table, verdict

REFERRAL = table("XML13")


def test_sound_tables_of_every_kind_pass() -> None:
    tables = [summary(), *(table(f"XML{n}") for n in (*range(2, 12), 13, 14, 15))]
    found = verdict(*tables)
    assert found.findings == ()
    assert not found.rejected
    assert dict(found.rows) == {file.kind: 1 for file in tables}


def test_no_xml1() -> None:
    found = verdict(table("XML2"), TableFile("XML3", b"junk"))
    assert sorted(codes(found)) == ["ENV-006", "ENV-008"]
    assert (found.ma_lk, found.facility, found.discharged_at) == ("", "", None)


def test_without_xml1_only_env_rules_run() -> None:
    spec = spec_of("XML2")
    row = sound_row(spec, NGAY_YL="yesterday", MA_KHOA="", DON_VI_TINH="v" * 51)
    assert codes(verdict(table("XML2", row))) == ["ENV-006", "ENV-013"]


def test_two_xml1() -> None:
    found = verdict(summary(), summary())
    assert codes(found) == ["ENV-006"]
    assert found.findings[0].found == "2 files"


def test_nothing_at_all() -> None:
    assert codes(verdict()) == ["ENV-006"]


@pytest.mark.parametrize("kind", ["XML0", "XML12", "XML16", "CHECKIN", "", "Nguyễn Văn Thử"])
def test_a_kind_that_does_not_travel(kind: str) -> None:
    (found,) = verdict(summary(), TableFile(kind, b"<x/>")).findings
    assert found.code == "ENV-005"
    assert "Thử" not in repr(found)


def test_a_referral_does_not_travel_before_its_decision() -> None:
    last_day = date(2024, 6, 30)
    assert codes(verdict(summary(last_day), REFERRAL)) == ["ENV-005"]
    old = table("XML13", on=date(2024, 7, 1), MA_TTDV="0100000000")
    assert codes(verdict(summary(date(2024, 7, 1), MA_TTDV="0100000000"), old)) == []


@pytest.mark.parametrize(("kind", "expected"), [("XML2", ["ENV-007"]), ("XML7", []), ("XML9", []), ("XML14", [])])
def test_a_kind_twice(kind: str, expected: list[str]) -> None:
    found = verdict(summary(), table(kind), table(kind))
    assert codes(found) == expected
    assert not found.rejected


@pytest.mark.parametrize("content", [b"", b" \r\n", b"<CHITIEU_CHITIET_THUOC/>"])
def test_an_empty_table_is_a_warning(content: bytes) -> None:
    found = verdict(summary(), TableFile("XML2", content))
    assert codes(found) == ["ENV-009"]
    assert not found.rejected


def test_an_empty_list_is_a_warning() -> None:
    content = b"<CHITIEU_CHITIET_THUOC><DSACH_CHI_TIET_THUOC/></CHITIEU_CHITIET_THUOC>"
    assert codes(verdict(summary(), TableFile("XML2", content))) == ["ENV-009"]


@pytest.mark.parametrize("content", [b"", b"<TONG_HOP/>"])
def test_an_empty_xml1_is_no_visit(content: bytes) -> None:
    assert codes(verdict(TableFile("XML1", content))) == ["ENV-008"]


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"<CHITIEU_CHITIET_THUOC>", "ENV-008", "well-formed"),
        (b"<!DOCTYPE a><a/>", "ENV-008", "DOCTYPE"),
        (b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', "ENV-008", "DOCTYPE"),
        (b'<?xml version="1.0" encoding="utf-16"?><a/>', "ENV-008", "UTF-8"),
        (b"<a>\xff</a>", "ENV-008", "UTF-8"),
        (b"<TONG_HOP/>", "ENV-008", "CHITIEU_CHITIET_THUOC"),
        (b'<CHITIEU_CHITIET_THUOC xmlns="urn:x"/>', "ENV-008", "CHITIEU_CHITIET_THUOC"),
        (b"<CHITIEU_CHITIET_THUOC><CHI_TIET_THUOC/></CHITIEU_CHITIET_THUOC>", "ENV-008", "DSACH_CHI_TIET_THUOC"),
        (b"<a>\n\x01</a>", "ENV-012", "line 2"),
        (b"<a>\n<![CDATA[x\x01y]]></a>", "ENV-012", "line 2"),
        (b"<a>&#1;</a>", "ENV-012", "line 1"),
    ],
)
def test_bytes_that_are_not_the_table(content: bytes, code: str, word: str) -> None:
    (found,) = verdict(summary(), TableFile("XML2", content)).findings
    assert (found.code, found.table) == (code, "XML2")
    assert word in found.message_en


def test_a_second_file_is_named_by_its_number() -> None:
    (found,) = verdict(summary(), table("XML7"), TableFile("XML7", b"junk")).findings
    assert (found.code, found.table) == ("ENV-008", "XML7-2")


def test_a_byte_order_mark_and_cdata_are_read_alike() -> None:
    content = summary().content.replace(b"<HO_TEN>X<", b"<HO_TEN><![CDATA[X]]><")
    assert verdict(TableFile("XML1", b"\xef\xbb\xbf" + content)).findings == ()


def test_a_dossier_over_the_limit() -> None:
    tables = [summary()]
    limit = 4 * -(-(8192 + 4 * -(-len(tables[0].content) // 3)) // 3)
    assert codes(judge(tables, now=NOW, size_limit=limit)) == []
    (found,) = judge(tables, now=NOW, size_limit=limit - 1).findings
    assert (found.code, found.table, found.found) == ("SIZE-001", "ENVELOPE", f"{limit} bytes")


def test_an_envelope_is_measured_in_base64() -> None:
    envelope = b"x" * 300
    assert codes(judge(envelope, now=NOW, size_limit=400)) == ["ENV-001"]
    assert codes(judge(envelope, now=NOW, size_limit=399)) == ["SIZE-001", "ENV-001"]


def test_the_facts_of_the_visit() -> None:
    found = verdict(summary(SO_CCCD="001090000000", MA_LOAI_KCB="03"))
    assert (found.ma_lk, found.facility, found.visit_type) == (MA_LK, FACILITY, "03")
    assert (found.insured, found.person_key_kind, found.signed) == (False, "CCCD", False)
    assert found.discharged_at is not None
    assert found.discharged_at.isoformat() == "2026-11-02T02:30:00+00:00"
