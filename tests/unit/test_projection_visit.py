"""Each row of HEALTHBOOK §2 that has a source reaches the entry as the row says: the visit (group C)."""

from datetime import date

import pytest

from events.health_book_content import CareKind, Coded, Drug
from tests.support.health_book import Rows, dossier, drug_row, entry_of, local, visit


def test_hb20_entry_is_the_visit_and_its_key_names_no_person() -> None:
    entry = entry_of(dossier())
    assert entry.key == entry.entry_id == "01999|TEST-1"
    assert (entry.facility, entry.ma_lk, entry.version) == ("01999", "TEST-1", 1)


def test_hb21_facility_is_named_by_the_register() -> None:
    assert visit().facility == Coded("01999", "Bệnh viện Thử")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("01", CareKind.EXAMINATION),
        ("02", CareKind.OUTPATIENT),
        ("03", CareKind.INPATIENT),
        ("04", CareKind.DAY),
        ("05", CareKind.OUTPATIENT),
        ("06", CareKind.INPATIENT),
        ("07", CareKind.APPOINTED_DRUGS),
        ("08", CareKind.OUTPATIENT),
        ("09", CareKind.INPATIENT),
        ("14", CareKind.REMOTE),
        ("99", CareKind.UNKNOWN),
    ],
)
def test_hb22_care_is_one_of_the_six_kinds_of_the_book(code: str, kind: CareKind) -> None:
    found = visit({"MA_LOAI_KCB": code})
    assert found.care is kind
    assert found.care_code.code == code


def test_hb23_times_are_instants_of_vietnamese_time() -> None:
    found = visit({"NGAY_VAO_NOI_TRU": "202611020815"})
    assert found.admitted_at == local("202611020800")
    assert found.inpatient_from == local("202611020815")
    assert found.left_at == local("202611020930")


def test_hb24_reason_is_the_text_as_sent() -> None:
    assert visit({"LY_DO_VV": " Ho,\n sốt "}).reason == " Ho,\n sốt "


def test_hb25_diagnosis_on_admission() -> None:
    assert visit().admission_diagnosis == "Theo dõi viêm họng cấp"


def test_hb26_main_disease_comes_first_and_twelve_at_most_accompany_it() -> None:
    codes = [f"J{number:02}" for number in range(14)]
    found = visit({"MA_BENH_KT": ";".join(codes), "MA_BENH_YHCT": "U50;U51"}).discharge_diagnosis
    assert (found.text, found.main) == ("Viêm họng cấp", "J02")
    assert found.accompanying == tuple(codes[:12])
    assert found.traditional == ("U50", "U51")


def test_hb27_discharge_state_is_named() -> None:
    assert visit().discharge_state == Coded("1", "Ra viện")


def test_hb28_treatment_result_is_named() -> None:
    assert visit().treatment_result == Coded("2", "Đỡ")


def test_hb29_days_of_treatment() -> None:
    assert visit().treatment_days == 1


def test_hb30_blood_group_as_coded() -> None:
    assert visit().blood_group == "O+"


def test_hb31_weight_in_kilograms_and_of_children_born_in_grams() -> None:
    found = visit({"CAN_NANG_CON": "3100;2900"})
    assert (found.weight_kg, found.newborn_weights_g) == ("60.00", ("3100", "2900"))


def test_hb32_height_has_no_source_and_is_marked_missing() -> None:
    completeness = entry_of(dossier()).completeness
    assert completeness is not None
    assert "HB-32" in completeness.missing


def test_hb33_results_are_grouped_by_service_and_ordered_by_time() -> None:
    found = visit(
        XML3=[
            {"MA_DICH_VU": "23.1", "TEN_DICH_VU": "Sinh hóa"},
            {"MA_DICH_VU": "18.1.K.01888", "TEN_DICH_VU": "X-quang gửi"},
        ],
        XML4=[
            {"MA_DICH_VU": "18.1", "MO_TA": "Phổi sáng", "KET_LUAN": "Bình thường", "NGAY_KQ": "202611020920"},
            {"MA_DICH_VU": "23.1", "MA_CHI_SO": "URE", "TEN_CHI_SO": "Ure", "GIA_TRI": "5", "NGAY_KQ": "202611020915"},
            {
                "MA_DICH_VU": "23.1",
                "MA_CHI_SO": "GLU",
                "TEN_CHI_SO": "Glucose",
                "GIA_TRI": "5.1",
                "DON_VI_DO": "mmol/L",
                "NGAY_KQ": "202611020910",
                "MA_BS_DOC_KQ": "000002/HNO-CCHN",
            },
        ],
    ).results
    assert [group.service for group in found] == [Coded("23.1", "Sinh hóa"), Coded("18.1", "X-quang gửi")]
    assert [result.code for result in found[0].results] == ["GLU", "URE"]
    glucose = found[0].results[0]
    assert (glucose.name, glucose.value, glucose.unit, glucose.reader) == (
        "Glucose",
        "5.1",
        "mmol/L",
        "000002/HNO-CCHN",
    )
    assert glucose.resulted_at == local("202611020910")
    assert (found[1].results[0].description, found[1].results[0].conclusion) == ("Phổi sáng", "Bình thường")


def test_hb34_same_drug_and_dose_of_one_day_is_one_line_without_price() -> None:
    rows = [
        drug_row(),
        drug_row(SO_LUONG="0.5", NGAY_YL="202611021700", DON_GIA="1600"),
        drug_row(NGAY_YL="202611030900"),
        drug_row(LIEU_DUNG="2 viên * 1 lần"),
    ]
    found = visit(XML2=rows).drugs
    line = Drug(date(2026, 11, 2), "Thuốc thử A", "500mg", "Viên", "1.01", "1 viên * 2 lần", "Sau ăn", "10.5", "viên")
    assert found[0] == line
    assert [(drug.day, drug.dose, drug.quantity) for drug in found[1:]] == [
        (date(2026, 11, 2), "2 viên * 1 lần", "10"),
        (date(2026, 11, 3), "1 viên * 2 lần", "10"),
    ]


def test_hb35_procedures_are_grouped_and_operation_notes_are_the_only_notes_shown() -> None:
    found = visit(
        {"MA_PTTT_QT": "47.09"},
        XML3=[
            {"MA_DICH_VU": "10.1", "TEN_DICH_VU": "Cắt ruột thừa", "MA_NHOM": "8", "NGAY_TH_YL": "202611020905"},
            {"MA_DICH_VU": "03.1", "TEN_DICH_VU": "Thay băng", "MA_NHOM": "18", "NGAY_TH_YL": "202611021000"},
            {"MA_DICH_VU": "03.1", "TEN_DICH_VU": "Thay băng", "MA_NHOM": "18", "NGAY_TH_YL": "202611020910"},
            {"MA_DICH_VU": "02.1", "TEN_DICH_VU": "Nội soi", "MA_NHOM": "3", "MA_PTTT_QT": "45.13", "NGAY_YL": ""},
            {"MA_DICH_VU": "01.1", "TEN_DICH_VU": "Khám", "MA_NHOM": "13"},
            {"MA_DICH_VU": "10.1", "MA_VAT_TU": "N01", "MA_NHOM": "10", "MA_PTTT_QT": "47.09"},
        ],
        XML5=[
            {"DIEN_BIEN_LS": "Đau bụng", "PHAU_THUAT": "", "THOI_DIEM_DBLS": "202611020810"},
            {"DIEN_BIEN_LS": "Sau mổ", "PHAU_THUAT": "Cắt ruột thừa nội soi", "THOI_DIEM_DBLS": "202611020930"},
        ],
    )
    assert [(item.service.name, len(item.performed_at)) for item in found.procedures] == [
        ("Cắt ruột thừa", 1),
        ("Thay băng", 2),
        ("Nội soi", 0),
    ]
    assert found.procedures[1].performed_at == (local("202611020910"), local("202611021000"))
    assert found.procedures[2].international_codes == ("45.13",)
    assert found.procedure_codes == ("47.09",)
    assert [(note.at, note.text) for note in found.operation_notes] == [
        (local("202611020930"), "Cắt ruột thừa nội soi")
    ]


def test_hb36_treatment_method() -> None:
    assert visit().treatment == "Nghỉ ngơi"


@pytest.mark.parametrize(
    ("tables", "licence", "name"),
    [
        ({"XML7": [{"MA_YTE": "BN000001", "MA_BS": "1/CCHN", "TEN_BS": "Bác Sĩ Thử"}]}, "1/CCHN", "Bác Sĩ Thử"),
        ({"XML14": [{"MA_BAC_SI": "2/CCHN"}]}, "2/CCHN", None),
    ],
)
def test_hb37_doctor_comes_from_the_papers(tables: dict[str, Rows], licence: str, name: str | None) -> None:
    doctor = visit(None, **tables).doctor
    assert doctor is not None
    assert (doctor.licence, doctor.name) == (licence, name)


def test_hb37_head_of_the_unit_is_not_the_doctor() -> None:
    assert visit({"MA_TTDV": "000001/HNO-CCHN"}).doctor is None
