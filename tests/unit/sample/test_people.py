"""The people of the samples cannot be anybody."""

from streams.domain.dossier.data import read_csv
from streams.domain.dossier.sample import FACILITIES, Size, Trait, VisitKind, new_dossier
from tests.unit.sample.support import NOW, all_cares, header

PEOPLE = [header(sample) for sample in all_cares(range(20), size=Size.TINY)]


def test_names_say_that_they_are_a_test() -> None:
    assert all(set(person["HO_TEN"].split()) & {"Thử", "Mẫu", "Nháp", "Giả"} for person in PEOPLE)


def test_numbers_begin_with_a_province_that_does_not_exist() -> None:
    provinces = {row["code"] for path in ("truoc", "tu") for row in read_csv(f"codes/tinh_tp_{path}_2025_07.csv")}
    assert "99" not in provinces
    for person in PEOPLE:
        assert person["SO_CCCD"].startswith("099")
        assert len(person["SO_CCCD"]) == 12
        assert not person["MA_THE_BHYT"] or person["MA_THE_BHYT"][3:7] == "9999"


def test_phone_numbers_cannot_be_called() -> None:
    assert all(person["DIEN_THOAI"].startswith("0000") for person in PEOPLE)


def test_addresses_are_in_a_street_that_does_not_exist() -> None:
    assert all("đường Thử Nghiệm" in person["DIA_CHI"] for person in PEOPLE)


def test_people_live_in_the_province_of_their_facility() -> None:
    for facility in FACILITIES:
        sample = new_dossier(1, facility=facility, kind=VisitKind.EXAM, insured=True, discharged_at=NOW)
        assert header(sample)["MATINH_CU_TRU"] == facility[:2]


def test_a_newborn_without_card_goes_by_the_mothers_name() -> None:
    sample = new_dossier(
        1, facility="01999", kind=VisitKind.INPATIENT, insured=False, discharged_at=NOW, traits={Trait.NEWBORN}
    )
    child = header(sample)
    assert child["SO_CCCD"] == ""
    assert child["NGAY_SINH"][8:] != "0000"
    assert child["HO_TEN"].encode() in dict(sample.tables)["XML8"]


def test_a_foreigner_has_a_passport_and_a_nationality() -> None:
    sample = new_dossier(
        1, facility="01999", kind=VisitKind.EXAM, insured=False, discharged_at=NOW, traits={Trait.FOREIGNER}
    )
    assert header(sample)["MA_QUOCTICH"] != "000"
    assert header(sample)["SO_CCCD"][0] == "X"
