"""Group C of the book: what was found and done in the visit (HB-20 … HB-37), without any price."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from events.health_book_content import (
    Coded,
    Diagnosis,
    Doctor,
    Drug,
    Note,
    Procedure,
    Result,
    ResultGroup,
    Visit,
)
from streams.domain.dossier.moments import day_of, instant_of
from streams.domain.privacy_fields import Row, Tables
from streams.domain.projection_values import (
    Names,
    care,
    coded,
    distinct,
    facility,
    number,
    split,
    text,
)

MOST_ACCOMPANYING = 12
SURGERY, PROCEDURE = "8", "18"
"""MA_NHOM of lines that are operations and procedures (codes/ma_nhom.csv)."""

LAST = datetime.max.replace(tzinfo=UTC)
T = TypeVar("T")


def visit(tables: Tables, facility_code: str, names: Names) -> Visit:
    """The visit as tables 1 to 5, 7 and 14 tell it."""
    xml1 = tables["XML1"][0]
    left = day_of(xml1.get("NGAY_RA", "")) or date.max
    return Visit(
        facility=facility(facility_code, names) or Coded(facility_code, None),
        care=care(xml1.get("MA_LOAI_KCB", ""), left),
        care_code=coded(xml1, "MA_LOAI_KCB", "ma_loai_kcb") or Coded("", None),
        admitted_at=instant_of(xml1.get("NGAY_VAO", "")),
        inpatient_from=instant_of(xml1.get("NGAY_VAO_NOI_TRU", "")),
        left_at=instant_of(xml1.get("NGAY_RA", "")),
        reason=text(xml1, "LY_DO_VV"),
        admission_diagnosis=text(xml1, "CHAN_DOAN_VAO"),
        discharge_diagnosis=diagnosis(xml1),
        discharge_state=coded(xml1, "MA_LOAI_RV", "ma_loai_rv"),
        treatment_result=coded(xml1, "KET_QUA_DTRI", "ket_qua_dtri"),
        treatment_days=number(xml1, "SO_NGAY_DTRI"),
        blood_group=text(xml1, "NHOM_MAU"),
        weight_kg=text(xml1, "CAN_NANG"),
        newborn_weights_g=split(xml1.get("CAN_NANG_CON", "")),
        results=results(tables.get("XML4", ()), tables.get("XML3", ())),
        drugs=drugs(tables.get("XML2", ())),
        procedures=procedures(tables.get("XML3", ())),
        procedure_codes=split(xml1.get("MA_PTTT_QT", "")),
        operation_notes=operation_notes(tables.get("XML5", ())),
        treatment=text(xml1, "PP_DIEU_TRI"),
        doctor=_doctor(tables),
    )


def diagnosis(row: Row) -> Diagnosis:
    """HB-26, HBR-06: the first main code is the main disease; codes between semicolons; at most twelve accompany it."""
    main = split(row.get("MA_BENH_CHINH", ""))
    return Diagnosis(
        text=text(row, "CHAN_DOAN_RV"),
        main=main[0] if main else None,
        accompanying=(*main[1:], *split(row.get("MA_BENH_KT", "")))[:MOST_ACCOMPANYING],
        traditional=split(row.get("MA_BENH_YHCT", "")),
    )


def results(rows: Sequence[Row], services: Iterable[Row]) -> tuple[ResultGroup, ...]:
    """HB-33: by service, named by table 3; services and their results in the order in which the results came."""
    names = {code: name for row in services if (code := text(row, "MA_DICH_VU")) and (name := text(row, "TEN_DICH_VU"))}
    # A test that was sent out has ".K." and the other facility behind its code in table 3 (RULES §3).
    names = {code.partition(".K.")[0]: name for code, name in names.items() if ".K." in code} | names
    ordered = sorted(rows, key=lambda row: instant_of(row.get("NGAY_KQ", "")) or LAST)
    groups: dict[str, list[Result]] = {}
    for row in ordered:
        groups.setdefault(row.get("MA_DICH_VU", "").strip(), []).append(_result(row))
    return tuple(ResultGroup(Coded(code, names.get(code)), tuple(found)) for code, found in groups.items())


def _result(row: Row) -> Result:
    return Result(
        code=text(row, "MA_CHI_SO"),
        name=text(row, "TEN_CHI_SO"),
        value=text(row, "GIA_TRI"),
        unit=text(row, "DON_VI_DO"),
        description=text(row, "MO_TA"),
        conclusion=text(row, "KET_LUAN"),
        resulted_at=instant_of(row.get("NGAY_KQ", "")),
        reader=text(row, "MA_BS_DOC_KQ"),
    )


def drugs(rows: Iterable[Row]) -> tuple[Drug, ...]:
    """HB-34: the same drug in the same dose on the same day is one line with the sum of its quantities."""
    merged: dict[tuple[date | None, tuple[str | None, ...]], list[str]] = {}
    for row in rows:
        if text(row, "TEN_THUOC"):
            what = tuple(text(row, name) for name in _DRUG)
            merged.setdefault((day_of(row.get("NGAY_YL", "")), what), []).append(row.get("SO_LUONG", "").strip())
    by_day = sorted(merged.items(), key=lambda item: item[0][0] or date.max)
    return tuple(_drug(day, what, _sum(quantities)) for (day, what), quantities in by_day)


_DRUG = ("TEN_THUOC", "HAM_LUONG", "DANG_BAO_CHE", "DUONG_DUNG", "LIEU_DUNG", "CACH_DUNG", "DON_VI_TINH")


def _drug(day: date | None, what: tuple[str | None, ...], quantity: str | None) -> Drug:
    name, strength, form, route, dose, usage, unit = what
    return Drug(day, name or "", strength, form, route, dose, usage, quantity, unit)


def _sum(quantities: Sequence[str]) -> str | None:
    """Decimal text without an exponent; one quantity stays as written; None when one of them is no number."""
    if len(quantities) == 1:
        return quantities[0] or None
    try:
        return f"{sum((Decimal(quantity) for quantity in quantities), Decimal(0)):f}"
    except InvalidOperation:
        return None


def procedures(rows: Iterable[Row]) -> tuple[Procedure, ...]:
    """HB-35: service lines that are operations or procedures, one for each service with every time it was done."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        code = row.get("MA_DICH_VU", "").strip()
        is_service = code and not row.get("MA_VAT_TU", "").strip()
        if is_service and (row.get("MA_PTTT_QT", "").strip() or row.get("MA_NHOM", "").strip() in (SURGERY, PROCEDURE)):
            groups.setdefault(code, []).append(row)
    return tuple(
        Procedure(
            service=Coded(code, _one(text(row, "TEN_DICH_VU") for row in group)),
            international_codes=distinct(member for row in group for member in split(row.get("MA_PTTT_QT", ""))),
            performed_at=tuple(sorted(at for row in group if (at := instant_of(_performed(row))))),
        )
        for code, group in groups.items()
    )


def _performed(row: Row) -> str:
    return row.get("NGAY_TH_YL", "").strip() or row.get("NGAY_YL", "")


def operation_notes(rows: Iterable[Row]) -> tuple[Note, ...]:
    """HB-35: what table 5 says about operations; no other note of it is shown."""
    return tuple(
        Note(instant_of(row.get("THOI_DIEM_DBLS", "")), found) for row in rows if (found := text(row, "PHAU_THUAT"))
    )


def _doctor(tables: Tables) -> Doctor | None:
    """HB-37: MA_TTDV is the head of the unit, not the doctor; so tables 7 (the patient's own paper) and 14."""
    patient = tables["XML1"][0].get("MA_BN", "")
    papers = [
        Doctor(text(row, "MA_BS"), text(row, "TEN_BS"))
        for row in tables.get("XML7", ())
        if row.get("MA_YTE", "") == patient
    ]
    papers += [Doctor(text(row, "MA_BAC_SI"), None) for row in tables.get("XML14", ())]
    return _one(doctor if doctor.licence or doctor.name else None for doctor in papers)


def _one(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)
