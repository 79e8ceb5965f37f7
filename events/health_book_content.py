"""What an entry of the health book holds: the person, the visit, the summary and the papers.

The numbers HB-nn are the rows of HEALTHBOOK §2. A field without a value is None: empty in the dossier, or withheld.
Texts are those of the dossier, unchanged. All of it is about a person, so nothing here has a `repr` that shows values.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from events.visit import PersonKeyKind


class CareKind(StrEnum):
    """The six kinds of visit of the book (QĐ 2733 Art. 2). UNKNOWN: a kind that came after the reader's schema."""

    EXAMINATION = "EXAMINATION"
    OUTPATIENT = "OUTPATIENT"
    APPOINTED_DRUGS = "APPOINTED_DRUGS"
    INPATIENT = "INPATIENT"
    DAY = "DAY"
    REMOTE = "REMOTE"
    UNKNOWN = "UNKNOWN"


class IdentityKind(StrEnum):
    """HB-07: the dossier carries no type, so it follows from the form of the number."""

    PERSONAL_ID = "PERSONAL_ID"
    OLD_CARD = "OLD_CARD"
    FOREIGN = "FOREIGN"


class PaperKind(StrEnum):
    """HB-44 … HB-48. OTHER: a kind that came after the reader's schema."""

    DISCHARGE = "DISCHARGE"
    REFERRAL = "REFERRAL"
    RE_EXAMINATION = "RE_EXAMINATION"
    BIRTH = "BIRTH"
    PREGNANCY_LEAVE = "PREGNANCY_LEAVE"
    SICK_LEAVE = "SICK_LEAVE"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, repr=False)
class Coded:
    """A code as sent and its Vietnamese name; None where the official list is not held."""

    code: str
    name: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """HB-07."""

    kind: IdentityKind
    number: str


@dataclass(frozen=True, slots=True, repr=False)
class Insurance:
    """HB-10 … HB-12: of several cards the one valid on the day of admission."""

    card_number: str
    social_insurance_number: str
    first_facility: Coded | None
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """HB-13. New data have no district (HBR-13)."""

    text: str | None
    province: Coded | None
    district: Coded | None
    commune: Coded | None


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """HB-01 … HB-14. `birth` is ISO 8601 as far as known (`1990`, `1990-05`, `1990-05-12`); a newborn's with time."""

    key_type: PersonKeyKind
    key: str
    name: str | None = None
    birth: str | None = None
    sex: Coded | None = None
    ethnic_group: Coded | None = None
    nationality: Coded | None = None
    occupation: Coded | None = None
    identity: Identity | None = None
    phone: str | None = None
    insurance: Insurance | None = None
    address: Address | None = None
    representative: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Diagnosis:
    """HB-26: text, main disease first and alone, at most twelve that accompany it, traditional medicine's codes."""

    text: str | None
    main: str | None
    accompanying: tuple[str, ...]
    traditional: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """HB-33: one index of a service, or its description and conclusion. `reader` is a licence number."""

    code: str | None
    name: str | None
    value: str | None
    unit: str | None
    description: str | None
    conclusion: str | None
    resulted_at: datetime | None
    reader: str | None


@dataclass(frozen=True, slots=True, repr=False)
class ResultGroup:
    """HB-33: the results of one service, in the order in which they came."""

    service: Coded
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Drug:
    """HB-34: a drug with one dose on one day; `quantity` is decimal text, summed over the orders of the day."""

    day: date | None
    name: str
    strength: str | None
    form: str | None
    route: str | None
    dose: str | None
    usage: str | None
    quantity: str | None
    unit: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Procedure:
    """HB-35: an operation or procedure and each time it was done; ICD-9-CM codes where given."""

    service: Coded
    international_codes: tuple[str, ...]
    performed_at: tuple[datetime, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Note:
    """HB-35: what the record says about an operation."""

    at: datetime | None
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Doctor:
    """HB-37, HB-42. The licence number or the name may be missing."""

    licence: str | None
    name: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """HB-20 … HB-37."""

    facility: Coded
    care: CareKind
    care_code: Coded
    admitted_at: datetime | None
    inpatient_from: datetime | None
    left_at: datetime | None
    reason: str | None
    admission_diagnosis: str | None
    discharge_diagnosis: Diagnosis
    discharge_state: Coded | None
    treatment_result: Coded | None
    treatment_days: int | None
    blood_group: str | None
    weight_kg: str | None
    newborn_weights_g: tuple[str, ...]
    results: tuple[ResultGroup, ...]
    drugs: tuple[Drug, ...]
    procedures: tuple[Procedure, ...]
    procedure_codes: tuple[str, ...]
    operation_notes: tuple[Note, ...]
    treatment: str | None
    doctor: Doctor | None


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """HB-17, HB-38 … HB-43: what a doctor wrote in the summary of the record (table 8)."""

    course: str | None
    results: str | None
    treatment: str | None
    advice: str | None
    re_examination_on: tuple[date, ...]
    admission_diagnosis: str | None
    discharge_diagnosis: str | None
    treatment_result: Coded | None


@dataclass(frozen=True, slots=True, repr=False)
class Referral:
    """HB-45: what a referral paper says beyond any paper."""

    file_number: str | None
    from_facilities: tuple[str, ...]
    to_facility: Coded | None
    signs: str | None
    course: str | None
    results: str | None
    condition: str | None
    reason: Coded | None
    plan: str | None
    transport: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Birth:
    """HB-47: one child of a medical birth certificate. The child has its own record elsewhere."""

    book_number: str | None
    child_name: str | None
    sex: Coded | None
    born_at: datetime | None
    weight_g: str | None
    place: str | None
    condition: str | None
    children: int | None
    delivery: int | None
    living_children: int | None
    by_surgery: bool
    before_32_weeks: bool
    midwife: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Paper:
    """HB-44 … HB-48: a paper that lies beside the book."""

    kind: PaperKind
    number: str | None
    issued_on: date | None
    department: str | None
    admitted_at: datetime | None
    left_at: datetime | None
    diagnosis: Diagnosis
    treatment: str | None
    note: str | None
    valid_from: date | None
    valid_to: date | None
    days: int | None
    appointment_on: date | None
    arrival_category: str | None
    doctor: Doctor | None
    referral: Referral | None = None
    birth: Birth | None = None
