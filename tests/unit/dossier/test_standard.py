"""The standard, its layouts and lengths are dated data, chosen by the day of NGAY_RA."""

from datetime import date, timedelta

import pytest

from streams.domain.dossier.data import read_csv
from streams.domain.dossier.standard import standard_named, standard_on, standards
from streams.domain.dossier.tables import catalogue
from tests.unit.dossier.builders import summary, verdict

BOUNDARIES = [(date(2024, 7, 1), "130", "4750"), (date(2025, 1, 1), "4750", "3176"), (date(2026, 7, 1), "3176", "1931")]


@pytest.mark.parametrize(("first_day", "before", "after"), BOUNDARIES)
def test_a_standard_begins_on_its_first_day(first_day: date, before: str, after: str) -> None:
    assert standard_on(first_day - timedelta(days=1)).name == before
    assert standard_on(first_day).name == after


@pytest.mark.parametrize(("first_day", "before", "after"), BOUNDARIES)
def test_the_day_of_discharge_chooses(first_day: date, before: str, after: str) -> None:
    last_day = first_day - timedelta(days=1)
    assert verdict(summary(last_day)).standard == before
    assert verdict(summary(first_day)).standard == after
    assert verdict(summary(last_day, NGAY_RA=f"{last_day:%Y%m%d}2359")).standard == before
    assert verdict(summary(first_day, NGAY_RA=f"{first_day:%Y%m%d}0000")).standard == after


def test_without_a_day_of_discharge_the_day_of_judging_chooses() -> None:
    assert verdict(summary(date(2024, 1, 1), NGAY_RA="")).standard == "1931"


def test_a_standard_is_found_by_the_name_in_events() -> None:
    assert [standard_named(s.name) for s in standards()] == list(standards())
    assert standard_named("4750").endpoint == "/api/qd130/guiHoSoXmlQD4750"
    assert standard_named("3176").endpoint == standard_named("1931").endpoint == "/api/qd130/guiHoSoXmlQD3176"


def test_every_date_in_the_layouts_is_the_first_day_of_a_standard() -> None:
    """So one catalogue for each standard is enough."""
    firsts = {s.valid_from.isoformat() for s in standards()}
    for row in (*read_csv("codes/lengths_by_date.csv"), *read_csv("layouts.csv")):
        after = row["valid_to"] and (date.fromisoformat(row["valid_to"]) + timedelta(days=1)).isoformat()
        assert {row["valid_from"], after} - {""} <= firsts, row


def test_tables_13_to_15_came_with_4750() -> None:
    added = {"XML13", "XML14", "XML15"}
    assert not added & catalogue(date(2024, 6, 30)).keys()
    assert added <= catalogue(date(2024, 7, 1)).keys()
    assert len(catalogue(date(2024, 7, 1))) == 16


def test_the_referral_had_39_fields_under_4750_and_has_37_since() -> None:
    old, new = catalogue(date(2024, 12, 31))["XML13"], catalogue(date(2025, 1, 1))["XML13"]
    assert (len(old.fields), len(new.fields)) == (39, 37)
    assert {"MA_NOI_DI", "MA_NOI_DEN", "TEN_DICH_VU", "TEN_THUOC", "PP_DIEU_TRI"} <= old.by_name.keys()
    assert {"MA_CSKCB_DI", "MA_CSKCB_DEN", "TINH_TRANG_CT"} <= new.by_name.keys()
    names = [field.name for field in old.fields]
    assert names[names.index("MA_BENH_YHCT") + 1 :][:3] == ["TEN_DICH_VU", "TEN_THUOC", "PP_DIEU_TRI"]
    assert not any(old.by_name[name].is_required for name in ("TEN_DICH_VU", "TEN_THUOC", "PP_DIEU_TRI"))


@pytest.mark.parametrize(
    ("kind", "field", "day", "longest", "warn_above"),
    [
        ("XML1", "MA_TTDV", date(2024, 12, 31), 10, None),
        ("XML1", "MA_TTDV", date(2025, 1, 1), 255, None),
        ("XML1", "SO_CCCD", date(2024, 12, 31), 15, None),
        ("XML1", "SO_CCCD", date(2025, 1, 1), None, None),
        ("XML2", "MUC_HUONG", date(2026, 6, 30), 4, 3),
        ("XML2", "MUC_HUONG", date(2026, 7, 1), 4, None),
        ("XML1", "NHOM_MAU", date(2026, 7, 1), 10, 5),
    ],
)
def test_lengths_are_those_of_the_day(
    kind: str, field: str, day: date, longest: int | None, warn_above: int | None
) -> None:
    spec = catalogue(day)[kind].by_name[field]
    assert (spec.max_length, spec.warn_above) == (longest, warn_above)


def test_order_is_the_position_of_the_element() -> None:
    for standard in standards():
        for spec in catalogue(standard.valid_from).values():
            assert [field.order for field in spec.fields] == list(range(1, len(spec.fields) + 1))
