"""Papers and programme tables against the summary."""

from streams.domain.dossier.sample.rows import (
    Rows,
    copy_row,
    day_of,
    drop,
    of,
    put,
)
from streams.domain.dossier.sample.rule_defects.ground import (
    AGAIN,
    BIRTH,
    DAY,
    EXAM,
    HIV,
    PREGNANT,
    REFERRED,
    SICK,
    STAY,
    TB,
    UNINSURED,
    rule,
    without_copies,
)


def _sick_paper_beside_the_discharge_paper(rows: Rows) -> None:
    one, paper = rows["XML1"][0], rows["XML7"][0]
    rows["XML11"] = [
        {
            "MA_LK": one["MA_LK"],
            "SO_CT": "1",
            "SO_SERI": "NV1",
            "SO_KCB": "1",
            "DON_VI": "Công ty Thử Nghiệm",
            "MA_BHXH": one["MA_THE_BHYT"][-10:],
            "CHAN_DOAN_RV": one["CHAN_DOAN_RV"],
            "PP_DIEUTRI": one["PP_DIEU_TRI"],
            "SO_NGAY_NGHI": "2",
            "TU_NGAY": one["NGAY_RA"][:8],
            "DEN_NGAY": paper["NGOAITRU_TUNGAY"],
            "MA_TTDV": one["MA_TTDV"],
            "MA_BS": paper["MA_BS"],
            "NGAY_CT": one["NGAY_RA"][:8],
        }
    ]


DEFECTS = (
    rule("X5-002", "day treatment without notes", DAY, drop("XML5")),
    rule("X6-001", "another address in table 6", HIV, put("XML6", DIA_CHI="Nơi khác")),
    rule("X6-004", "HIV without table 6", UNINSURED, put("XML1", MA_BENH_KT="Z21")),
    rule("X7-001", "a stay without discharge paper", DAY, drop("XML7")),
    rule("X7-002", "another patient's discharge paper", STAY, put("XML7", MA_YTE="KHAC")),
    rule("X7-003", "discharged by a department where nobody was", STAY, put("XML7", MA_KHOA_RV="K15")),
    rule("X7-003W", "discharged by the first department", STAY, put("XML7", MA_KHOA_RV="K01")),
    rule("X7-005", "43 weeks of pregnancy", STAY, put("XML7", TUOI_THAI="43")),
    rule("X8-001", "day treatment without summary", DAY, drop("XML8")),
    rule("X8-002", "a summary that nobody asked for", EXAM, put("XML8"), xml8_every_visit=False),
    rule("X8-003", "another result in the summary", UNINSURED, put("XML8", KET_QUA_DTRI="1")),
    rule("X8-004", "another diagnosis in the summary", UNINSURED, put("XML8", CHAN_DOAN_RV="Chẩn đoán khác")),
    rule("X8-005", "a summary of 4 characters", UNINSURED, put("XML8", TOMTAT_KQ="Ngắn")),
    rule("X9-001", "no child at all", BIRTH, put("XML9", SO_CON="0")),
    rule("X9-003", "surgery that the note does not name", BIRTH, put("XML9", SINHCON_PHAUTHUAT="1")),
    rule("X10-003", "leave that is not for pregnancy", PREGNANT, put("XML10", CHAN_DOAN_RV=of("CHAN_DOAN_RV"))),
    rule("X10-004", "another diagnosis on the paper", PREGNANT, put("XML10", CHAN_DOAN_RV="Nghỉ dưỡng thai")),
    rule("X10-005", "a man's pregnancy", PREGNANT, put("XML1", GIOI_TINH="1"), without_copies("GIOI_TINH")),
    rule("X11-001", "31 days off", SICK, put("XML11", SO_NGAY_NGHI="31", DEN_NGAY=of("TU_NGAY", "XML11", days=30))),
    rule("X11-004", "another card on the paper", SICK, put("XML11", MA_THE_BHYT="DN4990000000009")),
    rule("X11-004W", "another number on the paper", SICK, put("XML11", MA_BHXH="9900000009")),
    rule("X11-005", "another diagnosis on the paper", SICK, put("XML11", CHAN_DOAN_RV="Chẩn đoán khác")),
    rule("X11-007", "one absence, two papers", STAY, _sick_paper_beside_the_discharge_paper),
    rule("X13-001", "a transfer without referral", REFERRED, drop("XML13")),
    rule("X13-002", "another address on the referral", REFERRED, put("XML13", DIA_CHI="Nơi khác")),
    rule("X13-003", "referred elsewhere", REFERRED, put("XML13", MA_CSKCB_DEN="01997")),
    rule("X13-004", "a referral of another stay", REFERRED, put("XML13", NGAY_VAO="202601010000")),
    rule("X14-001", "an appointment without paper", AGAIN, drop("XML14")),
    rule("X14-002", "a paper of another day", AGAIN, put("XML14", NGAY_HEN_KL=day_of("NGAY_HEN_KL", "XML14", days=1))),
    rule("X14-002W", "two papers for one day", AGAIN, copy_row("XML14")),
    rule("X14-005", "another address on the paper", AGAIN, put("XML14", DIA_CHI="Nơi khác")),
    rule("X15-001", "another patient in table 15", TB, put("XML15", MA_BN="KHAC")),
    rule("X15-003", "tuberculosis without table 15", UNINSURED, put("XML1", MA_BENH_KT="A15.0")),
)
