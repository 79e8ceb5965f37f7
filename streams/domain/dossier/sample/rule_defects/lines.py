"""X2 to X5: lines of medicines, services, results and notes."""

from streams.domain.dossier.sample.model import VisitKind
from streams.domain.dossier.sample.rows import (
    Rows,
    copy_row,
    find,
    keep,
    of,
    put,
    put_all,
    retotal,
)
from streams.domain.dossier.sample.rule_defects.ground import (
    BED,
    CONSULTATION,
    DAY,
    EXAM,
    PROCEDURE,
    SMALL,
    STAY,
    SUPPLY,
    SURGERY,
    TEST,
    WITH_SURGERY,
    ground,
    level_again,
    line,
    rule,
    without_copies,
)


def _beds_of_a_night_and_a_day(rows: Rows) -> None:
    """A stay of 20 hours with one night's bed and one day's bed: two bed days, none of them wrong by itself."""
    one = rows["XML1"][0]
    one["NGAY_VAO"] = of("NGAY_RA", hours=-20)(rows)
    one["NGAY_VAO_NOI_TRU"] = of("NGAY_VAO", minutes=20)(rows)
    one |= {"SO_NGAY_DTRI": "2", "MA_LOAI_RV": "1", "KET_QUA_DTRI": "2", "MA_NOI_DEN": ""}
    rows["XML8"][0]["KET_QUA_DTRI"], rows["XML13"] = "2", []
    for kind in ("XML7", "XML8"):
        rows[kind][0]["NGAY_VAO"] = one["NGAY_VAO"]
    without_copies("NGAY_VAO", "NGAY_VAO_NOI_TRU")(rows)
    rows["XML2"], rows["XML4"] = [], []
    keep("XML3", lambda row: row["MA_NHOM"] in ("13", "15"))(rows)
    start, middle = one["NGAY_VAO_NOI_TRU"], of("NGAY_RA", hours=-3)(rows)
    put("XML3", CONSULTATION, NGAY_YL=one["NGAY_VAO"], NGAY_TH_YL=one["NGAY_VAO"], NGAY_KQ=start)(rows)
    line("XML3", BED, SO_LUONG="1", NGAY_YL=start, NGAY_TH_YL=start, NGAY_KQ=middle)(rows)
    put_all("XML5", THOI_DIEM_DBLS=middle)(rows)
    retotal(rows)


def _without_results_of_a_test(rows: Rows) -> None:
    code = find(rows, "XML3", TEST)["MA_DICH_VU"]
    keep("XML4", lambda row: row["MA_DICH_VU"] != code)(rows)


DEFECTS = (
    rule(
        "X2-004",
        "no medicine at all",
        EXAM,
        line("XML2", 0, SO_LUONG="0", DUONG_DUNG="2.10", LIEU_DUNG="Theo y lệnh"),
    ),
    rule(
        "X2-005",
        "more is taken than was given out",
        EXAM,
        put("XML2", LIEU_DUNG="1 viên/lần * 9 lần/ngày * 30 ngày [9 viên/ngày]"),
    ),
    rule("X2-006", "outside the list without a card of the forces", SMALL, put("XML2", PHAM_VI="3")),
    rule(
        "X2-007",
        "31 days of medicine",
        EXAM,
        line("XML2", 0, SO_LUONG="31", LIEU_DUNG="1 viên/lần * 1 lần/ngày * 31 ngày [1 viên/ngày]"),
    ),
    rule("X2-008", "a medicine of a service that is not there", EXAM, put("XML2", MA_DICH_VU="99.9999")),
    rule(
        "X2-008W",
        "a medicine of a service of another day",
        STAY,
        put("XML2", -1, MA_DICH_VU=of("MA_DICH_VU", "XML3", CONSULTATION)),
    ),
    rule("X3-006", "two interventions with two hands", EXAM, copy_row("XML3", PROCEDURE), retotal),
    rule("X3-007", "ordered and done by one", EXAM, put("XML3", TEST, NGUOI_THUC_HIEN=of("MA_BAC_SI", "XML3", TEST))),
    rule("X3-008", "two whole examinations in a day", EXAM, copy_row("XML3", CONSULTATION), retotal),
    rule(
        "X3-009",
        "two whole surgeries at once",
        WITH_SURGERY,
        copy_row("XML3", SURGERY, NGUOI_THUC_HIEN="999999/TEST-CCHN"),
        retotal,
    ),
    rule("X3-010", "a bed in an examination", EXAM, put("XML3", PROCEDURE, MA_NHOM="14", MA_GIUONG="H012")),
    rule(
        "X3-011",
        "two day beds in a day",
        DAY,
        put("XML3", {"MA_NHOM": "14"}, NGAY_KQ=of("NGAY_YL", "XML3", {"MA_NHOM": "14"}, hours=2)),
        copy_row(
            "XML3",
            {"MA_NHOM": "14"},
            NGAY_YL=of("NGAY_KQ", "XML3", {"MA_NHOM": "14"}),
            NGAY_TH_YL=of("NGAY_KQ", "XML3", {"MA_NHOM": "14"}),
            NGAY_KQ=of("NGAY_RA"),
        ),
        retotal,
    ),
    rule(
        "X3-012",
        "3 bed days in 2 days",
        ground(VisitKind.INPATIENT, care="03"),
        put("XML3", BED, NGAY_KQ=of("NGAY_YL", "XML3", BED, days=1)),
    ),
    rule(
        "X3-012W",
        "two beds at once",
        STAY,
        copy_row("XML3", BED, SO_LUONG="0", THANH_TIEN_BV="0", THANH_TIEN_BH="0", T_BNTT="0", T_BNCCT="0", T_BHTT="0"),
    ),
    rule(
        "X3-013",
        "two bed days in 20 hours",
        ground(VisitKind.INPATIENT, _beds_of_a_night_and_a_day, level_again("100"), care="03"),
        copy_row(
            "XML3",
            BED,
            MA_NHOM="14",
            NGAY_YL=of("NGAY_RA", hours=-2),
            NGAY_TH_YL=of("NGAY_RA", hours=-2),
            NGAY_KQ=of("NGAY_RA"),
        ),
        retotal,
        level_again(),
    ),
    rule("X3-014", "60 % of a bed", STAY, line("XML3", BED, TYLE_TT_DV="60")),
    rule(
        "X3-015",
        "an inpatient examined twice",
        STAY,
        copy_row(
            "XML3",
            CONSULTATION,
            NGAY_YL=of("NGAY_YL", "XML3", CONSULTATION, days=1),
            NGAY_TH_YL=of("NGAY_TH_YL", "XML3", CONSULTATION, days=1),
            NGAY_KQ=of("NGAY_KQ", "XML3", CONSULTATION, days=1),
        ),
        retotal,
    ),
    rule(
        "X3-016",
        "a supply of a service that is not there",
        EXAM,
        put("XML3", SUPPLY, MA_DICH_VU="99.9999", TEN_DICH_VU="Dịch vụ mẫu thử"),
    ),
    rule("X3-017", "60 % of a test", EXAM, line("XML3", TEST, TYLE_TT_DV="60")),
    rule("X3-018", "outside the list without a card of the forces", SMALL, put("XML3", CONSULTATION, PHAM_VI="3")),
    rule("X3-019", "a test without results", EXAM, _without_results_of_a_test),
    rule("X3-020", "no procedure at all", EXAM, line("XML3", PROCEDURE, SO_LUONG="0")),
    rule("X3-021", "a child's service for a grown-up", EXAM, put("XML3", PROCEDURE, MA_DICH_VU="99.0016")),
    rule("X3-022", "an included service with a price", EXAM, put("XML3", PROCEDURE, MA_DICH_VU="99.0000")),
    rule("X3-023", "2 nights that are 3", STAY, line("XML3", BED, SO_LUONG="2")),
    rule("X4-002", "a result of another minute", EXAM, put("XML4", NGAY_KQ=of("NGAY_KQ", "XML4", minutes=1))),
    rule("X4-003", "an unknown index", EXAM, put("XML4", MA_CHI_SO="XX99")),
    rule("X5-003", "the same note twice", DAY, copy_row("XML5")),
)
