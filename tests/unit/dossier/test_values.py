"""One value at a time: REQ-001, ENV-013, ENV-014, FMT. Each rule with what it accepts and what it refuses."""

from datetime import date

import pytest

from tests.unit.dossier.builders import TODAY, codes, sound_row, spec_of, summary, table, verdict

NBSP = "\u00a0"


def of_xml1(day: date = TODAY, /, **changes: str) -> list[str]:
    return codes(verdict(summary(day, **changes)))


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("LY_DO_VV", "", ["REQ-001"]),
        ("LY_DO_VV", "  ", ["REQ-001"]),
        ("MA_LK", " ", ["REQ-001"]),
        ("GHI_CHU", "", []),
        ("MA_LK", "L" * 100, []),
        ("MA_LK", "L" * 101, ["ENV-013"]),
        ("HO_TEN", "ễ" * 255, []),
        ("HO_TEN", "ễ" * 256, ["ENV-013"]),
        ("NHOM_MAU", "O" * 5, []),
        ("NHOM_MAU", "O" * 6, ["ENV-013W"]),
        ("NHOM_MAU", "O" * 10, ["ENV-013W"]),
        ("NHOM_MAU", "O" * 11, ["ENV-013"]),
        ("NAM_NAM_LIEN_TUC", "202611020", ["ENV-013"]),
        ("MA_BN", "BN 1", ["ENV-014"]),
        ("MA_BN", f"BN1{NBSP}", ["ENV-014"]),
        ("SO_CCCD", "001090 00000", ["ENV-014"]),
        ("HO_TEN", " A", ["ENV-014W"]),
        ("HO_TEN", f"A{NBSP}", ["ENV-014W"]),
        ("HO_TEN", "A B", []),
        ("GHI_CHU", "a\n b", []),
        ("GHI_CHU", "  ", ["ENV-014W"]),
        ("MA_HSBA", "H 1", ["ENV-014W"]),
        ("MA_HSBA", "H1 ", ["ENV-014W"]),
        ("NAM_NAM_LIEN_TUC", "20240229", []),
        ("NAM_NAM_LIEN_TUC", "20230229", ["FMT-001"]),
        ("NAM_NAM_LIEN_TUC", "2024022", ["FMT-001"]),
        ("NAM_NAM_LIEN_TUC", "00000101", ["FMT-001"]),
        ("NAM_NAM_LIEN_TUC", "٢٠٢٤٠٢٢٩", ["FMT-001"]),
        ("NGAY_TTOAN", "202611022359", []),
        ("NGAY_TTOAN", "202611022400", ["FMT-002"]),
        ("NGAY_TTOAN", "202611020960", ["FMT-002"]),
        ("NGAY_TTOAN", "20261102", ["FMT-002"]),
        ("NGAY_SINH", "199000000000", []),
        ("NGAY_SINH", "199002290000", ["FMT-003"]),
        ("NGAY_SINH", "199013000000", ["FMT-003"]),
        ("NGAY_SINH", "199000010000", ["FMT-003"]),
        ("NGAY_SINH", "199001012400", ["FMT-003"]),
        ("NGAY_SINH", "1990", ["FMT-003"]),
        ("NGAY_SINH", "199002000000", ["FMT-003W"]),
        ("SO_CCCD", "123456789", []),
        ("SO_CCCD", "C1234567", []),
        ("SO_CCCD", "c1234567", ["FMT-004"]),
        ("SO_CCCD", "12345", ["FMT-004"]),
        ("T_THUOC", "0", []),
        ("T_THUOC", "15000.25", []),
        ("T_THUOC", "15,000", ["FMT-009"]),
        ("T_THUOC", "-1", ["FMT-009"]),
        ("T_THUOC", "1.", ["FMT-009"]),
        ("T_THUOC", ".5", ["FMT-009"]),
        ("T_THUOC", "1.125", ["FMT-011"]),
        ("CAN_NANG", "60.5", []),
        ("CAN_NANG", "60kg", ["FMT-009"]),
        ("SO_NGAY_DTRI", "0", []),
        ("SO_NGAY_DTRI", "-1", ["FMT-029"]),
        ("SO_NGAY_DTRI", "1.0", ["FMT-029"]),
    ],
)
def test_the_visit_summary(field: str, value: str, expected: list[str]) -> None:
    assert of_xml1(**{field: value}) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("1.125", []), ("1.1255", ["FMT-010"]), ("1e3", ["FMT-009"]), ("", ["REQ-001"])]
)
def test_quantities(value: str, expected: list[str]) -> None:
    assert codes(verdict(summary(), table("XML2", SO_LUONG=value))) == expected


@pytest.mark.parametrize("value", ["20261120", "202611200800"])
def test_an_appointment_is_a_day_or_a_moment_on_any_day(value: str) -> None:
    assert codes(verdict(summary(), table("XML14", NGAY_HEN_KL=value))) == []
    old = table("XML14", on=date(2024, 8, 1), NGAY_HEN_KL=value, MA_TTDV="1")
    assert codes(verdict(summary(date(2024, 8, 1), MA_TTDV="1"), old)) == []


def test_an_appointment_on_no_day() -> None:
    assert codes(verdict(summary(), table("XML14", NGAY_HEN_KL="20261131"))) == ["FMT-001"]


def test_a_foreigner_may_have_any_paper() -> None:
    assert of_xml1(SO_CCCD="XY-99", MA_QUOCTICH="840") == ["FMT-004W"]


def test_a_paper_is_not_judged_without_a_nationality() -> None:
    assert of_xml1(SO_CCCD="XY-99", MA_QUOCTICH="") == ["REQ-001"]


def test_the_mothers_paper_is_judged_by_her_own_nationality() -> None:
    birth = table("XML9", SO_CCCD_NND="XY-99", MA_QUOCTICH="840")
    assert codes(verdict(summary(MA_QUOCTICH="000"), birth)) == ["FMT-004W"]


@pytest.mark.parametrize(("nationality", "expected"), [("000", "FMT-004"), ("840", "FMT-004W")])
def test_papers_of_other_tables_by_the_nationality_of_the_summary(nationality: str, expected: str) -> None:
    summary_first = summary(MA_QUOCTICH=nationality)
    assert codes(verdict(summary_first, table("XML6", SO_CCCD="XY-99"))) == [expected]


def test_lengths_are_those_of_the_visits_day() -> None:
    assert of_xml1(date(2024, 12, 31), MA_TTDV="1" * 11) == ["ENV-013"]
    assert of_xml1(date(2025, 1, 1), MA_TTDV="1" * 11) == []


def test_the_benefit_level_in_four_characters() -> None:
    for day, expected in ((date(2026, 6, 30), ["ENV-013W"]), (date(2026, 7, 1), [])):
        assert codes(verdict(summary(day), table("XML2", on=day, MUC_HUONG="32.5"))) == expected


def test_each_row_and_field_is_named() -> None:
    spec = spec_of("XML2")
    rows = [sound_row(spec, 1), sound_row(spec, 2, NGAY_YL="x", MA_KHOA="", SO_LUONG="y")]
    found = verdict(summary(), table("XML2", *rows)).findings
    places = [(f.code, f.row, f.field) for f in found]
    assert places == [("FMT-009", 2, "SO_LUONG"), ("REQ-001", 2, "MA_KHOA"), ("FMT-002", 2, "NGAY_YL")]


def test_no_value_is_ever_quoted() -> None:
    secrets = {"SO_CCCD": "98765432101", "HO_TEN": "Nguyễn Văn Thử" * 30, "NGAY_SINH": "19870654", "T_BHTT": "7654,3"}
    for found in verdict(summary(**secrets)).findings:
        assert not any(value[:8] in repr(found) for value in secrets.values())
        assert "Nguyễn" not in repr(found)


def test_the_length_is_told() -> None:
    (found,) = verdict(summary(MA_LK="L" * 101)).findings
    assert (found.expected, found.found) == ("at most 100 characters", "101 characters")
    assert "101" in found.message_vi
