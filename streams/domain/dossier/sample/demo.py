"""The visits that `make run` hands over: several facilities, every visit type, every outcome (docs/samples.md)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from streams.domain.dossier.sample.build import new_dossier
from streams.domain.dossier.sample.defects import BY_NAME, defective_dossier
from streams.domain.dossier.sample.edits import in_table, put
from streams.domain.dossier.sample.model import Expected, Sample, Trait, VisitKind, chance
from streams.domain.dossier.sample.write import cdata

FACILITIES = ("01999", "48999", "79999")
"""Invented facilities in Hà Nội, Đà Nẵng and Hồ Chí Minh City."""

_SPECIAL: tuple[tuple[VisitKind, bool, tuple[Trait, ...]], ...] = (
    (VisitKind.OUTPATIENT_TREATMENT, True, (Trait.HIV,)),
    (VisitKind.EXAM, True, (Trait.TB,)),
    (VisitKind.INPATIENT, True, (Trait.NEWBORN,)),
    (VisitKind.INPATIENT, False, (Trait.NEWBORN,)),
    (VisitKind.EXAM, False, (Trait.FOREIGNER,)),
    (VisitKind.EXAM, False, (Trait.NO_CITIZEN_NUMBER,)),
    (VisitKind.INPATIENT, True, (Trait.REFERRAL,)),
    (VisitKind.EXAM, True, (Trait.REEXAM,)),
)
_DEFECTS = (
    "not-xml",
    "unknown-element",
    "ma-lk-mismatch",
    "missing-required-field",
    "bad-date",
    "control-character",
    "bad-citizen-number",
)


def samples(facilities: Sequence[str], seed: int, now: datetime) -> list[Sample]:
    """The demonstration, in the order in which it should be handed over; closed within the last hours before `now`.

    Six visit types with and without insurance, special cases, one correction (the same MA_LK twice, the first one
    superseded), and visits with one defect each. Visits go round the facilities. `now` is 2026-06-19 or later, since
    when remote care has a code.
    """
    rng = chance(seed, "demonstration")
    found: list[Sample] = []

    def closed_at() -> datetime:
        return now - timedelta(minutes=rng.randrange(5, 180))

    def facility() -> str:
        return facilities[len(found) % len(facilities)]

    ordinary = [(kind, insured, ()) for kind in VisitKind for insured in (True, False)]
    for kind, insured, traits in (*ordinary, *_SPECIAL):
        found.append(
            new_dossier(
                seed + len(found),
                facility=facility(),
                kind=kind,
                insured=insured,
                discharged_at=closed_at(),
                traits=traits,
            )
        )
    found += _correction(seed + len(found), facility(), closed_at())
    for name in _DEFECTS:
        found.append(
            defective_dossier(BY_NAME[name], seed + len(found), facility=facility(), discharged_at=closed_at())
        )
    return found


def _correction(seed: int, facility: str, closed_at: datetime) -> tuple[Sample, Sample]:
    """An examination, and the same dossier sent again in full with other advice."""
    first = new_dossier(seed, facility=facility, kind=VisitKind.EXAM, insured=True, discharged_at=closed_at)
    advice = put("GHI_CHU", cdata("Đã sửa lời dặn: tái khám sau bảy ngày hoặc khi sốt trở lại"))
    second = in_table("XML8", advice)(in_table("XML1", advice)(first))
    return replace(first, expected=Expected.SUPERSEDED), second
