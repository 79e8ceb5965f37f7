"""Each row of HEALTHBOOK §2 that has a source reaches the entry as the row says: the person (group A)."""

from datetime import date

import pytest

from events.health_book_content import Coded, IdentityKind
from tests.support.health_book import CHILD, XML8, Rows, dossier, entry_of, person


def test_hb01_name_is_trimmed_and_keeps_its_diacritics() -> None:
    assert person().name == "Nguyễn Văn Thử"


@pytest.mark.parametrize(
    ("born", "shown"),
    [
        ("199005120830", "1990-05-12"),
        ("199000000000", "1990"),
        ("199005000000", "1990-05"),
        ("202610050630", "2026-10-05T06:30"),  # 28 days old on admission
        ("202610040630", "2026-10-04"),
        ("202610200000", "2026-10-20"),  # a newborn whose hour is unknown
        ("", None),
    ],
)
def test_hb02_birth_shows_only_what_is_known_and_the_time_only_of_a_newborn(born: str, shown: str | None) -> None:
    assert person(NGAY_SINH=born).birth == shown


@pytest.mark.parametrize(("code", "name"), [("1", "Nam"), ("2", "Nữ"), ("3", "Chưa xác định")])
def test_hb03_sex_is_named(code: str, name: str) -> None:
    assert person(GIOI_TINH=code).sex == Coded(code, name)


def test_hb04_ethnic_group_keeps_its_code() -> None:
    assert person().ethnic_group == Coded("01", None)


def test_hb05_nationality_keeps_its_code() -> None:
    assert person().nationality == Coded("000", None)


def test_hb06_occupation_keeps_its_code() -> None:
    assert person().occupation == Coded("00000", None)


@pytest.mark.parametrize(
    ("paper", "kind"),
    [
        ("001090000000", IdentityKind.PERSONAL_ID),
        ("012345678", IdentityKind.OLD_CARD),
        ("C1234567", IdentityKind.FOREIGN),
    ],
)
def test_hb07_kind_of_identity_follows_from_its_form(paper: str, kind: IdentityKind) -> None:
    identity = person(SO_CCCD=paper).identity
    assert identity is not None
    assert (identity.kind, identity.number) == (kind, paper)


def test_hb08_phone() -> None:
    assert person().phone == "0900000000"


TWO_CARDS = {
    "MA_THE_BHYT": "GD4019999999998;HN2019999999997",
    "MA_DKBD": "01888;01999",
    "GT_THE_TU": "20250101;20260101",
    "GT_THE_DEN": "20251231;",
}


def test_hb10_of_several_cards_the_one_valid_at_admission_is_shown() -> None:
    insurance = person(**TWO_CARDS).insurance
    assert insurance is not None
    assert (insurance.card_number, insurance.social_insurance_number) == ("HN2019999999997", "9999999997"[-10:])


def test_hb11_first_facility_stands_at_the_position_of_the_card() -> None:
    insurance = person(**TWO_CARDS).insurance
    assert insurance is not None
    assert insurance.first_facility == Coded("01999", "Bệnh viện Thử")


def test_hb12_validity_stands_at_the_position_of_the_card_and_may_be_open() -> None:
    insurance = person(**TWO_CARDS).insurance
    assert insurance is not None
    assert (insurance.valid_from, insurance.valid_to) == (date(2026, 1, 1), None)


@pytest.mark.parametrize(("left", "name"), [("202506300900", "Hà Giang"), ("202507010900", None)])
def test_hb13_old_province_codes_are_valid_for_old_data_only(left: str, name: str | None) -> None:
    address = person(MATINH_CU_TRU="02", MAHUYEN_CU_TRU="024", NGAY_VAO=left, NGAY_RA=left).address
    assert address is not None
    assert address.text == "Số 1, đường Thử Nghiệm"
    assert address.province == Coded("02", name)
    assert (address.district, address.commune) == (Coded("024", None), Coded("00004", None))


@pytest.mark.parametrize(
    ("xml1", "tables", "shown"),
    [
        (CHILD, {"XML8": [{"NGUOI_GIAM_HO": "Giám Hộ Thử", "HO_TEN_ME": "Mẹ Thử"}]}, "Giám Hộ Thử"),
        (CHILD, {"XML8": [{"HO_TEN_ME": "Mẹ Thử", "HO_TEN_CHA": "Cha Thử"}]}, "Mẹ Thử"),
        (CHILD, {"XML8": [XML8], "XML7": [{"MA_YTE": "BN000001", "HO_TEN_CHA": "Cha Thử"}]}, "Cha Thử"),
        (CHILD, {"XML11": [{"HO_TEN_ME": "Mẹ Thử"}]}, "Mẹ Thử"),
        ({}, {"XML8": [{"HO_TEN_ME": "Mẹ Thử"}]}, None),  # nobody represents an adult but a guardian
        ({}, {"XML8": [{"NGUOI_GIAM_HO": "Giám Hộ Thử"}]}, "Giám Hộ Thử"),
        (CHILD, {"XML7": [{"MA_YTE": "CON1", "HO_TEN_ME": "Mẹ Thử"}]}, None),  # a newborn's own paper
    ],
)
def test_hb14_representative_is_the_first_that_is_named(
    xml1: dict[str, str], tables: dict[str, Rows], shown: str | None
) -> None:
    found = entry_of(dossier(xml1, **tables)).person
    assert found is not None
    assert found.representative == shown
