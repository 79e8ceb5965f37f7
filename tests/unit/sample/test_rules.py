"""Invented dossiers keep the rules of rules.csv that data alone can keep; each test names the rules it looks at."""

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest

from streams.domain.dossier.data import read_csv
from streams.domain.dossier.sample import Sample, Size, Trait, VisitKind, can_be, new_dossier
from tests.unit.sample.support import FACILITY, NOW, Row, all_cares, day, header, moment, rows, total

CARED_FOR = [*all_cares(range(12)), *all_cares(range(12, 16), size=Size.TINY), *all_cares(range(16, 18), size=500)]
SPECIAL = [
    new_dossier(seed, facility=FACILITY, kind=kind, insured=insured, discharged_at=NOW, traits={trait})
    for seed in range(4)
    for kind in (VisitKind.EXAM, VisitKind.INPATIENT, VisitKind.OUTPATIENT_TREATMENT)
    for insured in (True, False)
    for trait in Trait
    if trait is not Trait.UNPAID and can_be(kind, insured, {trait}, NOW.date())
]
SAMPLES = [*CARED_FOR, *SPECIAL]
LATE = ("02", "05", "07")


def cent(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def lines(sample: Sample) -> list[Row]:
    return rows(sample, "XML2") + rows(sample, "XML3")


def services(sample: Sample, *groups: str) -> list[Row]:
    return [row for row in rows(sample, "XML3") if row["MA_NHOM"] in groups]


def test_one_key_in_every_row() -> None:
    """LNK-001."""
    for sample in SAMPLES:
        assert {row["MA_LK"] for kind, _ in sample.tables for row in rows(sample, kind)} == {sample.ma_lk}


def test_rows_count_from_1() -> None:
    """LNK-004."""
    for sample in SAMPLES:
        for kind in ("XML2", "XML3", "XML4", "XML5", "XML15"):
            assert [row["STT"] for row in rows(sample, kind)] == [str(n) for n in range(1, len(rows(sample, kind)) + 1)]


def test_line_amounts() -> None:
    """MON-001 to MON-013, FMT-010, FMT-011."""
    for sample in SAMPLES:
        for row in lines(sample):
            price = Decimal(row.get("DON_GIA") or row["DON_GIA_BV"])
            covered_price = Decimal(row.get("DON_GIA") or row["DON_GIA_BH"])
            quantity, rate, level = (Decimal(row[name]) for name in ("SO_LUONG", "TYLE_TT_BH", "MUC_HUONG"))
            full, covered = Decimal(row["THANH_TIEN_BV"]), Decimal(row["THANH_TIEN_BH"])
            assert full == cent(quantity * price)
            assert covered == cent(quantity * covered_price * rate / 100) <= full
            assert Decimal(row["T_BHTT"]) == cent(covered * level / 100)
            assert full == sum(Decimal(row[name]) for name in ("T_BNTT", "T_BNCCT", "T_BHTT", "T_NGUONKHAC"))
            assert Decimal(row["T_BNTT"]) == full - covered
            assert row["PHAM_VI"] != "2" or (rate == covered == 0 and row["T_BHTT"] == "0.00")


def test_totals() -> None:
    """MON-101 to MON-111, X1-023, NB-005."""
    for sample in SAMPLES:
        xml1 = header(sample)
        drugs, others = rows(sample, "XML2"), rows(sample, "XML3")
        assert Decimal(xml1["T_TONGCHI_BV"]) == sum(
            Decimal(xml1[name]) for name in ("T_BNTT", "T_BNCCT", "T_BHTT", "T_NGUONKHAC")
        )
        assert Decimal(xml1["T_BHTT"]) == Decimal(xml1["T_TONGCHI_BH"]) - Decimal(xml1["T_BNCCT"])
        assert Decimal(xml1["T_TONGCHI_BV"]) > 0
        if not sample.insured:
            assert xml1["T_BHTT"] == xml1["T_TONGCHI_BH"] == xml1["T_BNCCT"] == "0.00"
            continue
        assert Decimal(xml1["T_THUOC"]) == total(drugs, "THANH_TIEN_BV")
        assert Decimal(xml1["T_VTYT"]) == total(services(sample, "10", "11"), "THANH_TIEN_BV")
        assert Decimal(xml1["T_TONGCHI_BV"]) == total(drugs + others, "THANH_TIEN_BV")
        assert Decimal(xml1["T_TONGCHI_BH"]) == total(drugs + others, "THANH_TIEN_BH")
        assert Decimal(xml1["T_BHTT"]) == total(drugs + others, "T_BHTT") == Decimal(xml1["T_BHTT_GDV"])


def test_benefit_level() -> None:
    """MON-016, MON-016W, RULES §5: a bill below 15 % of 2,530,000 dong is paid in full."""
    seen = set()
    for sample in (sample for sample in SAMPLES if sample.insured):
        xml1 = header(sample)
        by_card = {"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}[xml1["MA_THE_BHYT"][2]]
        small = Decimal(xml1["T_TONGCHI_BH"]) < Decimal(379_500)
        levels = {int(row["MUC_HUONG"]) for row in lines(sample) if row["TYLE_TT_BH"] != "0"}
        assert levels == {100 if small else by_card}
        seen.add((small, by_card))
    assert {(True, 80), (False, 80), (False, 95), (False, 100)} <= seen


def test_the_visit_runs_forward_in_time() -> None:
    """X1-001 to X1-005, X1-018, X1-021, FMT-002."""
    for sample in SAMPLES:
        xml1 = header(sample)
        came, left, paid = moment(xml1["NGAY_VAO"]), moment(xml1["NGAY_RA"]), moment(xml1["NGAY_TTOAN"])
        now = (NOW + timedelta(hours=7)).replace(tzinfo=None)
        late = xml1["MA_LOAI_KCB"] in LATE
        assert came < left
        assert came <= paid <= now
        assert left <= now or late
        assert (xml1["NGAY_RA"][8:] == "2359") if late else (paid >= left)
        assert not xml1["NGAY_VAO_NOI_TRU"] or came <= moment(xml1["NGAY_VAO_NOI_TRU"]) <= left
        assert xml1["MA_LOAI_KCB"] != "01" or timedelta(minutes=5) <= left - came <= timedelta(hours=24)
        assert xml1["MA_LOAI_KCB"] != "09" or left - came < timedelta(hours=4)


def test_lines_and_notes_lie_within_the_visit_and_in_order() -> None:
    """X2-001 to X2-003, X3-001 to X3-005, X4-001, X5-001."""
    for sample in SAMPLES:
        xml1 = header(sample)
        start, end = xml1["NGAY_VAO"], min(xml1["NGAY_RA"], xml1["NGAY_TTOAN"])
        for row in rows(sample, "XML2"):
            assert start <= row["NGAY_YL"] <= row["NGAY_TH_YL"] <= end
        for row in rows(sample, "XML3"):
            assert start <= row["NGAY_YL"] <= row["NGAY_TH_YL"] <= row["NGAY_KQ"] <= max(end, xml1["NGAY_RA"])
        for row in services(sample, "1", "2", "3"):
            assert moment(row["NGAY_KQ"]) - moment(row["NGAY_TH_YL"]) >= timedelta(minutes=3)
            assert moment(row["NGAY_KQ"]) - moment(row["NGAY_YL"]) <= timedelta(days=7)
        for row in rows(sample, "XML5"):
            assert start <= row["THOI_DIEM_DBLS"] <= end


def test_treatment_days() -> None:
    """X1-020, X1-020W."""
    for sample in SAMPLES:
        xml1 = header(sample)
        days, care = int(xml1["SO_NGAY_DTRI"]), xml1["MA_LOAI_KCB"]
        if care in ("01", "07", "09", "14"):
            assert days == 0
        if care in ("02", "03", "04", "05"):
            assert days == day(xml1["NGAY_RA"]) - day(xml1["NGAY_VAO"]) + 1
        if care == "08" and sample.insured:
            assert days == len({row["NGAY_TH_YL"][:8] for row in rows(sample, "XML3")})


def test_beds() -> None:
    """X3-010 to X3-014, X3-023, REQ-025, REQ-028, FMT-015."""
    for sample in SAMPLES:
        xml1, beds = header(sample), services(sample, "14", "15", "16")
        if xml1["MA_LOAI_KCB"] not in ("03", "04"):
            assert beds == []
            continue
        if not sample.insured:
            continue
        (bed,) = beds
        assert bed["MA_GIUONG"]
        assert int(bed["SO_LUONG"]) <= int(xml1["SO_NGAY_DTRI"])
        if xml1["MA_LOAI_KCB"] == "03":
            nights = day(xml1["NGAY_RA"]) - day(xml1["NGAY_VAO_NOI_TRU"])
            assert int(bed["SO_LUONG"]) == nights + (1 if xml1["MA_LOAI_RV"] == "2" else 0)


def test_what_insurance_demands_is_there() -> None:
    """X1-024, X5-002, X7-001, X8-001, X13-001, X14-001, REQ-005, REQ-010."""
    for sample in (sample for sample in SAMPLES if sample.insured):
        xml1, kinds = header(sample), {kind for kind, _ in sample.tables}
        care = xml1["MA_LOAI_KCB"]
        assert care not in ("01", "02", "05", "08") or services(sample, "13")
        assert care not in ("02", "03", "04", "05", "08", "09") or "XML5" in kinds
        assert ("XML7" in kinds) == (care in ("03", "04", "09"))
        assert ("XML13" in kinds) == (xml1["MA_LOAI_RV"] in ("2", "5")) == bool(xml1["MA_NOI_DEN"])
        assert ("XML14" in kinds) == bool(xml1["NGAY_TAI_KHAM"])
        if care in ("03", "04", "09"):
            assert xml1["LY_DO_VNT"]
            assert xml1["NGAY_VAO_NOI_TRU"]
            assert xml1["PP_DIEU_TRI"]


def test_card_and_category_agree() -> None:
    """NB-001, NB-002, REQ-007 to REQ-012, X1-006 to X1-013, X1-015, FMT-005."""
    for sample in SAMPLES:
        xml1 = header(sample)
        card = [xml1[name] for name in ("MA_THE_BHYT", "MA_DKBD", "GT_THE_TU", "GT_THE_DEN")]
        assert all(card) if sample.insured else not any(card)
        expected = {True: ("1.1", "1.3", "1.7"), False: ("9",)}[sample.insured]
        assert xml1["MA_DOITUONG_KCB"] in expected
        if sample.insured:
            assert xml1["GT_THE_TU"] <= xml1["NGAY_VAO"][:8] <= xml1["GT_THE_DEN"]
            assert (xml1["MA_DKBD"] == sample.facility) == (xml1["MA_DOITUONG_KCB"] == "1.1")
        referred = xml1["MA_DOITUONG_KCB"] == "1.3"
        assert bool(xml1["MA_NOI_DI"]) == bool(xml1["GIAY_CHUYEN_TUYEN"]) == referred
        assert xml1["MA_NOI_DI"] != xml1["MA_CSKCB"] != xml1["MA_NOI_DEN"]


def patients_own(papers: list[Row]) -> list[Row]:
    """Without the paper of a newborn, which goes with the mother's dossier (RULES §3)."""
    return [row for row in papers if not row.get("MA_YTE", "").endswith("-C1")]


def test_copies_are_equal() -> None:
    """X6-001, X7-002 to X7-004, X8-003, X8-004, X8-006, X13-002 to X13-004, X14-002, X14-005, X15-001."""
    own = {"STT", "DU_PHONG", "GIAY_CHUYEN_TUYEN", "NGAY_CT", "GHI_CHU"}
    for sample in SAMPLES:
        xml1 = header(sample)
        for kind in ("XML6", "XML7", "XML8", "XML13", "XML14", "XML15"):
            for row in patients_own(rows(sample, kind)):
                assert {
                    name for name in row if name in xml1 and name not in own and row[name] not in ("", xml1[name])
                } == set()
        for row in patients_own(rows(sample, "XML7")):
            assert (row["MA_YTE"], row["MA_KHOA_RV"]) == (xml1["MA_BN"], xml1["MA_KHOA"].split(";")[-1])
            assert row["NGAY_CT"] == xml1["NGAY_RA"][:8]
            assert int(row["SO_NGAY_NGHI"]) == day(row["NGOAITRU_DENNGAY"]) - day(row["NGOAITRU_TUNGAY"]) + 1
        for row in rows(sample, "XML8"):
            assert row["NGAY_CT"] == xml1["NGAY_RA"][:8]
            assert 10 <= len(row["TOMTAT_KQ"]) <= 4000
        for row in rows(sample, "XML13"):
            assert row["MA_CSKCB_DEN"] == xml1["MA_NOI_DEN"]
        for row in rows(sample, "XML14"):
            assert row["NGAY_HEN_KL"] == xml1["NGAY_TAI_KHAM"] > xml1["NGAY_RA"][:8]


def test_every_result_belongs_to_a_test_and_every_test_has_one() -> None:
    """CAT-008, X3-019, X4-002, REQ-026, REQ-030 to REQ-032."""
    for sample in SAMPLES:
        tests, results = services(sample, "1", "2", "3"), rows(sample, "XML4")
        assert {row["MA_DICH_VU"] for row in tests} == {row["MA_DICH_VU"] for row in results}
        finished = {(row["MA_DICH_VU"], row["NGAY_KQ"]) for row in tests if row["NGAY_KQ"] != row["NGAY_YL"]}
        pictures = {row["MA_DICH_VU"] for row in tests if row["MA_NHOM"] == "2"}
        for row in results:
            assert (row["MA_DICH_VU"], row["NGAY_KQ"]) in finished
            assert row["MA_BS_DOC_KQ"]
            assert row["MA_DICH_VU"] not in pictures or (row["MO_TA"] and row["KET_LUAN"])
        for row in tests:
            assert row["MA_MAY"]
            assert row["MA_BAC_SI"] != row["NGUOI_THUC_HIEN"]


def test_two_procedures_never_share_moment_and_hands() -> None:
    """X3-006."""
    for sample in SAMPLES:
        moments = [(row["NGAY_TH_YL"], row["NGUOI_THUC_HIEN"]) for row in services(sample, "8", "18")]
        assert len(set(moments)) == len(moments)


def test_supplies_have_code_name_and_tender() -> None:
    """REQ-020, REQ-021, REQ-023, FMT-013."""
    found = [row for sample in SAMPLES for row in services(sample, "10")]
    assert found
    for row in found:
        assert row["MA_VAT_TU"]
        assert row["TEN_VAT_TU"]
        assert row["TT_THAU"]
        assert not row["MA_DICH_VU"]


def test_doses_add_up_to_the_quantity() -> None:
    """FMT-022, X2-005, X2-007."""
    for sample in SAMPLES:
        for row in rows(sample, "XML2"):
            dose, times, days = (int(part.split()[0]) for part in row["LIEU_DUNG"].split(" * "))
            assert dose * times * days == int(row["SO_LUONG"])
            assert days <= 30
            assert f"[{dose * times} {row['DON_VI_TINH']}/ngày]" in row["LIEU_DUNG"]


def test_notes_are_all_different() -> None:
    """X5-003."""
    for sample in SAMPLES:
        notes = [row["DIEN_BIEN_LS"] for row in rows(sample, "XML5")]
        assert len(set(notes)) == len(notes)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("MA_LOAI_KCB", "codes/ma_loai_kcb.csv"),
        ("MA_DOITUONG_KCB", "codes/ma_doituong_kcb.csv"),
        ("MATINH_CU_TRU", "codes/tinh_tp_tu_2025_07.csv"),
        ("GIOI_TINH", "codes/gioi_tinh.csv"),
        ("KET_QUA_DTRI", "codes/ket_qua_dtri.csv"),
        ("MA_LOAI_RV", "codes/ma_loai_rv.csv"),
    ],
)
def test_codes_are_in_their_lists(name: str, path: str) -> None:
    """COD-001 to COD-005, COD-020."""
    known = {row["code"] for row in read_csv(path)}
    assert {header(sample)[name] for sample in SAMPLES} <= known


def test_departments_groups_and_card_groups_are_in_their_lists() -> None:
    """COD-011, COD-012, COD-015, COD-023."""
    departments = {row["code"] for row in read_csv("codes/ma_khoa.csv")}
    groups = {row["code"] for row in read_csv("codes/ma_nhom.csv")}
    holders = {row["code"] for row in read_csv("codes/the_bhyt_doi_tuong.csv")}
    for sample in SAMPLES:
        assert set(header(sample)["MA_KHOA"].split(";")) <= departments
        assert {row["MA_KHOA"] for row in lines(sample)} <= departments
        assert {row["MA_NHOM"] for row in lines(sample)} <= groups
        assert not sample.insured or header(sample)["MA_THE_BHYT"][:2] in holders
