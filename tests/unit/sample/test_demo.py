"""What `make run` hands over: every visit type and every outcome, described in docs/samples.md."""

from collections import Counter
from itertools import product
from pathlib import Path

from streams.domain.dossier.rules import JUDGED
from streams.domain.dossier.sample import BY_NAME, FACILITIES, Expected, Sample, Trait, VisitKind, samples
from streams.domain.privacy import screen
from streams.domain.privacy_rules import rules_on
from tests.unit.sample.support import NOW, header, rows

DOCUMENT = Path(__file__).parents[3] / "docs" / "samples.md"
SAMPLES = samples(FACILITIES, 1, NOW)


def test_all_visit_types_with_and_without_insurance_are_shown() -> None:
    shown = {(sample.kind, sample.insured) for sample in SAMPLES if sample.expected is Expected.DISPLAYED}
    assert shown == set(product(VisitKind, (True, False)))


def test_every_outcome_occurs() -> None:
    assert {sample.expected for sample in SAMPLES} == set(Expected)


def test_every_facility_hands_over_several_visits() -> None:
    assert all(Counter(sample.facility for sample in SAMPLES)[facility] >= 5 for facility in FACILITIES)


def test_they_are_the_same_for_the_same_seed_and_moment() -> None:
    assert samples(FACILITIES, 1, NOW) == SAMPLES
    assert samples(FACILITIES, 2, NOW) != SAMPLES


def test_no_visit_closes_after_now() -> None:
    assert all(sample.closed_at < NOW for sample in SAMPLES)


def test_one_visit_is_corrected() -> None:
    """The same visit and person with another text; the first revision is the one superseded."""
    keys = Counter((sample.facility, sample.ma_lk) for sample in SAMPLES)
    ((facility, ma_lk),) = (key for key, count in keys.items() if count > 1)
    first, second = (sample for sample in SAMPLES if (sample.facility, sample.ma_lk) == (facility, ma_lk))
    assert (first.expected, second.expected) == (Expected.SUPERSEDED, Expected.DISPLAYED)
    assert header(first)["MA_BN"] == header(second)["MA_BN"]
    assert rows(first, "XML8")[0]["GHI_CHU"] != rows(second, "XML8")[0]["GHI_CHU"]


def test_every_defect_of_the_demonstration_is_one_that_we_judge() -> None:
    """Else the visit would be displayed, against what its manifest says."""
    assert {sample.code for sample in SAMPLES if sample.defect} <= JUDGED


def test_the_privacy_filter_agrees_with_what_is_expected() -> None:
    """Only the HIV visit is withheld as a whole, only table 15 is taken out of another one."""
    for sample in (sample for sample in SAMPLES if sample.defect is None):
        screening = screen({kind: rows(sample, kind) for kind, _ in sample.tables}, rules_on(NOW.date()))
        assert screening.whole == (sample.expected is Expected.WITHHELD)
        assert bool(screening.withheld) == bool(sample.traits & {Trait.HIV, Trait.TB})


def test_the_document_lists_the_samples_as_they_are() -> None:
    assert [line for line in table_lines() if line[2].isdigit()] == [
        document_line(number, sample) for number, sample in enumerate(SAMPLES, 1)
    ]


def test_the_document_lists_every_defect() -> None:
    described = [
        f"| `{defect.name}` | {defect.code} | {defect.what} | {'envelope' if defect.needs_envelope else 'any'} |"
        for defect in BY_NAME.values()
    ]
    assert table_lines()[-len(described) :] == described


def table_lines() -> list[str]:
    return [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]


def document_line(number: int, sample: Sample) -> str:
    special = ", ".join(sorted(sample.traits)) or (f"defect {sample.defect} ({sample.code})" if sample.defect else "")
    insurance = "BHYT" if sample.insured else "none"
    return f"| {number} | `{sample.facility}` | {sample.kind} | {insurance} | {special or '–'} | {sample.expected} |"
