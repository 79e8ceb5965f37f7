"""How much of what the book needs a dossier has (HBR-08, column "Req" of HEALTHBOOK §2).

Judged on the dossier before the privacy filter: what the law withholds is not missing.
"""

from collections.abc import Iterator

from events.health_book import Completeness
from events.health_book_content import CareKind, Person, Summary, Visit
from streams.domain.privacy_fields import Tables
from streams.domain.projection_person import is_minor

SUMMARY_ALWAYS = frozenset({"03", "04", "06"})
"""MA_LOAI_KCB for which table 8 is due whatever the switch says (ENVELOPE §5)."""

WITH_RESULTS = frozenset({"1", "2", "3"})
"""MA_NHOM of services that have results: laboratory, imaging, functional exploration."""


def completeness(
    tables: Tables, person: Person, visit: Visit, summary: Summary | None, *, xml8_every_visit: bool = True
) -> Completeness:
    """Score: share of the required items that are there. `missing` also names blood group, height and weight (HBR-07).

    `xml8_every_visit` off: the summary counts only for the stays whose table 8 the standard demands (HBR-09).
    """
    required = dict(_required(person, visit))
    required |= _conditional(tables, person, visit)
    if xml8_every_visit or visit.care_code.code in SUMMARY_ALWAYS:
        required |= _summary(summary)
    starred = {"HB-30": visit.blood_group, "HB-31": visit.weight_kg, "HB-32": None}  # no table has the height
    missing = [row for row, value in (required | starred).items() if not value]
    present = sum(bool(value) for value in required.values())
    return Completeness(score=100 * present // len(required), missing=tuple(sorted(missing)))


def _required(person: Person, visit: Visit) -> Iterator[tuple[str, object]]:
    yield "HB-01", person.name
    yield "HB-02", person.birth
    yield "HB-03", person.sex
    yield "HB-07", person.identity or person.insurance
    yield "HB-21", visit.facility.code
    yield "HB-22", visit.care is not CareKind.UNKNOWN
    yield "HB-23", visit.admitted_at and visit.left_at
    yield "HB-24", visit.reason
    yield "HB-26", visit.discharge_diagnosis.main and visit.discharge_diagnosis.text
    yield "HB-27", visit.discharge_state
    yield "HB-28", visit.treatment_result


def _conditional(tables: Tables, person: Person, visit: Visit) -> dict[str, object]:
    """Items that only some dossiers owe."""
    card = person.insurance
    due: dict[str, object] = {}
    if card is not None:
        due |= {"HB-10": card.card_number, "HB-11": card.first_facility, "HB-12": card.valid_from}
    if is_minor(tables["XML1"][0]):
        due["HB-14"] = person.representative
    if any(row.get("MA_NHOM", "").strip() in WITH_RESULTS for row in tables.get("XML3", ())):
        due["HB-33"] = visit.results
    if visit.procedure_codes:
        due["HB-35"] = visit.procedures
    return due


def _summary(summary: Summary | None) -> dict[str, object]:
    if summary is None:
        return dict.fromkeys(("HB-38", "HB-39", "HB-40", "HB-41"))
    return {
        "HB-38": summary.course,
        "HB-39": summary.results,
        "HB-40": summary.treatment,
        "HB-41": summary.advice or summary.re_examination_on,
    }
