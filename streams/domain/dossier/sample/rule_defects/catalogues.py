"""CAT and history: a facility's own lists and other dossiers."""

from streams.domain.dossier.history import EarlierDossiers, History, serial_digest
from streams.domain.dossier.sample.rows import put
from streams.domain.dossier.sample.rule_defects.ground import EXAM, PROCEDURE, SICK, SUPPLY, TEST, UNINSURED, line, rule

DEFECTS = (
    rule("CAT-001", "another name than approved", EXAM, put("XML2", TEN_THUOC="Thuốc khác")),
    rule("CAT-002", "dearer than approved", EXAM, line("XML2", 0, DON_GIA="99999")),
    rule("CAT-003", "cheaper than approved", EXAM, line("XML2", 0, DON_GIA="1")),
    rule("CAT-004", "another name than approved", EXAM, put("XML3", TEST, TEN_DICH_VU="Dịch vụ khác")),
    rule("CAT-005", "another name than approved", EXAM, put("XML3", SUPPLY, TEN_VAT_TU="Vật tư khác")),
    rule("CAT-006", "somebody who does not work here", EXAM, put("XML3", PROCEDURE, NGUOI_THUC_HIEN="999999/KHAC")),
    rule("CAT-007", "a machine that is not here", EXAM, put("XML3", TEST, MA_MAY="HH.1.99999")),
    rule("CAT-008", "a result of a service that is not there", EXAM, put("XML4", MA_DICH_VU="99.9998")),
    rule(
        "LNK-003",
        "MA_LK of another visit",
        UNINSURED,
        put("XML1"),
        earlier=EarlierDossiers(History("another patient", "20200101")),
    ),
    rule("LNK-005", "another patient at the check-in", UNINSURED, put("XML1"), checkin={"MA_BN": "KHAC"}),
    rule(
        "X11-006",
        "a serial that was used before",
        SICK,
        put("XML11", SO_SERI="NV-CU"),
        earlier=EarlierDossiers(None, frozenset({serial_digest("01999", "NV-CU")})),
    ),
)
