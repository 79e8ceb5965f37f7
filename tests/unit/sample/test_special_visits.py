"""Who sends what: each special visit has the tables and the fields that make it one; contradictions are refused."""

from collections.abc import Collection
from datetime import date, datetime
from itertools import product
from typing import Any

import pytest

from streams.domain.dossier.data import read_csv
from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.reading import read_files
from streams.domain.dossier.sample import Expected, Sample, Trait, VisitKind, can_be, new_dossier, person
from streams.domain.dossier.sample.model import NEWBORNS
from streams.domain.dossier.sample.rows import rows_of
from streams.domain.dossier.verdict import judge
from tests.unit.sample.orders import files
from tests.unit.sample.support import FACILITY, NOW

ENDED = NOW
STAYS = {VisitKind.INPATIENT, VisitKind.DAY}
EVERYBODY = set(VisitKind)


def special(
    *traits: Trait,
    kind: VisitKind = VisitKind.EXAM,
    insured: bool = True,
    ended: datetime = ENDED,
    care: str | None = None,
    seed: int = 4,
) -> Sample:
    return new_dossier(
        seed, facility=FACILITY, kind=kind, insured=insured, discharged_at=ended, traits=traits, care=care
    )


def tables(sample: Sample) -> set[str]:
    return {kind for kind, _ in sample.tables}


def xml1(sample: Sample) -> dict[str, str]:
    return rows_of(sample)["XML1"][0]


def codes(sample: Sample, **switches: Any) -> set[str]:
    return {item.code for item in judge(files(sample), now=NOW, **switches).findings}


POSSIBLE: list[tuple[Collection[Trait], set[VisitKind], set[bool]]] = [
    ({Trait.HIV}, EVERYBODY, {True, False}),
    ({Trait.TB}, EVERYBODY, {True, False}),
    ({Trait.HIV, Trait.TB}, EVERYBODY, {True, False}),
    ({Trait.NEWBORN}, EVERYBODY, {True, False}),
    ({Trait.NEWBORN_FATHER}, EVERYBODY, {False}),
    ({Trait.NEWBORN_GUARDIAN}, EVERYBODY, {False}),
    ({Trait.NEWBORN_ABANDONED}, EVERYBODY, {False}),
    ({Trait.FOREIGNER}, EVERYBODY, {True, False}),
    ({Trait.NO_CITIZEN_NUMBER}, EVERYBODY, {True, False}),
    ({Trait.UNIDENTIFIED}, {VisitKind.EXAM, VisitKind.INPATIENT}, {False}),
    ({Trait.REFERRAL}, EVERYBODY, {True, False}),
    ({Trait.REEXAM}, EVERYBODY, {True, False}),
    ({Trait.BIRTH}, STAYS, {True, False}),
    ({Trait.SICK_LEAVE}, EVERYBODY - STAYS, {True}),
    ({Trait.PREGNANCY_LEAVE}, EVERYBODY, {True}),
    ({Trait.UNPAID}, EVERYBODY, {True, False}),
    ({Trait.NO_SUMMARY}, EVERYBODY - {VisitKind.DAY}, {True}),
    ({Trait.NEWBORN, Trait.NEWBORN_FATHER}, set(), set()),
    ({Trait.NEWBORN, Trait.HIV}, set(), set()),
    ({Trait.BIRTH, Trait.NO_CITIZEN_NUMBER}, set(), set()),
    ({Trait.BIRTH, Trait.PREGNANCY_LEAVE}, set(), set()),
    ({Trait.SICK_LEAVE, Trait.PREGNANCY_LEAVE}, set(), set()),
    ({Trait.REFERRAL, Trait.REEXAM}, set(), set()),
    ({Trait.UNIDENTIFIED, Trait.FOREIGNER}, set(), set()),
    ({Trait.UNIDENTIFIED, Trait.REFERRAL}, {VisitKind.EXAM, VisitKind.INPATIENT}, {False}),
]


def test_every_trait_has_its_row() -> None:
    assert {trait for traits, _, _ in POSSIBLE if len(traits) == 1 for trait in traits} == set(Trait)


@pytest.mark.parametrize(("traits", "kinds", "cards"), POSSIBLE, ids=lambda value: "+".join(sorted(map(str, value))))
def test_which_visits_there_can_be(traits: Collection[Trait], kinds: set[VisitKind], cards: set[bool]) -> None:
    found = {(kind, card) for kind, card in product(VisitKind, (True, False)) if can_be(kind, card, traits, NOW.date())}
    assert found == set(product(kinds, cards))
    for kind, card in set(product(VisitKind, (True, False))) - found:
        with pytest.raises(ValueError, match=r"\w+ \w+"):
            special(*traits, kind=kind, insured=card)


@pytest.mark.parametrize("kind", VisitKind)
def test_without_insurance_and_without_contract_tables_1_and_8_are_sent(kind: VisitKind) -> None:
    """Letter 4395/BYT-KCB; a facility without contract has no other visits (OBLIGATIONS S003-29)."""
    assert tables(special(kind=kind, insured=False)) == {"XML1", "XML8"}


@pytest.mark.parametrize(
    ("trait", "kin", "told"),
    [
        (Trait.NEWBORN, "HO_TEN_ME", "NGUOI_GIAM_HO"),
        (Trait.NEWBORN_FATHER, "HO_TEN_CHA", "NGUOI_GIAM_HO"),
        (Trait.NEWBORN_GUARDIAN, "NGUOI_GIAM_HO", "NGUOI_GIAM_HO"),
    ],
)
def test_a_newborn_without_card_goes_by_the_name_of_who_answers_for_it(trait: Trait, kin: str, told: str) -> None:
    sample = special(trait, kind=VisitKind.INPATIENT, insured=False)
    summary = rows_of(sample)["XML8"][0]
    assert xml1(sample)["HO_TEN"] == summary[kin] == summary[told]
    assert "SO_CCCD" not in xml1(sample)
    parents = {"HO_TEN_ME", "HO_TEN_CHA"} & summary.keys()
    assert parents == {kin} - {"NGUOI_GIAM_HO"}


def test_a_newborn_with_a_card_goes_by_its_own_name() -> None:
    sample = special(Trait.NEWBORN, kind=VisitKind.INPATIENT)
    assert xml1(sample)["MA_THE_BHYT"].startswith("TE1")
    assert xml1(sample)["MA_DOITUONG_KCB"] == "1.7"
    assert xml1(sample)["HO_TEN"] != rows_of(sample)["XML8"][0]["HO_TEN_ME"]


def test_how_an_abandoned_child_is_named_is_data_that_is_marked_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {row["case"]: row for row in read_csv("newborn_names.csv")}
    assert set(rows) == NEWBORNS
    assert {case for case, row in rows.items() if row["certain"] == "no"} == {Trait.NEWBORN_ABANDONED}
    sample = special(Trait.NEWBORN_ABANDONED, insured=False)
    assert xml1(sample)["HO_TEN"] == person.FACILITY_NAME
    assert not {"HO_TEN_ME", "HO_TEN_CHA", "NGUOI_GIAM_HO"} & rows_of(sample)["XML8"][0].keys()
    other = rows[Trait.NEWBORN_ABANDONED] | {"name_of": "guardian"}
    monkeypatch.setattr(person, "read_csv", lambda _path: (other,))
    sample = special(Trait.NEWBORN_ABANDONED, insured=False)
    assert xml1(sample)["HO_TEN"] == rows_of(sample)["XML8"][0]["NGUOI_GIAM_HO"]


@pytest.mark.parametrize("kind", [VisitKind.EXAM, VisitKind.INPATIENT])
def test_an_emergency_without_identity_invents_nothing(kind: VisitKind) -> None:
    sample = special(Trait.UNIDENTIFIED, kind=kind, insured=False)
    patient = xml1(sample)
    assert not {"SO_CCCD", "MA_THE_BHYT", "MA_DKBD", "GT_THE_TU", "GT_THE_DEN", "DIEN_THOAI"} & patient.keys()
    assert "chưa rõ" in patient["HO_TEN"]
    assert patient["NGAY_SINH"][4:] == "00000000"
    assert sample.expected is Expected.NOT_DUE
    assert codes(sample) == {"REQ-013", "NB-004"}


@pytest.mark.parametrize(("kind", "insured"), list(product(VisitKind, (True, False))))
def test_an_unpaid_visit_is_sent_again_when_it_is_paid_under_the_same_key(kind: VisitKind, insured: bool) -> None:
    unpaid, paid = special(Trait.UNPAID, kind=kind, insured=insured), special(kind=kind, insured=insured)
    assert unpaid.ma_lk == paid.ma_lk
    assert codes(unpaid) == {"REQ-015"}
    assert codes(paid) == set()
    before, after = rows_of(unpaid), rows_of(paid)
    assert "NGAY_TTOAN" not in before["XML1"][0]
    after["XML1"][0].pop("NGAY_TTOAN")
    assert before == after


@pytest.mark.parametrize("kind", sorted(EVERYBODY - {VisitKind.DAY}))
def test_the_summary_is_for_the_book_and_can_be_left_out_where_the_switch_is_off(kind: VisitKind) -> None:
    """HBR-09: each way passes under its own switch; only a summary that nobody asked for is told, when it is off."""
    care = "09" if kind is VisitKind.INPATIENT else None
    without, with_summary = special(Trait.NO_SUMMARY, kind=kind), special(kind=kind, care=care)
    assert tables(with_summary) - tables(without) == {"XML8"}
    assert codes(without, xml8_every_visit=False) == codes(without) == codes(with_summary) == set()
    assert codes(with_summary, xml8_every_visit=False) == {"X8-002"}


@pytest.mark.parametrize(
    ("day", "with_paper"), [(date(2024, 6, 30), False), (date(2024, 7, 1), True), (date(2025, 1, 1), True)]
)
@pytest.mark.parametrize(("trait", "table"), [(Trait.REFERRAL, "XML13"), (Trait.REEXAM, "XML14"), (Trait.TB, "XML15")])
def test_tables_13_to_15_are_sent_since_there_are_any(trait: Trait, table: str, day: date, with_paper: bool) -> None:
    sample = special(trait, ended=datetime(day.year, day.month, day.day, 9, tzinfo=VIETNAM))
    assert (table in tables(sample)) is with_paper
    told = {Trait.REFERRAL: "MA_NOI_DEN", Trait.REEXAM: "NGAY_TAI_KHAM", Trait.TB: "MA_BENH_CHINH"}[trait]
    assert xml1(sample)[told]


@pytest.mark.parametrize(
    ("day", "destination", "other"),
    [(date(2024, 12, 31), "MA_NOI_DEN", "MA_CSKCB_DEN"), (date(2025, 1, 1), "MA_CSKCB_DEN", "MA_NOI_DEN")],
)
def test_a_referral_names_where_it_leads_in_the_field_of_its_day(day: date, destination: str, other: str) -> None:
    sample = special(Trait.REFERRAL, ended=datetime(day.year, day.month, day.day, 9, tzinfo=VIETNAM))
    (paper,) = rows_of(sample)["XML13"]
    assert paper[destination] == xml1(sample)["MA_NOI_DEN"]
    assert other not in paper


def test_hiv_with_tuberculosis_is_told_in_both_tables() -> None:
    found = rows_of(special(Trait.HIV, Trait.TB))
    (hiv,), (tb,) = found["XML6"], found["XML15"]
    assert (hiv["LOAI_DTRI_LAO"], hiv["NGAYBD_DTRI_LAO"]) == (tb["LOAI_DTRI_LAO"], tb["NGAYBD_DTRI_LAO"])
    assert (tb["PHANLOAI_LAO_HIV"], tb["BDDT_ARV"]) == ("1", hiv["BDDT_ARV"])
    assert {"B20.9", "A15.0"} == {found["XML1"][0][name] for name in ("MA_BENH_CHINH", "MA_BENH_KT")}


def test_a_birth_has_the_childs_certificate_and_its_own_discharge_paper() -> None:
    found = rows_of(special(Trait.BIRTH, kind=VisitKind.INPATIENT))
    (birth,), (own, childs) = found["XML9"], found["XML7"]
    assert found["XML1"][0]["GIOI_TINH"] == "2"
    assert birth["SO_CCCD_NND"] == found["XML1"][0]["SO_CCCD"]
    assert own["MA_YTE"] == found["XML1"][0]["MA_BN"] != childs["MA_YTE"]
    assert childs["HO_TEN_ME"] == found["XML1"][0]["HO_TEN"]


@pytest.mark.parametrize(("last_day", "district"), [(date(2025, 6, 30), True), (date(2025, 7, 1), False)])
def test_addresses_have_a_district_while_there_are_districts(last_day: date, district: bool) -> None:
    ended = datetime(last_day.year, last_day.month, last_day.day, 9, tzinfo=VIETNAM)
    found = rows_of(special(Trait.BIRTH, Trait.HIV, kind=VisitKind.INPATIENT, ended=ended))
    for table in ("XML1", "XML6", "XML9"):
        assert ("MAHUYEN_CU_TRU" in found[table][0]) is district


@pytest.mark.parametrize(("day", "room"), [(date(2024, 12, 31), 10), (date(2025, 1, 1), 255)])
def test_the_heads_number_fits_the_field_of_its_day(day: date, room: int) -> None:
    ended = datetime(day.year, day.month, day.day, 9, tzinfo=VIETNAM)
    assert len(xml1(special(ended=ended))["MA_TTDV"]) <= room
    assert xml1(special(ended=ended))["MA_TTDV"].isdigit() is (room == 10)
    assert read_files(files(special(ended=ended)), (), day).findings == ()
