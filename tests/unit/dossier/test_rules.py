"""Rules that relate values: keys, numbering, time, facility. Each with a case that passes and one that fails."""

from datetime import UTC, date, datetime, timedelta

import pytest

from streams.domain.dossier.visit import Registration
from tests.unit.dossier.builders import (
    FACILITY,
    MA_LK,
    NOW,
    TODAY,
    codes,
    judge,
    sound_row,
    spec_of,
    summary,
    table,
    verdict,
)


def test_lnk_001_another_key_in_one_row() -> None:
    spec = spec_of("XML3")
    rows = [sound_row(spec, 1), sound_row(spec, 2, MA_LK="OTHER"), sound_row(spec, 3)]
    (found,) = verdict(summary(), table("XML3", *rows)).findings
    assert (found.code, found.table, found.row, found.field) == ("LNK-001", "XML3", 2, "MA_LK")
    assert MA_LK not in repr(found)


def test_lnk_001_composed_and_decomposed_are_one_key() -> None:
    assert codes(verdict(summary(MA_LK="e\u0302"), table("XML8", MA_LK="\u00ea"))) == []


def test_lnk_001_is_silent_where_a_key_is_already_wrong() -> None:
    assert codes(verdict(summary(MA_LK="L" * 101), table("XML8"))) == ["ENV-013"]
    assert codes(verdict(summary(), table("XML8", MA_LK=""))) == ["REQ-001"]


@pytest.mark.parametrize("kind", ["XML2", "XML3", "XML4", "XML5", "XML15"])
def test_lnk_004_rows_are_counted_in_each_file(kind: str) -> None:
    spec = spec_of(kind)
    good = [sound_row(spec, n) for n in (1, 2, 3)]
    bad = [sound_row(spec, n) for n in (1, 3, 4)]
    assert codes(verdict(summary(), table(kind, *good))) == []
    (found,) = verdict(summary(), table(kind, *bad)).findings
    assert (found.code, found.row, found.expected, found.found) == ("LNK-004", 2, "2", "3")


def test_lnk_004_begins_again_in_a_further_file() -> None:
    assert codes(verdict(summary(), table("XML2"), table("XML2"))) == ["ENV-007"]


def test_lnk_004_leading_zeros_and_rows_without_a_number() -> None:
    assert codes(verdict(summary(), table("XML2", STT="01"))) == []
    spec = spec_of("XML15")
    assert codes(verdict(summary(), table("XML15", *(sound_row(spec, STT="") for _ in range(3))))) == []
    assert codes(verdict(summary(), table("XML2", STT="one"))) == ["FMT-029"]


def at(moment: datetime, kind: str = "01", **changes: str) -> list[str]:
    return codes(judge([summary(MA_LOAI_KCB=kind, **changes)], now=moment))


def test_x1_003_discharge_in_the_future() -> None:
    discharged = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)  # 09:30 in Vietnam
    assert at(discharged) == []
    assert at(discharged - timedelta(minutes=1)) == ["X1-003"]


@pytest.mark.parametrize("kind", ["02", "05", "07"])
def test_x1_003_where_discharge_is_the_last_day_of_medicine(kind: str) -> None:
    assert at(NOW, kind, NGAY_RA="203001012359") == []
    assert at(NOW, kind, NGAY_RA="203001012359", NGAY_VAO="203001010800") == ["X1-003"]


def test_x1_003_names_the_field() -> None:
    found = judge([summary(NGAY_VAO="203001010800", NGAY_RA="203001010900")], now=NOW).findings
    assert [(f.code, f.field) for f in found] == [("X1-003", "NGAY_VAO"), ("X1-003", "NGAY_RA")]


def test_on_judges_at_the_end_of_that_day() -> None:
    assert codes(judge([summary()], now=NOW, on=TODAY)) == []
    assert codes(judge([summary()], now=NOW, on=TODAY - timedelta(days=1))) == ["X1-003", "X1-003"]


def test_fac_003_the_sender_is_another_facility() -> None:
    (found,) = verdict(summary(), facility="79001").findings
    assert (found.code, found.field, found.expected) == ("FAC-003", "MA_CSKCB", "79001")
    assert codes(verdict(summary(), facility=None)) == []


def registered(**register: Registration) -> list[str]:
    return codes(judge([summary()], now=NOW, facility=FACILITY, register={k[1:]: v for k, v in register.items()}))


def test_fac_001_the_facility_is_not_registered() -> None:
    assert registered(_01999=Registration()) == []
    assert registered(_79001=Registration()) == ["FAC-001"]


@pytest.mark.parametrize(
    ("registration", "expected"),
    [
        (Registration(TODAY, TODAY), []),
        (Registration(date(2026, 11, 3), None), ["FAC-002"]),
        (Registration(None, date(2026, 11, 1)), ["FAC-002"]),
        (Registration(date(2020, 1, 1), None), []),
    ],
)
def test_fac_002_the_registration_covers_the_visits_day(registration: Registration, expected: list[str]) -> None:
    assert registered(_01999=registration) == expected
