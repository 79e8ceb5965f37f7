"""X: moments in the wrong order."""

from streams.domain.dossier.sample.model import VisitKind
from streams.domain.dossier.sample.rows import (
    Rows,
    day_of,
    find,
    of,
    put,
)
from streams.domain.dossier.sample.rule_defects.ground import (
    AGAIN,
    BIRTH,
    DAY,
    EXAM,
    HIV,
    NO_CARD_COPIES,
    PREGNANT,
    PROCEDURE,
    SICK,
    STAY,
    TB,
    TEST,
    UNINSURED,
    ground,
    rule,
    without_copies,
)

_COURSE_UNINSURED = ground(VisitKind.OUTPATIENT_TREATMENT, care="05", insured=False)
_DAYS_OF_SERVICE = ground(VisitKind.OUTPATIENT_TREATMENT, care="08")


def _results_as_in_xml3(rows: Rows) -> None:
    """Table 4 follows the first test of table 3; further services of that code would need results of their own."""
    test = find(rows, "XML3", TEST)
    for row in rows["XML4"]:
        if row["MA_DICH_VU"] == test["MA_DICH_VU"]:
            row["NGAY_KQ"] = test["NGAY_KQ"]


DEFECTS = (
    rule(
        "X1-001",
        "left before the arrival",
        UNINSURED,
        put("XML1", NGAY_RA=of("NGAY_VAO", minutes=-30)),
        put("XML8", NGAY_RA=of("NGAY_RA"), NGAY_CT=day_of("NGAY_RA")),
    ),
    rule(
        "X1-002",
        "on the ward before the arrival",
        STAY,
        put("XML1", NGAY_VAO_NOI_TRU=of("NGAY_VAO", minutes=-5)),
        without_copies("NGAY_VAO_NOI_TRU"),
    ),
    rule("X1-004", "born after the arrival", UNINSURED, put("XML1", NGAY_SINH=of("NGAY_VAO", days=1))),
    rule("X1-005", "paid before leaving", UNINSURED, put("XML1", NGAY_TTOAN=of("NGAY_RA", minutes=-1))),
    rule(
        "X1-005W",
        "a course paid before the arrival",
        _COURSE_UNINSURED,
        put("XML1", NGAY_TTOAN=of("NGAY_VAO", days=-1)),
    ),
    rule(
        "X1-006",
        "a card ends before it begins",
        EXAM,
        put("XML1", GT_THE_TU="20260101", GT_THE_DEN="20251231"),
        NO_CARD_COPIES,
    ),
    rule(
        "X1-007",
        "a card of next year",
        EXAM,
        put("XML1", GT_THE_TU="20270101", GT_THE_DEN="20271231"),
        NO_CARD_COPIES,
    ),
    rule("X1-009", "a 13th month", UNINSURED, put("XML1", THANG_QT="13")),
    rule("X1-009W", "settled in the year before", UNINSURED, put("XML1", NAM_QT="2025", THANG_QT="12")),
    rule(
        "X1-018",
        "a course that ends at 23:58",
        _COURSE_UNINSURED,
        put("XML1", NGAY_RA=of("NGAY_RA", minutes=-1)),
        put("XML8", NGAY_RA=of("NGAY_RA")),
    ),
    rule(
        "X1-021",
        "an examination of 2 minutes",
        UNINSURED,
        put("XML1", NGAY_VAO=of("NGAY_RA", minutes=-2)),
        put("XML8", NGAY_VAO=of("NGAY_VAO")),
    ),
    rule("X1-027", "exempt without five years", EXAM, put("XML1", NGAY_MIEN_CCT="20260101")),
    rule("X2-001", "a medicine ordered before the arrival", EXAM, put("XML2", NGAY_YL=of("NGAY_VAO", minutes=-5))),
    rule("X2-002", "given before it was ordered", EXAM, put("XML2", NGAY_TH_YL=of("NGAY_YL", "XML2", minutes=-1))),
    rule("X2-003", "given after leaving", EXAM, put("XML2", NGAY_TH_YL=of("NGAY_RA", minutes=1))),
    rule(
        "X3-001",
        "a service ordered before the arrival",
        EXAM,
        put("XML3", PROCEDURE, NGAY_YL=of("NGAY_VAO", minutes=-5)),
    ),
    rule(
        "X3-002",
        "done before it was ordered",
        EXAM,
        put("XML3", PROCEDURE, NGAY_TH_YL=of("NGAY_YL", "XML3", PROCEDURE, minutes=-1)),
    ),
    rule(
        "X3-003",
        "a procedure that ends after leaving",
        EXAM,
        put("XML3", PROCEDURE, NGAY_KQ=of("NGAY_RA", minutes=1)),
    ),
    rule(
        "X3-003W",
        "a test after leaving",
        EXAM,
        put("XML3", TEST, NGAY_TH_YL=of("NGAY_RA", minutes=1), NGAY_KQ=of("NGAY_RA", minutes=30)),
        _results_as_in_xml3,
    ),
    rule(
        "X3-004",
        "a result after a minute",
        EXAM,
        put("XML3", TEST, NGAY_TH_YL=of("NGAY_KQ", "XML3", TEST, minutes=-1)),
    ),
    rule(
        "X3-005",
        "a result after 8 days",
        _DAYS_OF_SERVICE,
        put("XML3", TEST, NGAY_KQ=of("NGAY_YL", "XML3", TEST, days=8)),
        _results_as_in_xml3,
    ),
    rule(
        "X4-001",
        "a result of before the arrival",
        EXAM,
        put("XML4", MA_DICH_VU="", NGAY_KQ=of("NGAY_VAO", minutes=-5)),
    ),
    rule("X5-001", "a note after leaving", DAY, put("XML5", THOI_DIEM_DBLS=of("NGAY_RA", minutes=1))),
    rule("X6-002", "tested after the result", HIV, put("XML6", NGAY_XN_PCR="20260202", NGAY_KQ_XN_PCR="20260201")),
    rule("X6-003", "more days of medicine than of treatment", HIV, put("XML6", SO_NGAY_CAP_THUOC_ARV="31")),
    rule("X7-004", "a paper of the day before", STAY, put("XML7", NGAY_CT=day_of("NGAY_RA", days=-1))),
    rule(
        "X7-006",
        "off from two days later",
        STAY,
        put("XML7", NGOAITRU_TUNGAY=day_of("NGAY_RA", days=2), NGOAITRU_DENNGAY=day_of("NGAY_RA", days=4)),
    ),
    rule("X7-007", "5 days off that are 3", STAY, put("XML7", SO_NGAY_NGHI="5")),
    rule("X8-006", "a summary of the day before", UNINSURED, put("XML8", NGAY_CT=day_of("NGAY_RA", days=-1))),
    rule("X9-002", "born before the arrival", BIRTH, put("XML9", NGAY_SINH_CON=of("NGAY_VAO", minutes=-30))),
    rule("X9-004", "a paper of before the birth", BIRTH, put("XML9", NGAY_CT=day_of("NGAY_SINH_CON", "XML9", days=-1))),
    rule("X10-001", "9 days off that are 7", PREGNANT, put("XML10", SO_NGAY="9")),
    rule(
        "X10-002",
        "leave from after the visit",
        PREGNANT,
        put("XML10", TU_NGAY=day_of("NGAY_RA", days=1), DEN_NGAY=day_of("NGAY_RA", days=7)),
    ),
    rule("X11-002", "5 days off that are 3", SICK, put("XML11", SO_NGAY_NGHI="5")),
    rule(
        "X11-003",
        "off from after the visit",
        SICK,
        put("XML11", TU_NGAY=day_of("NGAY_RA", days=1), DEN_NGAY=day_of("NGAY_RA", days=3)),
    ),
    rule(
        "X11-003W",
        "off from before the visit",
        SICK,
        put("XML11", TU_NGAY=day_of("NGAY_VAO", days=-1), DEN_NGAY=day_of("NGAY_VAO", days=1)),
    ),
    rule(
        "X14-003",
        "an appointment before leaving",
        AGAIN,
        put("XML14", NGAY_HEN_KL=day_of("NGAY_RA", days=-1)),
        also=frozenset({"X14-002"}),
    ),
    rule(
        "X14-003W",
        "an appointment on the day of leaving",
        AGAIN,
        put("XML1", NGAY_TAI_KHAM=day_of("NGAY_RA")),
        put("XML14", NGAY_HEN_KL=day_of("NGAY_RA")),
        also=frozenset({"FMT-025W"}),
    ),
    rule("X14-004", "a paper of before the arrival", AGAIN, put("XML14", NGAY_CT=day_of("NGAY_VAO", days=-1))),
    rule(
        "X15-002",
        "ended before it began",
        TB,
        put("XML15", NGAYKT_DTRI_LAO=day_of("NGAYBD_DTRI_LAO", "XML15", days=-1)),
    ),
    rule("X15-002W", "a result without an end", TB, put("XML15", KET_QUA_DTRI_LAO="1")),
)
