"""Each row of HEALTHBOOK §2 with a source reaches the entry as the row says: summary and papers (groups B, D, E)."""

from datetime import date

import pytest

from events.health_book_content import Coded, PaperKind
from tests.support.health_book import REFERRAL, Rows, dossier, entry_of, local, summary


def test_hb17_personal_history_is_the_text_of_table_8() -> None:
    assert summary().course == "Ho ba ngày"


def test_hb38_to_hb40_summary_is_what_the_doctor_wrote_in_table_8() -> None:
    found = summary()
    assert (found.course, found.results, found.treatment) == ("Ho ba ngày", "Bạch cầu 7 G/L", "Kháng viêm")


def test_hb41_advice_and_appointed_days_of_table_1_else_of_the_papers() -> None:
    assert summary().advice == "Tái khám khi sốt cao"
    paper: Rows = [{"NGAY_HEN_KL": "202611300800"}]
    of_table_1 = summary({"NGAY_TAI_KHAM": "20261116;20261123"}, XML14=paper)
    assert of_table_1.re_examination_on == (date(2026, 11, 16), date(2026, 11, 23))
    assert summary(XML14=paper).re_examination_on == (date(2026, 11, 30),)


def test_hb43_diagnoses_and_result_of_the_summary() -> None:
    found = summary()
    assert found.admission_diagnosis == "Theo dõi viêm họng cấp"
    assert found.discharge_diagnosis == "Viêm họng cấp"
    assert found.treatment_result == Coded("2", "Đỡ")


def test_hb44_discharge_paper() -> None:
    row = {
        "SO_LUU_TRU": "LT-1",
        "MA_YTE": "BN000001",
        "MA_KHOA_RV": "K01",
        "NGAY_VAO": "202611020800",
        "NGAY_RA": "202611020930",
        "CHAN_DOAN_RV": "Viêm họng cấp",
        "PP_DIEUTRI": "Thuốc",
        "GHI_CHU": "Nghỉ 2 ngày",
        "MA_BS": "1/CCHN",
        "TEN_BS": "Bác Sĩ Thử",
        "NGAY_CT": "20261102",
        "SO_NGAY_NGHI": "2",
        "NGOAITRU_TUNGAY": "20261103",
        "NGOAITRU_DENNGAY": "20261104",
    }
    (paper,) = entry_of(dossier(XML7=[row])).papers
    assert (paper.kind, paper.number, paper.department) == (PaperKind.DISCHARGE, "LT-1", "K01")
    assert (paper.issued_on, paper.days) == (date(2026, 11, 2), 2)
    assert (paper.valid_from, paper.valid_to) == (date(2026, 11, 3), date(2026, 11, 4))
    assert (paper.diagnosis.text, paper.treatment, paper.note) == ("Viêm họng cấp", "Thuốc", "Nghỉ 2 ngày")
    assert (paper.admitted_at, paper.left_at) == (local("202611020800"), local("202611020930"))
    assert paper.doctor is not None
    assert (paper.doctor.licence, paper.doctor.name) == ("1/CCHN", "Bác Sĩ Thử")


def test_hb45_referral() -> None:
    (paper,) = entry_of(dossier(XML13=[REFERRAL])).papers
    assert (paper.kind, paper.number, paper.left_at) == (PaperKind.REFERRAL, "CT-1", local("202611020930"))
    assert (paper.diagnosis.main, paper.diagnosis.accompanying) == ("J18", ("I10",))
    assert paper.treatment == "Kháng sinh"
    referral = paper.referral
    assert referral is not None
    assert (referral.file_number, referral.from_facilities) == ("HS-1", ("01777", "01888"))
    assert referral.to_facility == Coded("01999", "Bệnh viện Thử")
    assert (referral.signs, referral.course, referral.results) == ("Sốt", "Ba ngày", "X-quang")
    assert (referral.condition, referral.plan, referral.transport) == ("Tỉnh", "Nhập viện", "Xe cứu thương")
    assert referral.reason == Coded("1", "Đủ điều kiện chuyển, phù hợp quy định")


def test_hb45_referral_of_decision_4750_named_its_facilities_otherwise() -> None:
    row = {**REFERRAL, "MA_CSKCB_DI": "", "MA_CSKCB_DEN": "", "MA_NOI_DI": "01777", "MA_NOI_DEN": "01888"}
    referral = entry_of(dossier(XML13=[row])).papers[0].referral
    assert referral is not None
    assert (referral.from_facilities, referral.to_facility) == (("01777",), Coded("01888", None))


def test_hb46_re_examination() -> None:
    row = {
        "SO_GIAYHEN_KL": "HK-1",
        "NGAY_HEN_KL": "20261116",
        "CHAN_DOAN_RV": "Viêm họng cấp",
        "MA_BENH_CHINH": "J02",
        "MA_DOITUONG_KCB": "1.1",
        "MA_BAC_SI": "2/CCHN",
        "NGAY_CT": "20261102",
    }
    (paper,) = entry_of(dossier(XML14=[row])).papers
    assert (paper.kind, paper.number, paper.arrival_category) == (PaperKind.RE_EXAMINATION, "HK-1", "1.1")
    assert (paper.appointment_on, paper.issued_on) == (date(2026, 11, 16), date(2026, 11, 2))
    assert paper.diagnosis.main == "J02"


def test_hb47_birth_certificate_lies_with_the_mothers_entry_one_for_each_child() -> None:
    row = {
        "SO": "CS-1",
        "QUYEN_SO": "Q-1",
        "HO_TEN_CON": "Con Thử",
        "GIOI_TINH_CON": "2",
        "NGAY_SINH_CON": "202611020815",
        "CAN_NANG_CON": "3100",
        "SO_CON": "2",
        "LAN_SINH": "1",
        "SO_CON_SONG": "2",
        "SINHCON_PHAUTHUAT": "1",
        "SINHCON_DUOI32TUAN": "0",
        "NGAY_CT": "20261102",
    }
    papers = entry_of(dossier(XML9=[row, {**row, "SO": "CS-2"}])).papers
    assert [(paper.kind, paper.number) for paper in papers] == [(PaperKind.BIRTH, "CS-1"), (PaperKind.BIRTH, "CS-2")]
    birth = papers[0].birth
    assert birth is not None
    assert (birth.child_name, birth.sex, birth.born_at) == ("Con Thử", Coded("2", "Nữ"), local("202611020815"))
    assert (birth.weight_g, birth.children, birth.delivery, birth.living_children) == ("3100", 2, 1, 2)
    assert (birth.by_surgery, birth.before_32_weeks, birth.book_number) == (True, False, "Q-1")


@pytest.mark.parametrize(
    ("table", "kind", "days"),
    [
        ("XML10", PaperKind.PREGNANCY_LEAVE, {"SO_NGAY": "10"}),
        ("XML11", PaperKind.SICK_LEAVE, {"SO_NGAY_NGHI": "10"}),
    ],
)
def test_hb48_leave_papers(table: str, kind: PaperKind, days: dict[str, str]) -> None:
    row = {"SO_SERI": "S-1", "TU_NGAY": "20261102", "DEN_NGAY": "20261111", **days}
    (paper,) = entry_of(dossier(None, **{table: [row]})).papers
    assert (paper.kind, paper.number, paper.days) == (kind, "S-1", 10)
    assert (paper.valid_from, paper.valid_to) == (date(2026, 11, 2), date(2026, 11, 11))
