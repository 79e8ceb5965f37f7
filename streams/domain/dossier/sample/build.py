"""One invented dossier, from a seed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.sample import papers
from streams.domain.dossier.sample.care import BY_CODE, CARES, Care, objection
from streams.domain.dossier.sample.drugs import drug_rows, note_rows, order_drugs
from streams.domain.dossier.sample.header import header_row
from streams.domain.dossier.sample.model import Expected, Row, Sample, Size, Trait, VisitKind, chance, to_minute
from streams.domain.dossier.sample.money import benefit_level, totals
from streams.domain.dossier.sample.services import fixed_services, order_services, result_rows, service_rows
from streams.domain.dossier.sample.visit import Visit, plan_visit
from streams.domain.dossier.sample.write import write_envelope, write_table
from streams.domain.dossier.tables import catalogue

_MOST_DRUGS_GIVEN_OUT = 8


def new_dossier(
    seed: int,
    *,
    facility: str,
    kind: VisitKind,
    insured: bool,
    discharged_at: datetime,
    size: int = Size.STANDARD,
    ma_lk: str | None = None,
    traits: Collection[Trait] = (),
    care: str | None = None,
) -> Sample:
    """An invented dossier that keeps every rule of rules.csv that data alone can keep.

    The same arguments give the same bytes. `discharged_at` is aware; nothing in the dossier is later, except the 2359
    that care 02, 05 and 07 end with. `size` counts the rows of tables 2 to 5; care that only gives out medicines has
    fewer, and without insurance only tables 1 and 8 are sent (NB-003). `care` picks one MA_LOAI_KCB of the kind, else
    the seed does.

    Raises ValueError when there could be no such visit: a kind before its code existed, care of another kind, traits
    that contradict each other.
    """
    special, day = frozenset(traits), discharged_at.astimezone(VIETNAM).date()
    visit = plan_visit(
        seed,
        facility=facility,
        care=_care(seed, kind, care, size, insured, special, day),
        insured=insured,
        discharged_at=discharged_at,
        rows=size,
        ma_lk=ma_lk,
        traits=special,
    )
    return Sample(
        facility=facility,
        ma_lk=visit.ma_lk,
        kind=kind,
        insured=insured,
        closed_at=to_minute(discharged_at),
        tables=tuple(
            (table, write_table(table, part, day)) for table, rows in _tables(visit) for part in in_files(table, rows)
        ),
        traits=visit.traits,
        expected=_expected(visit),
    )


def unsigned_envelope(sample: Sample) -> bytes:
    """The sample as one unsigned GIAMDINHHS."""
    return sample.envelope or write_envelope(
        sample.facility, sample.closed_at.astimezone(VIETNAM).date(), sample.tables
    )


def can_be(kind: VisitKind, insured: bool, traits: Collection[Trait], day: date) -> bool:
    """Whether there could be such a visit that ends on the day (Vietnamese)."""
    special = frozenset(traits)
    return any(care.kind is kind and objection(care, insured, special, day) is None for care in CARES)


def _care(
    seed: int, kind: VisitKind, code: str | None, rows: int, insured: bool, traits: frozenset[Trait], day: date
) -> Care:
    if code is None and kind is VisitKind.INPATIENT and rows > Size.STANDARD:
        code = "03"  # nobody has thousands of lines in four hours
    if code is not None and (code not in BY_CODE or BY_CODE[code].kind is not kind):
        raise ValueError(f"MA_LOAI_KCB {code} is not care of kind {kind}")
    wanted = [care for care in CARES if care.kind is kind and code in (None, care.code)]
    objections = [objection(care, insured, traits, day) for care in wanted]
    possible = [care for care, why in zip(wanted, objections, strict=True) if why is None]
    if not possible:
        raise ValueError(objections[0])
    return chance(seed, kind).choice(possible)


@dataclass(frozen=True, slots=True)
class _Counts:
    drugs: int
    paraclinical: int
    other_services: int
    results: int
    notes: int


def _counts(visit: Visit) -> _Counts:
    """Shares out the ordered rows as real dossiers of the kind do (ENVELOPE §7)."""
    rows, care = visit.rows, visit.care
    if care.drugs_only:
        return _Counts(min(rows, _MOST_DRUGS_GIVEN_OUT), 0, 0, 0, 2 if care.notes else 0)
    fixed = fixed_services(visit)
    notes = max(1, rows * 9 // 100 if care.stay else rows * 3 // 100) if care.notes else 0
    drugs = max(1, rows * (28 if care.stay else 13) // 100)
    services = max(1, rows * (32 if care.stay else 17) // 100 - fixed)
    paraclinical = max(1, services * (50 if care.stay else 85) // 100)
    results = max(paraclinical, rows - drugs - notes - fixed - services)
    return _Counts(drugs, paraclinical, services - paraclinical, results, notes)


def _tables(visit: Visit) -> list[tuple[str, list[Row]]]:
    """All tables that the day's standard has, ascending, with their rows; without insurance no claim, so no 2 to 5."""
    counts = _counts(visit)
    drug_orders = order_drugs(visit, counts.drugs)
    service_orders = order_services(visit, counts.paraclinical, counts.other_services)
    card = visit.person.card
    charges = [order.charge for order in drug_orders] + [order.charge for order in service_orders]
    level = benefit_level(card.level, charges, visit.ended.date()) if card else 0
    drugs, services = drug_rows(visit, drug_orders, level), service_rows(visit, service_orders, level)
    service_days = len({row["NGAY_TH_YL"][:8] for row in services})
    header = header_row(visit, totals(drugs, services), service_days)
    known = catalogue(visit.ended.date())
    claim = {
        "XML2": drugs,
        "XML3": services,
        "XML4": result_rows(visit, service_orders, counts.results),
        "XML5": note_rows(visit, counts.notes),
        "XML7": [papers.discharge_paper(visit, header)] if visit.care.stay else [],
        "XML10": [papers.pregnancy_leave(visit, header)] if Trait.PREGNANCY_LEAVE in visit.traits else [],
        "XML11": [papers.sick_leave(visit, header)] if Trait.SICK_LEAVE in visit.traits else [],
        "XML13": [papers.referral(visit, header)] if visit.sent_to and "XML13" in known else [],
        "XML14": [papers.appointment(visit, header)] if visit.follow_up else [],
    }
    always = {
        "XML1": [header],
        "XML6": [papers.hiv_record(visit, header)] if Trait.HIV in visit.traits else [],
        "XML8": [papers.summary(visit, header)] if Trait.NO_SUMMARY not in visit.traits else [],
        "XML9": [papers.birth_certificate(visit, header)] if Trait.BIRTH in visit.traits else [],
        "XML15": [papers.tuberculosis_record(visit, header)] if Trait.TB in visit.traits else [],
    }
    if Trait.BIRTH in visit.traits and visit.insured:
        claim["XML7"] += [papers.newborns_paper(visit, header)]
    tables = always | claim if visit.insured else always
    return [(kind, tables[kind]) for kind in known if tables.get(kind)]


def in_files(table: str, rows: list[Row]) -> list[list[Row]]:
    """The rows of each file of a table: papers that stand alone have one each."""
    return [[row] for row in rows] if table in ("XML7", "XML14") else [rows]


def _expected(visit: Visit) -> Expected:
    if not visit.insured and not visit.person.fields["SO_CCCD"]:
        return Expected.NOT_DUE
    return Expected.WITHHELD if Trait.HIV in visit.traits else Expected.DISPLAYED
