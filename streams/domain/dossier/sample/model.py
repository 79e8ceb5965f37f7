"""What can be ordered from the sample factory, and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import IntEnum, StrEnum
from random import Random

from streams.domain.dossier.moments import VIETNAM

FIRST_DAY = date(2023, 1, 18)
"""First day on which samples can end: QĐ 130, the oldest standard, is of that day."""

REMOTE_CARE_FROM = date(2026, 6, 19)
"""Remote care has a code (14) since QĐ 1804/2026 (codes/validity.csv)."""

Row = Mapping[str, str]
"""One row of a table: field name to text. A field that is left out is written as an empty element."""


class VisitKind(StrEnum):
    """The six visit types of the health book (HBR-01)."""

    EXAM = "exam"
    OUTPATIENT_TREATMENT = "outpatient-treatment"
    APPOINTED_DRUGS = "appointed-drugs"
    INPATIENT = "inpatient"
    DAY = "day"
    REMOTE = "remote"


class Size(IntEnum):
    """Rows of tables 2 to 5 together; any other number may be ordered instead of these."""

    TINY = 6
    STANDARD = 60
    LARGE = 2000


class Trait(StrEnum):
    """Something special about the visit or the person."""

    HIV = "hiv"
    TB = "tb"
    NEWBORN = "newborn"
    """With BHYT a temporary card and the child's own name, without it the mother's name (OBLIGATIONS S001-30)."""
    NEWBORN_FATHER = "newborn-father"
    """Without a card, by the father's name."""
    NEWBORN_GUARDIAN = "newborn-guardian"
    """Without a card, by the guardian's name."""
    NEWBORN_ABANDONED = "newborn-abandoned"
    """Without a card and without parents; how it is named is unknown (`newborn_names.csv`)."""
    FOREIGNER = "foreigner"
    NO_CITIZEN_NUMBER = "no-citizen-number"
    UNIDENTIFIED = "unidentified"
    """An emergency: neither name nor birthday nor any number is known, and none is invented (HEALTHBOOK §4)."""
    REFERRAL = "referral"
    REEXAM = "reexam"
    BIRTH = "birth"
    """The mother's dossier: birth certificate (table 9) and the newborn's discharge paper."""
    SICK_LEAVE = "sick-leave"
    """An insured outpatient with a paper for the employer (table 11)."""
    PREGNANCY_LEAVE = "pregnancy-leave"
    """An insured woman with leave to keep a pregnancy (table 10)."""
    UNPAID = "unpaid"
    """NGAY_TTOAN is empty. The same order without this trait is the revision that is sent once the bill is paid."""
    NO_SUMMARY = "no-summary"
    """No table 8, where the standard does not demand it (switch `xml8_every_visit` off, HBR-09)."""


NEWBORNS = frozenset({Trait.NEWBORN, Trait.NEWBORN_FATHER, Trait.NEWBORN_GUARDIAN, Trait.NEWBORN_ABANDONED})


class Expected(StrEnum):
    """How the visit should end when it is handed over."""

    DISPLAYED = "displayed"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    NOT_DUE = "not-due"
    """Nobody can be found in the health book: neither citizen number nor card (HEALTHBOOK §4)."""
    WITHHELD = "withheld"
    """The privacy filter keeps what the entry is about from the health book (HEALTHBOOK §6)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One invented dossier as a HIS would hand it over. All people in it are invented."""

    facility: str
    """Who hands it over; the same as XML1.MA_CSKCB unless the defect is just that."""
    ma_lk: str
    kind: VisitKind
    insured: bool
    closed_at: datetime
    """Aware UTC, to the minute."""
    tables: tuple[tuple[str, bytes], ...] = field(repr=False)
    """(table kind, XML), ascending by table."""
    traits: frozenset[Trait] = frozenset()
    envelope: bytes | None = field(default=None, repr=False)
    """Set only when the defect lies in the envelope; then `tables` are those of the sound dossier inside."""
    defect: str | None = None
    code: str | None = None
    """The one critical finding that the defect must trigger."""
    expected: Expected = Expected.DISPLAYED

    @property
    def size(self) -> int:
        """Bytes of its table files together."""
        return sum(len(content) for _, content in self.tables)


def chance(*cause: object) -> Random:
    """A generator that always gives the same numbers for the same cause, on every platform and Python."""
    return Random("|".join(str(part) for part in cause))  # noqa: S311 (samples must repeat; nothing here is secret)


def to_minute(moment: datetime) -> datetime:
    """The moment in aware UTC without seconds, as precise as a dossier is."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def day_text(moment: date) -> str:
    """yyyymmdd; a moment must already be local."""
    return moment.strftime("%Y%m%d")


def moment_text(moment: datetime) -> str:
    """yyyymmddHHMM in Vietnamese local time."""
    return moment.astimezone(VIETNAM).strftime("%Y%m%d%H%M")
