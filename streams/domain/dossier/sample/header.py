"""Table 1: the visit, the person, the totals."""

from streams.domain.dossier.sample.model import Row, Trait, day_text, moment_text
from streams.domain.dossier.sample.visit import Visit

ADVICE = "Uống thuốc theo đơn, nghỉ ngơi, tái khám khi có dấu hiệu bất thường"
TREATMENT = "Điều trị nội khoa theo phác đồ, theo dõi sinh hiệu, chế độ ăn phù hợp"


def header_row(visit: Visit, totals: Row, service_days: int) -> Row:
    """The one row of table 1; `service_days` are the distinct days with services (treatment days of care 08)."""
    illness, person = visit.illness, visit.person
    return {
        "MA_LK": visit.ma_lk,
        "STT": "1",
        **person.fields,
        **_card(visit),
        **(_ward(visit) if visit.care.stay else {}),
        "LY_DO_VV": illness.complaint,
        "CHAN_DOAN_VAO": illness.suspected,
        "CHAN_DOAN_RV": illness.diagnosis,
        "MA_BENH_CHINH": illness.code,
        "MA_BENH_KT": illness.accompanying,
        "MA_DOITUONG_KCB": visit.category,
        "MA_NOI_DI": visit.sent_by,
        "MA_NOI_DEN": visit.sent_to,
        "NGAY_VAO": moment_text(visit.admitted),
        "NGAY_RA": moment_text(visit.ended),
        "GIAY_CHUYEN_TUYEN": f"CT-{visit.ma_lk[-6:]}" if visit.sent_by else "",
        "SO_NGAY_DTRI": str(_treatment_days(visit, service_days)),
        "KET_QUA_DTRI": visit.result,
        "MA_LOAI_RV": visit.leaving,
        "GHI_CHU": ADVICE,
        # A long course ends later in the day (2359) than its bill is paid (X1-005W).
        "NGAY_TTOAN": "" if Trait.UNPAID in visit.traits else moment_text(visit.last),
        **totals,
        "NAM_QT": str(visit.ended.year),
        "THANG_QT": str(visit.ended.month),
        "MA_LOAI_KCB": visit.care.code,
        "MA_KHOA": ";".join(visit.departments),
        "MA_CSKCB": visit.facility,
        "NGAY_TAI_KHAM": day_text(visit.follow_up) if visit.follow_up else "",
        "MA_HSBA": f"BA{visit.ma_lk[-8:]}",
        "MA_TTDV": visit.head,
    }


def _card(visit: Visit) -> Row:
    card = visit.person.card
    if card is None:
        return {}
    return {
        "MA_THE_BHYT": card.number,
        "MA_DKBD": card.first_care,
        "GT_THE_TU": card.valid_from,
        "GT_THE_DEN": card.valid_to,
    }


def _ward(visit: Visit) -> Row:
    return {
        "LY_DO_VNT": "Cần theo dõi và điều trị tại khoa",
        "NGAY_VAO_NOI_TRU": moment_text(visit.admitted_to_ward),
        "PP_DIEU_TRI": TREATMENT,
    }


def _treatment_days(visit: Visit, service_days: int) -> int:
    """SO_NGAY_DTRI by X1-020 and X1-020W."""
    if visit.care.code in ("02", "03", "04", "05"):
        return visit.days
    return service_days if visit.care.code == "08" else 0
