"""What the hospitals close during a run: a pure function of a seed, so that a HIS that was killed can go on."""

import random
from collections.abc import Iterator
from datetime import datetime

from streams.domain.dossier.sample import (
    BY_NAME,
    Expected,
    Sample,
    VisitKind,
    new_dossier,
    table_files,
)
from streams.domain.dossier.sample.edits import in_table, put
from streams.domain.dossier.sample.write import cdata
from tests.faults.order import Act

_ROWS = 12
_CORRECTED, _CORRECTED_AGAIN, _DEFECTIVE = 0.45, 0.35, 0.08
_NUMBERED_BY_HIS, _INSURED = 0.5, 0.8
_GAPS = (1, 1, 1, 2, 3, 6, 12, 40)
"""Closings of the same facility between a revision and the next: mostly while the first is still in flight."""


def acts(seed: int, count: int, facility: str, discharged_at: datetime) -> Iterator[Act]:
    """The hand-overs of one facility in their order; the same arguments give the same bytes."""
    dice = random.Random(f"workload/{seed}/{facility}")
    waiting: list[tuple[int, Sample, int, int | None]] = []  # due, dossier, how often it was corrected, revision
    visits = 0
    for number in range(count):
        due = next((item for item in waiting if item[0] <= number), None)
        if due is not None:
            waiting.remove(due)
            _, sample, corrected, revision = due
            corrected, revision = corrected + 1, None if revision is None else revision + dice.randrange(1, 4)
        else:
            visits += 1
            sample = _visit(seed * 1_000_000 + visits, facility, discharged_at, dice)
            corrected, revision = 0, 1 if dice.random() < _NUMBERED_BY_HIS else None
        if dice.random() < (_CORRECTED_AGAIN if corrected else _CORRECTED):
            waiting.append((number + dice.choice(_GAPS), sample, corrected, revision))
        yield _act(number, _corrected(sample, corrected), revision, dice)


def _act(number: int, sample: Sample, revision: int | None, dice: random.Random) -> Act:
    """As it is, or with a defect: a hospital's mistake, which a later revision may mend."""
    expected = Expected.DISPLAYED
    if dice.random() < _DEFECTIVE and sample.insured:
        sample, expected = BY_NAME["wrong-total"].change(sample), Expected.REJECTED
    return Act(number, sample.facility, sample.ma_lk, revision, str(expected), table_files(sample.tables))


def _visit(seed: int, facility: str, discharged_at: datetime, dice: random.Random) -> Sample:
    kind = dice.choice((VisitKind.EXAM, VisitKind.EXAM, VisitKind.OUTPATIENT_TREATMENT, VisitKind.INPATIENT))
    insured = dice.random() < _INSURED
    return new_dossier(seed, facility=facility, kind=kind, insured=insured, discharged_at=discharged_at, size=_ROWS)


def _corrected(sample: Sample, times: int) -> Sample:
    """Another advice to the patient for each correction, so that every revision has bytes of its own."""
    if times == 0:
        return sample
    advice = put("GHI_CHU", cdata(f"Đã sửa lời dặn lần {times}: tái khám sau bảy ngày"))
    return in_table("XML8", advice)(in_table("XML1", advice)(sample))
