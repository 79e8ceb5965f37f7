"""The kinds of care that samples know, and which visits there can be."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date, timedelta

from streams.domain.dossier.sample.model import FIRST_DAY, NEWBORNS, REMOTE_CARE_FROM, Trait, VisitKind


@dataclass(frozen=True, slots=True)
class Care:
    """One MA_LOAI_KCB, as samples use it."""

    code: str
    kind: VisitKind
    span: timedelta
    ends_with_day: bool = False
    """NGAY_RA is 2359 of the last day (X1-018)."""
    drugs_only: bool = False
    bed: str | None = None
    """MA_NHOM of its bed line."""
    stay: bool = False
    """LY_DO_VNT, NGAY_VAO_NOI_TRU, PP_DIEU_TRI and table 7 are demanded (REQ-005, X7-001)."""
    notes: bool = False
    """Table 5 is demanded of an insured patient (X5-002)."""


CARES = (
    Care("01", VisitKind.EXAM, timedelta(hours=3)),
    Care("02", VisitKind.OUTPATIENT_TREATMENT, timedelta(days=4, hours=2), ends_with_day=True, notes=True),
    Care("05", VisitKind.OUTPATIENT_TREATMENT, timedelta(days=27), ends_with_day=True, drugs_only=True, notes=True),
    Care("08", VisitKind.OUTPATIENT_TREATMENT, timedelta(days=9, hours=2), notes=True),
    Care("07", VisitKind.APPOINTED_DRUGS, timedelta(minutes=30), ends_with_day=True, drugs_only=True),
    Care("03", VisitKind.INPATIENT, timedelta(days=3, hours=5), bed="15", stay=True, notes=True),
    Care("09", VisitKind.INPATIENT, timedelta(hours=3, minutes=20), stay=True, notes=True),
    Care("04", VisitKind.DAY, timedelta(hours=8), bed="14", stay=True, notes=True),
    Care("14", VisitKind.REMOTE, timedelta(minutes=45), drugs_only=True),
)
BY_CODE: Mapping[str, Care] = {care.code: care for care in CARES}

_NEVER_OF_A_NEWBORN = frozenset({Trait.BIRTH, Trait.PREGNANCY_LEAVE, Trait.SICK_LEAVE, Trait.HIV, Trait.TB})
_OF_ANYBODY = frozenset({Trait.UNIDENTIFIED, Trait.REFERRAL, Trait.REEXAM, Trait.UNPAID})
_CONTRADICTIONS = (
    (Trait.BIRTH, Trait.NO_CITIZEN_NUMBER, "the birth certificate (table 9) needs the mother's number"),
    (Trait.BIRTH, Trait.PREGNANCY_LEAVE, "after a birth there is no pregnancy to keep"),
    (Trait.SICK_LEAVE, Trait.PREGNANCY_LEAVE, "one absence has one paper: table 10 or table 11"),
    (Trait.REFERRAL, Trait.REEXAM, "who is sent on to another facility gets no appointment here"),
)
_WITH_CARD = {
    Trait.SICK_LEAVE: "sick leave (table 11) is for insured patients",
    Trait.PREGNANCY_LEAVE: "leave to keep a pregnancy (table 10) is for insured patients",
    Trait.NO_SUMMARY: "without BHYT tables 1 and 8 are the least that is sent (NB-003)",
}
_WITHOUT_CARD = {
    **dict.fromkeys(NEWBORNS - {Trait.NEWBORN}, "a newborn with a card goes by its own name (trait newborn)"),
    Trait.UNIDENTIFIED: "nobody knows the card of a patient without identity",
}
_EMERGENCY = frozenset({VisitKind.EXAM, VisitKind.INPATIENT})
_SUMMARY_DEMANDED = frozenset({"03", "04"})


def objection(care: Care, insured: bool, traits: Set[Trait], day: date) -> str | None:
    """Why there could be no such visit that ends on the day; None when there could."""
    return next(_objections(care, insured, traits, day), None)


def _objections(care: Care, insured: bool, traits: Set[Trait], day: date) -> Iterator[str]:
    yield from (why for one, other, why in _CONTRADICTIONS if {one, other} <= traits)
    if len(NEWBORNS & traits) > 1:
        yield "a newborn goes by one name"
    if NEWBORNS & traits and _NEVER_OF_A_NEWBORN & traits:
        yield f"a newborn has no {min(_NEVER_OF_A_NEWBORN & traits)}"
    if Trait.UNIDENTIFIED in traits and not traits <= _OF_ANYBODY:
        yield f"of a patient without identity nobody knows {min(traits - _OF_ANYBODY)}"
    yield from (why for trait, why in (_WITHOUT_CARD if insured else _WITH_CARD).items() if trait in traits)
    if Trait.BIRTH in traits and not care.stay:
        yield "a birth is a stay: inpatient or day treatment"
    if Trait.SICK_LEAVE in traits and care.stay:
        yield "after a stay the discharge paper (table 7) gives the days off"
    if Trait.UNIDENTIFIED in traits and care.kind not in _EMERGENCY:
        yield "an emergency is an examination or a stay on a ward"
    if Trait.NO_SUMMARY in traits and care.code in _SUMMARY_DEMANDED:
        yield f"care {care.code} always needs its summary (X8-001)"
    if day < FIRST_DAY:
        yield f"samples end on {FIRST_DAY} or later: QĐ 130, the oldest standard, is of that day"
    if care.kind is VisitKind.REMOTE and day < REMOTE_CARE_FROM:
        yield f"remote care has a code only since {REMOTE_CARE_FROM} (QĐ 1804/2026)"
