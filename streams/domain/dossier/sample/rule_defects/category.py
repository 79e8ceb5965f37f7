"""X1 and NB: person, category and card."""

from streams.domain.dossier.sample.model import VisitKind
from streams.domain.dossier.sample.rows import (
    drop,
    keep,
    of,
    put,
    retotal,
)
from streams.domain.dossier.sample.rule_defects.ground import (
    EXAM,
    NO_CARD_COPIES,
    NO_CATEGORY_COPY,
    SMALL,
    UNINSURED,
    ground,
    level_again,
    rule,
    without_copies,
)

_COURSE = ground(VisitKind.OUTPATIENT_TREATMENT, care="05")
_MEDICINES = ground(VisitKind.APPOINTED_DRUGS)


DEFECTS = (
    rule("X1-008", "sent by itself", UNINSURED, put("XML1", MA_NOI_DI=of("MA_CSKCB"), GIAY_CHUYEN_TUYEN="CT-1")),
    rule("X1-012", "registered here, category 3.2", EXAM, put("XML1", MA_DOITUONG_KCB="3.2"), NO_CATEGORY_COPY),
    rule("X1-012W", "registered here, category 1.4", EXAM, put("XML1", MA_DOITUONG_KCB="1.4"), NO_CATEGORY_COPY),
    rule("X1-013", "category 1.1, registered elsewhere", EXAM, put("XML1", MA_DKBD="01998")),
    rule(
        "X1-014",
        "category 1.15 of an outpatient",
        EXAM,
        put("XML1", MA_DKBD="01998", MA_DOITUONG_KCB="1.15"),
        NO_CATEGORY_COPY,
    ),
    rule(
        "X1-015",
        "a newborn's category of a grown-up",
        EXAM,
        put("XML1", MA_DKBD="01998", MA_DOITUONG_KCB="1.7"),
        NO_CATEGORY_COPY,
    ),
    rule("X1-016", "a child's card of a grown-up", SMALL, put("XML1", MA_THE_BHYT="TE1990000000001"), NO_CARD_COPIES),
    rule(
        "X1-016W",
        "a child's card of a child of 6",
        SMALL,
        put("XML1", MA_THE_BHYT="TE1990000000001", NGAY_SINH=of("NGAY_VAO", days=-2400)),
        NO_CARD_COPIES,
        without_copies("NGAY_SINH"),
    ),
    rule(
        "X1-017",
        "a child pays a share",
        EXAM,
        put("XML1", MA_THE_BHYT="TE4990000000001", NGAY_SINH=of("NGAY_VAO", days=-1000)),
        NO_CARD_COPIES,
        without_copies("NGAY_SINH"),
        level_again("80"),
    ),
    rule("X1-020", "5 days of treatment in an examination", UNINSURED, put("XML1", SO_NGAY_DTRI="5")),
    rule("X1-020W", "1 day for a course of weeks", _COURSE, put("XML1", SO_NGAY_DTRI="1")),
    rule("X1-022", "a general examination", EXAM, put("XML1", MA_BENH_CHINH="Z00.0"), without_copies("MA_BENH_CHINH")),
    rule("X1-023", "a visit that costs nothing", _MEDICINES, drop("XML2"), retotal),
    rule("X1-024", "no examination", EXAM, keep("XML3", lambda row: row["MA_NHOM"] != "13"), retotal),
    rule("X1-025", "a region that means nothing", EXAM, put("XML1", MA_KHUVUC="K1")),
    rule("X1-026", "a reason without letters", UNINSURED, put("XML1", LY_DO_VV="123")),
    rule("NB-001", "no insurance, but a first-care facility", UNINSURED, put("XML1", MA_DKBD="01998")),
    rule(
        "NB-002",
        "category 1.1 without a card",
        SMALL,
        put("XML1", MA_THE_BHYT="", MA_DKBD="", GT_THE_TU="", GT_THE_DEN=""),
        NO_CARD_COPIES,
    ),
    rule("NB-003", "no insurance and no summary", UNINSURED, drop("XML8")),
    rule(
        "NB-004",
        "a child without insurance and number",
        UNINSURED,
        put("XML1", SO_CCCD="", NGAY_SINH=of("NGAY_VAO", days=-3000)),
    ),
    rule("NB-005", "no insurance, but the fund pays", UNINSURED, put("XML1", T_BHTT="100.00")),
    rule("NB-005W", "no insurance, but a co-payment", UNINSURED, put("XML1", T_BNCCT="5.00")),
)
