"""Groups D and E of the book: the summary a doctor wrote (table 8), and the papers beside the book (HB-38 … HB-48)."""

from collections.abc import Iterator
from datetime import datetime

from events.health_book_content import Birth, Diagnosis, Doctor, Paper, PaperKind, Referral, Summary
from streams.domain.dossier.moments import day_of, instant_of
from streams.domain.privacy_fields import Row, Tables
from streams.domain.projection_values import Names, coded, days, facility, first, number, split, text
from streams.domain.projection_visit import diagnosis

YES = "1"


def summary(tables: Tables) -> Summary | None:
    """HB-38 … HB-43. The appointed days stand in table 1, else in the papers of table 14."""
    xml8: Row = next(iter(tables.get("XML8", ())), {})
    appointed = days(tables["XML1"][0].get("NGAY_TAI_KHAM", ""))
    if not appointed:
        appointed = tuple(day for row in tables.get("XML14", ()) for day in days(row.get("NGAY_HEN_KL", "")))
    if not xml8 and not appointed:
        return None
    return Summary(
        course=text(xml8, "QT_BENHLY"),
        results=text(xml8, "TOMTAT_KQ"),
        treatment=text(xml8, "PP_DIEUTRI"),
        advice=text(xml8, "GHI_CHU"),
        re_examination_on=appointed,
        admission_diagnosis=text(xml8, "CHAN_DOAN_VAO"),
        discharge_diagnosis=text(xml8, "CHAN_DOAN_RV"),
        treatment_result=coded(xml8, "KET_QUA_DTRI", "ket_qua_dtri"),
    )


def papers(tables: Tables, names: Names) -> tuple[Paper, ...]:
    """Every paper of the visit, in the order of the tables."""
    return tuple(_papers(tables, names))


def _papers(tables: Tables, names: Names) -> Iterator[Paper]:
    for row in tables.get("XML7", ()):
        yield _paper(
            PaperKind.DISCHARGE, row, number_from="SO_LUU_TRU", start="NGOAITRU_TUNGAY", end="NGOAITRU_DENNGAY"
        )
    for row in tables.get("XML9", ()):
        yield _paper(PaperKind.BIRTH, row, number_from="SO", birth=_birth(row))
    for row in tables.get("XML10", ()):
        yield _paper(PaperKind.PREGNANCY_LEAVE, row, number_from="SO_SERI")
    for row in tables.get("XML11", ()):
        yield _paper(PaperKind.SICK_LEAVE, row, number_from="SO_SERI")
    for row in tables.get("XML13", ()):
        yield _paper(PaperKind.REFERRAL, row, number_from="SO_CHUYENTUYEN", referral=_referral(row, names))
    for row in tables.get("XML14", ()):
        yield _paper(PaperKind.RE_EXAMINATION, row, number_from="SO_GIAYHEN_KL")


def _paper(
    kind: PaperKind,
    row: Row,
    *,
    number_from: str,
    start: str = "TU_NGAY",
    end: str = "DEN_NGAY",
    referral: Referral | None = None,
    birth: Birth | None = None,
) -> Paper:
    """What every paper may have: a field that its table does not know reads as empty."""
    signer = Doctor(first(row, "MA_BS", "MA_BAC_SI"), text(row, "TEN_BS"))
    return Paper(
        kind=kind,
        number=text(row, number_from),
        issued_on=day_of(row.get("NGAY_CT", "")),
        department=text(row, "MA_KHOA_RV"),
        admitted_at=_moment(row.get("NGAY_VAO", "")),
        left_at=_moment(row.get("NGAY_RA", "")),
        diagnosis=diagnosis(row) if kind is not PaperKind.BIRTH else Diagnosis(None, None, (), ()),
        treatment=text(row, "PP_DIEUTRI"),
        note=text(row, "GHI_CHU"),
        valid_from=day_of(row.get(start, "")),
        valid_to=day_of(row.get(end, "")),
        days=number(row, "SO_NGAY_NGHI") or number(row, "SO_NGAY"),
        appointment_on=day_of(row.get("NGAY_HEN_KL", "")),
        arrival_category=text(row, "MA_DOITUONG_KCB"),
        doctor=signer if signer.licence or signer.name else None,
        referral=referral,
        birth=birth,
    )


def _moment(value: str) -> datetime | None:
    """A referral may name earlier stays before its own: the last of the list is this one."""
    return instant_of((split(value) or ("",))[-1])


def _referral(row: Row, names: Names) -> Referral:
    """HB-45; decision 4750 called the facilities MA_NOI_DI and MA_NOI_DEN (ENVELOPE §6)."""
    return Referral(
        file_number=text(row, "SO_HOSO"),
        from_facilities=split(first(row, "MA_CSKCB_DI", "MA_NOI_DI") or ""),
        to_facility=facility(first(row, "MA_CSKCB_DEN", "MA_NOI_DEN") or "", names),
        signs=text(row, "DAU_HIEU_LS"),
        course=text(row, "QT_BENHLY"),
        results=text(row, "TOMTAT_KQ"),
        condition=text(row, "TINH_TRANG_CT"),
        reason=coded(row, "MA_LYDO_CT", "ma_lydo_ct"),
        plan=text(row, "HUONG_DIEU_TRI"),
        transport=text(row, "PHUONGTIEN_VC"),
    )


def _birth(row: Row) -> Birth:
    return Birth(
        book_number=text(row, "QUYEN_SO"),
        child_name=text(row, "HO_TEN_CON"),
        sex=coded(row, "GIOI_TINH_CON", "gioi_tinh"),
        born_at=instant_of(row.get("NGAY_SINH_CON", "")),
        weight_g=text(row, "CAN_NANG_CON"),
        place=text(row, "NOI_SINH_CON"),
        condition=text(row, "TINH_TRANG_CON"),
        children=number(row, "SO_CON"),
        delivery=number(row, "LAN_SINH"),
        living_children=number(row, "SO_CON_SONG"),
        by_surgery=row.get("SINHCON_PHAUTHUAT", "").strip() == YES,
        before_32_weeks=row.get("SINHCON_DUOI32TUAN", "").strip() == YES,
        midwife=text(row, "NGUOI_DO_DE"),
    )
