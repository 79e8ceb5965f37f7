"""A defect is one thing wrong: in one place of the bytes, with one critical finding, and nothing else."""

import itertools
from collections.abc import Iterable

import pytest

from events.visit import Severity, TableFile
from streams.domain.dossier.findings import rule_texts
from streams.domain.dossier.rules import JUDGED
from streams.domain.dossier.sample import (
    BY_NAME,
    DEFECTS,
    FACILITIES,
    Defect,
    Expected,
    Sample,
    Size,
    Trait,
    VisitKind,
    can_be,
    defective_dossier,
    new_dossier,
    padded,
    unsigned_envelope,
)
from streams.domain.dossier.verdict import SIZE_LIMIT, Verdict, judge
from streams.domain.dossier.visit import Registration
from tests.unit.sample.support import FACILITY, NOW, all_cares, dossier

REGISTER = {facility: Registration() for facility in FACILITIES}
EVERY_DEFECT = [pytest.param(defect, id=name) for name, defect in BY_NAME.items()]
IN_TABLES = [pytest.param(d, id=n) for n, d in BY_NAME.items() if not d.needs_envelope]
JUDGED_DEFECTS = [pytest.param(defect, id=name) for name, defect in BY_NAME.items() if defect.code in JUDGED]

MANY_TABLES = {"ma-lk-101", "over-20mb", "unknown-facility"}
"""They cannot be in one table only."""


def make(defect: Defect, seed: int = 5) -> Sample:
    return defective_dossier(defect, seed, facility=FACILITY, discharged_at=NOW)


def sound(defect: Defect, like: Sample, seed: int = 5) -> Sample:
    """The same dossier without the defect."""
    return new_dossier(
        seed,
        facility=defect.facility or FACILITY,
        kind=like.kind,
        insured=like.insured,
        discharged_at=NOW + defect.later,
    )


def verdict(sample: Sample, *, as_envelope: bool = False) -> Verdict:
    given: bytes | Iterable[TableFile]
    if as_envelope or sample.envelope is not None:
        given = unsigned_envelope(sample)
    else:
        given = [TableFile(kind, content) for kind, content in sample.tables]
    return judge(given, now=NOW, facility=sample.facility, register=REGISTER)


def critical(found: Verdict) -> set[str]:
    return {item.code for item in found.findings if item.severity is Severity.CRITICAL}


@pytest.mark.parametrize("as_envelope", [False, True], ids=["folder", "envelope"])
def test_a_sound_dossier_has_no_finding_at_all(as_envelope: bool) -> None:
    for sample in all_cares(range(6)):
        assert verdict(sample, as_envelope=as_envelope).findings == ()


@pytest.mark.parametrize("trait", Trait)
def test_a_special_dossier_has_no_critical_finding(trait: Trait) -> None:
    for insured, kind in itertools.product((True, False), VisitKind):
        if can_be(kind, insured, {trait}, NOW.date()):
            sample = new_dossier(3, facility=FACILITY, kind=kind, insured=insured, discharged_at=NOW, traits={trait})
            assert critical(verdict(sample)) == set()


@pytest.mark.parametrize("defect", JUDGED_DEFECTS)
def test_a_defect_gives_just_its_code(defect: Defect) -> None:
    assert critical(verdict(make(defect))) == {defect.code}


@pytest.mark.parametrize("defect", EVERY_DEFECT)
def test_a_defect_is_expected_to_be_rejected_by_a_live_critical_rule(defect: Defect) -> None:
    rule = rule_texts().get(defect.code)
    assert make(defect).expected is Expected.REJECTED
    assert defect.code in JUDGED or (rule is not None and rule.severity == "critical")


@pytest.mark.parametrize("defect", IN_TABLES)
def test_a_defect_changes_one_table_only(defect: Defect) -> None:
    spoilt = make(defect)
    before, after = sound(defect, spoilt).tables, spoilt.tables
    if defect.name == "unknown-facility":
        assert before == after
    elif defect.name in MANY_TABLES:
        assert all(old != new for old, new in zip(before, after, strict=True))
    elif len(before) == len(after):
        assert sum(old != new for old, new in zip(before, after, strict=True)) == 1
    else:
        assert abs(len(before) - len(after)) == 1
        assert set(before) >= set(after)


@pytest.mark.parametrize("defect", [pytest.param(d, id=n) for n, d in BY_NAME.items() if d.needs_envelope])
def test_a_defect_of_the_envelope_leaves_the_tables_alone(defect: Defect) -> None:
    spoilt = make(defect)
    clean = sound(defect, spoilt)
    assert spoilt.tables == clean.tables
    assert spoilt.envelope is not None
    assert spoilt.envelope != unsigned_envelope(clean)


@pytest.mark.parametrize("defect", EVERY_DEFECT)
def test_a_defect_is_the_same_every_time(defect: Defect) -> None:
    assert make(defect) == make(defect)


def test_a_defect_is_found_by_name_and_by_code() -> None:
    assert DEFECTS["two-hoso"] is DEFECTS["ENV-004"]
    assert DEFECTS["ENV-008"] is DEFECTS["not-xml"]
    assert all(DEFECTS[defect.code].code == defect.code for defect in BY_NAME.values())


def test_a_defect_that_needs_insurance_cannot_be_had_without() -> None:
    with pytest.raises(ValueError, match="insured"):
        defective_dossier(DEFECTS["MON-103"], 1, facility=FACILITY, discharged_at=NOW, insured=False)


def test_a_defect_that_needs_another_kind_of_visit_says_so() -> None:
    with pytest.raises(ValueError, match="kind"):
        defective_dossier(DEFECTS["X5-002"], 1, facility=FACILITY, discharged_at=NOW, kind=VisitKind.REMOTE)


@pytest.mark.parametrize("insured", [True, False])
def test_the_largest_dossier_passes_and_one_step_more_does_not(insured: bool) -> None:
    """One step of base64 in base64 is 16 bytes."""
    sample = dossier(insured=insured)
    assert verdict(padded(sample, SIZE_LIMIT)).findings == ()
    assert critical(verdict(padded(sample, SIZE_LIMIT + 16))) == {"SIZE-001"}


def test_the_largest_dossier_still_passes_as_an_envelope() -> None:
    assert critical(verdict(padded(dossier(), SIZE_LIMIT), as_envelope=True)) == set()


def test_a_dossier_cannot_be_padded_to_less_than_it_has() -> None:
    with pytest.raises(ValueError, match="too large"):
        padded(dossier(kind=VisitKind.INPATIENT, size=Size.LARGE), 1024 * 1024)
