"""Values of the wrong type, too long or with white space."""

from streams.domain.dossier.sample.model import Trait
from streams.domain.dossier.sample.rows import (
    put,
)
from streams.domain.dossier.sample.rule_defects.ground import EXAM, UNINSURED, ground, rule

DEFECTS = (
    rule("ENV-013W", "a blood group of 6 characters", UNINSURED, put("XML1", NHOM_MAU="AB+ABC")),
    rule("ENV-014", "a blank in the patient's number", UNINSURED, put("XML1", MA_BN="BN 1")),
    rule("ENV-014W", "a blank behind a name", EXAM, put("XML2", TEN_THUOC="Thuốc mẫu thử ")),
    rule("FMT-003", "born in a 13th month", UNINSURED, put("XML1", NGAY_SINH="199013010000")),
    rule("FMT-003W", "born on an unknown day of a known month", UNINSURED, put("XML1", NGAY_SINH="199005000000")),
    rule(
        "FMT-004W",
        "a passport of 5 characters",
        ground(insured=False, traits=[Trait.FOREIGNER]),
        put("XML1", SO_CCCD="AB123"),
    ),
    rule("FMT-009", "a comma in an amount", UNINSURED, put("XML1", CAN_NANG="60,5")),
    rule("FMT-010", "a price with 4 decimals", EXAM, put("XML2", DON_GIA="420.0001")),
    rule("FMT-011", "an amount with 3 decimals", UNINSURED, put("XML1", T_BHTT_GDV="0.001")),
    rule("FMT-029", "a number with a sign", UNINSURED, put("XML1", SO_NGAY_DTRI="+1")),
)
