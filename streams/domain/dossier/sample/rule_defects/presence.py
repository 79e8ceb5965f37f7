"""REQ: what is not filled."""

from streams.domain.dossier.sample.model import VisitKind
from streams.domain.dossier.sample.rows import (
    Rows,
    day_of,
    of,
    put,
    put_all,
)
from streams.domain.dossier.sample.rule_defects.ground import (
    BED,
    EXAM,
    HIV,
    NO_CARD_COPIES,
    PROCEDURE,
    STAY,
    SUPPLY,
    SURGERY,
    TB,
    TEST,
    UNINSURED,
    WITH_SURGERY,
    before_the_reform,
    ground,
    rule,
)

_SENT = (
    put("XML1", MA_DOITUONG_KCB="1.3", MA_NOI_DI="01998", GIAY_CHUYEN_TUYEN="CT-1", MA_DKBD="01998"),
    put_all("XML14", MA_DOITUONG_KCB="1.3"),
)
_SENT_HERE = ground(VisitKind.EXAM, *_SENT)


def _image_without_conclusion(rows: Rows) -> None:
    images = {row["MA_DICH_VU"] for row in rows["XML3"] if row["MA_NHOM"] == "2"}
    next(row for row in rows["XML4"] if row["MA_DICH_VU"] in images)["KET_LUAN"] = ""


DEFECTS = (
    rule("REQ-005", "a stay without a reason", STAY, put("XML1", LY_DO_VNT="")),
    rule("REQ-007", "a card without its first-care facility", EXAM, put("XML1", MA_DKBD="")),
    rule("REQ-008", "a card without an end", EXAM, put("XML1", GT_THE_DEN=""), NO_CARD_COPIES),
    rule("REQ-009", "two first-care facilities for one card", EXAM, put("XML1", MA_DKBD="01999;01998")),
    rule("REQ-010", "a transfer to nowhere", UNINSURED, put("XML1", MA_LOAI_RV="2", MA_NOI_DEN="")),
    rule("REQ-011", "a referral without a number", _SENT_HERE, put("XML1", GIAY_CHUYEN_TUYEN="")),
    rule("REQ-011W", "sent by another facility, no number", UNINSURED, put("XML1", MA_NOI_DI="01998")),
    rule("REQ-012", "a referral by nobody", _SENT_HERE, put("XML1", MA_NOI_DI="")),
    rule("REQ-013", "a grown-up without citizen number", EXAM, put("XML1", SO_CCCD="")),
    rule("REQ-014", "no head of the facility", UNINSURED, put("XML1", MA_TTDV="")),
    rule("REQ-015", "not paid yet", UNINSURED, put("XML1", NGAY_TTOAN="")),
    rule(
        "REQ-016",
        "no district while there were some",
        ground(VisitKind.EXAM, before_the_reform, insured=False),
        put("XML1", MAHUYEN_CU_TRU=""),
    ),
    rule("REQ-017", "a covered medicine without tender", EXAM, put("XML2", TT_THAU="")),
    rule("REQ-018", "a medicine without registration", EXAM, put("XML2", SO_DANG_KY="")),
    rule("REQ-020", "a supply without code", EXAM, put("XML3", SUPPLY, MA_VAT_TU="", TEN_VAT_TU="")),
    rule("REQ-021", "a service without name", EXAM, put("XML3", TEST, TEN_DICH_VU="")),
    rule("REQ-022", "transport without fuel", EXAM, put("XML3", PROCEDURE, MA_NHOM="12")),
    rule("REQ-023", "a covered supply without tender", EXAM, put("XML3", SUPPLY, TT_THAU="")),
    rule("REQ-024", "a test that nobody did", EXAM, put("XML3", TEST, NGUOI_THUC_HIEN="")),
    rule("REQ-025", "a bed without code", STAY, put("XML3", BED, MA_GIUONG="")),
    rule("REQ-026", "a test without machine", EXAM, put("XML3", TEST, MA_MAY="")),
    rule("REQ-027", "surgery without anaesthesia", WITH_SURGERY, put("XML3", SURGERY, PP_VO_CAM="")),
    rule("REQ-028", "a procedure without end", EXAM, put("XML3", PROCEDURE, NGAY_KQ="")),
    rule("REQ-030", "a value without its day", EXAM, put("XML4", NGAY_KQ="")),
    rule("REQ-031", "an image without conclusion", EXAM, _image_without_conclusion),
    rule("REQ-032", "a result that nobody read", EXAM, put("XML4", MA_BS_DOC_KQ="")),
    rule(
        "REQ-033",
        "tuberculosis of an HIV patient without regimen",
        HIV,
        put("XML6", LOAI_DTRI_LAO="2", NGAYBD_DTRI_LAO=day_of("NGAY_VAO")),
    ),
    rule("REQ-034", "a child of an infected mother without test", HIV, put("XML6", MA_TINH_TRANG_DK="1")),
    rule("REQ-035", "treatment without its end", HIV, put("XML6", NGAY_KET_THUC_XU_TRI="")),
    rule(
        "REQ-036",
        "another regimen without line",
        HIV,
        put("XML6", MA_PHAC_DO_DIEU_TRI="KHAC", MA_PHAC_DO_DIEU_TRI_BD="KHAC"),
    ),
    rule("REQ-037", "a changed regimen without reason", HIV, put("XML6", NGAY_CHUYEN_PHAC_DO=day_of("NGAY_VAO"))),
    rule("REQ-038", "a viral load without result", HIV, put("XML6", NGAY_XN_TLVR=day_of("NGAY_VAO"))),
    rule(
        "REQ-039",
        "an ended pregnancy without reason",
        STAY,
        put("XML7", MA_DINH_CHI_THAI="1", TUOI_THAI="8", THOIGIAN_DINHCHI=of("NGAY_VAO")),
    ),
    rule("REQ-040", "days off without end", STAY, put("XML7", NGOAITRU_DENNGAY="")),
    rule(
        "REQ-041",
        "a dead child without number",
        STAY,
        put("XML8", NGAY_SINHCON=day_of("NGAY_VAO"), NGAY_CONCHET=day_of("NGAY_VAO")),
    ),
    rule("REQ-042", "tuberculosis with HIV, no ARV", TB, put("XML15", PHANLOAI_LAO_HIV="1")),
    rule("REQ-043", "a service without order day", EXAM, put("XML3", PROCEDURE, NGAY_YL="")),
    rule("REQ-044", "resistant tuberculosis of no kind", TB, put("XML15", LOAI_DTRI_LAO="3")),
)
