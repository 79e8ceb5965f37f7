"""FMT: values of a wrong form."""

from streams.domain.dossier.sample.model import Trait
from streams.domain.dossier.sample.rows import (
    day_of,
    put,
)
from streams.domain.dossier.sample.rule_defects.ground import (
    AGAIN,
    BED,
    BIRTH,
    EXAM,
    NO_CARD_COPIES,
    STAY,
    SUPPLY,
    TEST,
    ground,
    rule,
)

DEFECTS = (
    rule("FMT-005", "a card ends in a letter", EXAM, put("XML1", MA_THE_BHYT="DN499000000001X")),
    rule("FMT-006", "a facility code has 4 characters", EXAM, put("XML1", MA_DKBD="0199")),
    rule("FMT-007", "a social insurance number is all zero", STAY, put("XML7", MA_ME="0000000000")),
    rule("FMT-008", "a temporary card begins with another letter", BIRTH, put("XML9", MA_THE_TAM="DN1019900000001")),
    rule("FMT-012", "a tender of a medicine has no group", EXAM, put("XML2", TT_THAU="01/QĐ;G1;2026")),
    rule("FMT-013", "a tender of a supply has no year", EXAM, put("XML3", SUPPLY, TT_THAU="01/QĐ-TEST;G1")),
    rule("FMT-014", "a package is GX", EXAM, put("XML3", SUPPLY, GOI_VTYT="GX")),
    rule("FMT-015", "a bed begins with X", STAY, put("XML3", BED, MA_GIUONG="X012")),
    rule("FMT-016", "a machine has source 9", EXAM, put("XML3", TEST, MA_MAY="HH.9.00001")),
    rule("FMT-017", "a medicine comes from Z.01999", EXAM, put("XML2", MA_CSKCB_THUOC="Z.01999")),
    rule("FMT-018", "a list of staff has an empty part", EXAM, put("XML3", TEST, NGUOI_THUC_HIEN="000001/A;;000002/B")),
    rule("FMT-019", "a flag is 2", EXAM, put("XML2", VET_THUONG_TP="2")),
    rule("FMT-020", "the weight is 0", EXAM, put("XML1", CAN_NANG="0")),
    rule("FMT-020W", "the weight is 250 kg", EXAM, put("XML1", CAN_NANG="250")),
    rule("FMT-021", "a child weighs nothing", EXAM, put("XML1", CAN_NANG_CON="3200;0")),
    rule("FMT-022", "a dosage is free text", EXAM, put("XML2", LIEU_DUNG="uống theo đơn")),
    rule("FMT-023", "two main diseases", EXAM, put("XML1", MA_BENH_CHINH="I10;J02")),
    rule("FMT-024", "an empty accompanying disease", EXAM, put("XML1", MA_BENH_KT="I10;;E11")),
    rule("FMT-025", "the re-examination is before the visit", AGAIN, put("XML1", NGAY_TAI_KHAM="20250101")),
    rule(
        "FMT-025W",
        "the re-examination is on the day itself",
        ground(insured=False, traits=[Trait.REEXAM]),
        put("XML1", NGAY_TAI_KHAM=day_of("NGAY_RA")),
    ),
    rule(
        "FMT-026",
        "exempt from a 13th month on",
        EXAM,
        put("XML1", NGAY_MIEN_CCT="20261301", NAM_NAM_LIEN_TUC="20200101"),
    ),
    rule("FMT-028", "a number in place of the card", EXAM, put("XML1", MA_THE_BHYT="9912345678"), NO_CARD_COPIES),
)
