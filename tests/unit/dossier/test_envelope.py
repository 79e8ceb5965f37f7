"""The envelope GIAMDINHHS: what is read back is what was written, and each thing wrong with it is named."""

from base64 import b64encode
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.visit import TableFile
from streams.domain.dossier.envelope import read_envelope, write_envelope
from streams.domain.dossier.verdict import Verdict
from tests.unit.dossier.builders import FACILITY, NOW, TODAY, codes, judge, summary, table

KINDS = [*(f"XML{n}" for n in range(1, 12)), "XML13", "XML14", "XML15"]
SIGNATURE = b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'
GOOD = write_envelope(FACILITY, TODAY, [summary()])


def judged(envelope: bytes, facility: str | None = FACILITY) -> Verdict:
    return judge(envelope, now=NOW, facility=facility)


files = st.lists(st.builds(TableFile, st.sampled_from(KINDS), st.binary(max_size=200)), max_size=8)


@given(files, st.text("0123456789ABC<&", min_size=1, max_size=5), st.dates(date(1000, 1, 1)))
def test_reading_gives_back_what_was_written(tables: list[TableFile], facility: str, made_on: date) -> None:
    dossier, found = read_envelope(write_envelope(facility, made_on, tables))
    assert dossier is not None
    assert not found
    assert (dossier.facility, dossier.made_on, dossier.signed) == (facility, made_on, False)
    assert dossier.tables == tuple(sorted(tables, key=lambda file: KINDS.index(file.kind)))


def test_the_same_dossier_gives_the_same_bytes() -> None:
    again = write_envelope(FACILITY, TODAY, [summary()])
    assert again == GOOD
    assert GOOD.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n<GIAMDINHHS>')
    assert GOOD.endswith(b"<CHUKYDONVI/></GIAMDINHHS>")


def test_a_sound_envelope_passes() -> None:
    assert judged(GOOD).findings == ()


def test_line_breaks_in_base64_are_tolerated() -> None:
    text = b64encode(summary().content)
    broken = b"\r\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    assert judged(GOOD.replace(text, broken)).findings == ()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda envelope: envelope.replace(b'"utf-8"', b'"utf-16"'), "UTF-8"),
        (lambda envelope: envelope.replace(b"01999", b"<![CDATA[\x0101999]]>"), "control character at line 2"),
        (lambda envelope: envelope.replace(b"01999", b"<01999"), "well-formed XML (error at line 2)"),
    ],
)
def test_the_true_reason_is_told(change: Callable[[bytes], bytes], word: str) -> None:
    (found,) = judged(change(GOOD)).findings
    assert word in found.message_en


def hoso_twice(envelope: bytes) -> bytes:
    start, end = envelope.index(b"<HOSO>"), envelope.index(b"</HOSO>") + len(b"</HOSO>")
    return envelope[:end] + envelope[start:end] + envelope[end:]


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda envelope: envelope.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda envelope: envelope[:-20], "ENV-001"),
        (lambda _: b"", "ENV-001"),
        (lambda _: b"MZ\x90\x00", "ENV-001"),
        (swap(b"<GIAMDINHHS>", b"<!DOCTYPE GIAMDINHHS><GIAMDINHHS>"), "ENV-001"),
        (swap(b'"utf-8"', b'"utf-16"'), "ENV-001"),
        (swap(b"01999", b"\xff1999"), "ENV-001"),
        (swap(b"01999", b"01&#2;99"), "ENV-001"),
        (swap(b"<CHUKYDONVI/>", b""), "ENV-001"),
        (swap(b"<CHUKYDONVI/>", b"<CHUKYDONVI/><X/>"), "ENV-001"),
        (lambda envelope: envelope.replace(b"GIAMDINHHS", b"HOSOGIAMDINH"), "ENV-001"),
        (swap(b"<MACSKCB>01999", b"<MACSKCB>1999"), "ENV-002"),
        (swap(b"<MACSKCB>01999", b"<MACSKCB>"), "ENV-002"),
        (swap(b"<NGAYLAP>20261102", b"<NGAYLAP>20260230"), "ENV-003"),
        (swap(b"<NGAYLAP>20261102</NGAYLAP>", b""), "ENV-003"),
        (swap(b"<SOLUONGHOSO>1", b"<SOLUONGHOSO>2"), "ENV-004"),
        (swap(b"<SOLUONGHOSO>1", b"<SOLUONGHOSO>" + b"9" * 5000), "ENV-004"),
        (hoso_twice, "ENV-004"),
        (swap(b"<NOIDUNGFILE>", b"<NOIDUNGFILE>%"), "ENV-008"),
        (swap(b"<CHUKYDONVI/>", b"<CHUKYDONVI>signed</CHUKYDONVI>"), "ENV-010"),
        (swap(b"<CHUKYDONVI/>", b"<CHUKYDONVI>" + SIGNATURE * 2 + b"</CHUKYDONVI>"), "ENV-010"),
    ],
)
def test_one_thing_wrong_is_one_finding(change: Callable[[bytes], bytes], code: str) -> None:
    found = judged(change(GOOD))
    assert codes(found) == [code]
    assert found.rejected


def test_two_hoso_that_are_counted_right_are_still_too_many() -> None:
    twice = hoso_twice(GOOD).replace(b"<SOLUONGHOSO>1", b"<SOLUONGHOSO>2")
    (found,) = judged(twice).findings
    assert (found.code, found.found) == ("ENV-004", "2 HOSO")


def test_no_hoso() -> None:
    envelope = GOOD[: GOOD.index(b"<HOSO>")] + GOOD[GOOD.index(b"</HOSO>") + len(b"</HOSO>") :]
    assert codes(judged(envelope)) == ["ENV-004", "ENV-006"]


def test_a_file_that_cannot_be_decoded_counts_as_present() -> None:
    envelope = write_envelope(FACILITY, TODAY, [summary()]).replace(b"<NOIDUNGFILE>", b"<NOIDUNGFILE>=")
    assert codes(judged(envelope)) == ["ENV-008"]


def test_the_envelope_names_another_facility_than_xml1() -> None:
    envelope = write_envelope("79001", TODAY, [summary()])
    (found,) = judged(envelope, facility="79001").findings
    assert (found.code, found.field, found.found) == ("ENV-002", "MACSKCB", "79001")


def test_the_envelope_names_another_facility_than_the_sender() -> None:
    (found,) = judged(GOOD, facility="79001").findings
    assert (found.code, found.expected, found.found) == ("ENV-002", "79001", FACILITY)


def test_the_signature_is_the_verifiers_word() -> None:
    signed = GOOD.replace(b"<CHUKYDONVI/>", b"<CHUKYDONVI>" + SIGNATURE + b"</CHUKYDONVI>")
    asked: list[bytes] = []

    def refuses(envelope: bytes) -> str:
        asked.append(envelope)
        return "CERTIFICATE_EXPIRED"

    found = judge(signed, now=NOW, facility=FACILITY, verify_signature=refuses)
    assert (codes(found), found.signed, asked) == (["ENV-010"], True, [signed])
    assert "CERTIFICATE_EXPIRED" in found.findings[0].message_en
    accepted = judge(signed, now=NOW, facility=FACILITY, verify_signature=lambda _: None)
    assert (accepted.findings, accepted.signed) == ((), True)


def test_an_unsigned_envelope_is_signed_later_and_not_verified() -> None:
    found = judge(GOOD, now=NOW, facility=FACILITY, verify_signature=lambda _: "NEVER_ASKED")
    assert (found.findings, found.signed) == ((), False)


def test_table_12_never_travels() -> None:
    envelope = write_envelope(FACILITY, TODAY, [summary(), table("XML12")])
    assert codes(judged(envelope)) == ["ENV-005"]
