"""ENV-011: elements of a row, their order, and what is tolerated of it."""

from collections.abc import Iterable
from datetime import date

import pytest

from events.visit import Finding, TableFile
from tests.unit.dossier.builders import TODAY, codes, row_xml, sound_row, spec_of, summary, table_xml, verdict


def with_rows(kind: str, rows: Iterable[str]) -> tuple[Finding, ...]:
    first = () if kind == "XML1" else (summary(),)
    return verdict(*first, TableFile(kind, table_xml(spec_of(kind), list(rows)))).findings


def row_of(kind: str, *, without: str = "", moved: str = "", before: str = "") -> str:
    row = sound_row(spec_of(kind))
    order = [name for name in row if name not in (without, moved)]
    if moved:
        order.insert(order.index(before) if before else len(order), moved)
    return row_xml(row, order)


def test_a_required_element_is_missing() -> None:
    (found,) = with_rows("XML8", [row_of("XML8", without="QT_BENHLY")])
    assert (found.code, found.table, found.row, found.field) == ("ENV-011", "XML8", None, "QT_BENHLY")
    assert "<QT_BENHLY/>" in found.mend_vi


def test_an_optional_element_is_missing() -> None:
    (found,) = with_rows("XML2", [row_of("XML2", without="DU_PHONG")])
    assert (found.code, found.row, found.field) == ("ENV-011W", 1, "DU_PHONG")


def test_what_is_missing_in_every_row_is_one_finding() -> None:
    spec = spec_of("XML2")
    rows = [row_xml({n: v for n, v in sound_row(spec, k).items() if n != "DU_PHONG"}) for k in range(1, 61)]
    (found,) = with_rows("XML2", rows)
    assert (found.code, found.row, found.found) == ("ENV-011W", 1, "in 60 of 60 rows")


def test_before_4750_elements_are_never_critical() -> None:
    day = date(2024, 6, 30)
    row = sound_row(spec_of("XML1", day), NGAY_VAO="202406300800", NGAY_RA="202406300930")
    for change in (row_xml({n: v for n, v in row.items() if n != "MA_DANTOC"}), row_xml(row) + "<MOI/>"):
        found = verdict(TableFile("XML1", table_xml(spec_of("XML1", day), [change])))
        assert codes(found) == ["ENV-011W"]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("XML8", row_of("XML8") + "<CHIEU_CAO>170</CHIEU_CAO>"),
        ("XML8", row_of("XML8") + "<DU_PHONG/>"),
        ("XML8", row_of("XML8", moved="QT_BENHLY", before="MA_LK")),
        ("XML8", row_of("XML8") + "text"),
        ("XML8", row_of("XML8").replace("<QT_BENHLY>X", "<QT_BENHLY><b>X</b>")),
        ("XML2", row_of("XML2", moved="T_BHTT", before="")),
        ("XML11", row_of("XML11", moved="SO_KCB", before="SO_CT")),
    ],
    ids=["unknown", "repeated", "order", "text", "nested", "one share at the end", "another order in XML11"],
)
def test_what_the_gateway_may_refuse_is_critical(kind: str, row: str) -> None:
    assert "ENV-011" in codes(with_rows(kind, [row]))


def test_the_unknown_element_is_named() -> None:
    (found,) = with_rows("XML8", [row_of("XML8") + "<CHIEU_CAO>170</CHIEU_CAO>"])
    assert "CHIEU_CAO" in found.message_vi
    assert "170" not in repr(found)


def test_a_misplaced_element_is_named_once_with_its_neighbour() -> None:
    (found,) = with_rows("XML1", [row_of("XML1", moved="MA_DANTOC", before="MA_QUOCTICH")])
    assert (found.code, found.field) == ("ENV-011", "MA_QUOCTICH")
    assert "MA_DANTOC" in found.message_en


@pytest.mark.parametrize("kind", ["XML2", "XML3"])
def test_the_shares_at_the_end_are_tolerated(kind: str) -> None:
    row = sound_row(spec_of(kind))
    shares = ["T_BHTT", "T_BNCCT", "T_BNTT"]
    order = [name for name in row if name not in shares] + shares
    assert codes(with_rows(kind, [row_xml(row, order)])) == ["ENV-011W"]


def test_the_serial_number_first_is_tolerated() -> None:
    assert codes(with_rows("XML11", [row_of("XML11", moved="SO_SERI", before="SO_CT")])) == ["ENV-011W"]


def test_attributes_and_comments_alone_are_no_finding() -> None:
    """The schema refuses the attribute, but no rule speaks of it."""
    row = row_of("XML8").replace("<QT_BENHLY>", '<QT_BENHLY xml:space="preserve"><!-- note -->')
    assert with_rows("XML8", [row]) == ()


def test_other_findings_come_in_the_same_pass() -> None:
    row = row_of("XML8", moved="QT_BENHLY", before="MA_LK").replace(f"<NGAY_CT>{TODAY:%Y%m%d}", "<NGAY_CT>20260230")
    assert sorted(codes(with_rows("XML8", [row]))) == ["ENV-011", "FMT-001"]
