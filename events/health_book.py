"""What the health book says to its subscribers, and what the display side answers (HEALTHBOOK §3)."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from events.health_book_content import Paper, Person, Summary, Visit


class EntryState(StrEnum):
    """WITHHELD: the law keeps the whole visit out of the book. WITHDRAWN: shown before, to be taken away."""

    ACTIVE = "ACTIVE"
    SUPERSEDED = "SUPERSEDED"
    WITHDRAWN = "WITHDRAWN"
    WITHHELD = "WITHHELD"


@dataclass(frozen=True, slots=True)
class Source:
    """The receipt of the gateway that this version rests on."""

    ma_giao_dich: str
    thoi_gian_tiep_nhan: datetime
    payload_sha256: str
    cert_serial: str
    standard: str


@dataclass(frozen=True, slots=True)
class Clock:
    """Receipt, 24 hours later, and when this version went to the bus (known once it is written)."""

    received_at: datetime
    due_at: datetime
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something that is not shown, and the rule that says so. The rule's id tells nothing about its reason."""

    path: str
    rule_id: str


@dataclass(frozen=True, slots=True)
class Completeness:
    """Share of the required items that the dossier has, in percent, and the rows (HB-nn) that it lacks."""

    score: int
    missing: tuple[str, ...]


class _AboutEntry:
    """What is said about one version of an entry; by default once."""

    __slots__ = ()
    entry_id: str
    version: int

    @property
    def key(self) -> str:
        """`MA_CSKCB|MA_LK`: never a person's number."""
        return self.entry_id

    @property
    def revision(self) -> int:
        """The revision of the visit that this version of the entry shows."""
        return self.version

    @property
    def occurrence(self) -> str:
        """Nothing tells two events about one version apart: they are the same event."""
        return ""


@dataclass(frozen=True, slots=True)
class EntryVersion(_AboutEntry):
    """Which version of which entry, and in which state: enough for a reader that shows nobody's record."""

    topic: ClassVar[str] = "health-book.entry.v1"
    stage: ClassVar[str] = "publish"

    entry_id: str
    facility: str
    ma_lk: str
    version: int
    state: EntryState


@dataclass(frozen=True, slots=True)
class EntryOutcome(EntryVersion):
    """The same with what the privacy filter kept back."""

    withheld: tuple[Withheld, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HealthBookEntry(EntryVersion):
    """What the book shows of one visit, as its newest accepted revision tells it."""

    person: Person | None = field(repr=False)
    visit: Visit | None = field(repr=False)
    summary: Summary | None = field(repr=False)
    papers: tuple[Paper, ...] = field(repr=False)
    source: Source
    clock: Clock
    withheld: tuple[Withheld, ...] = field(repr=False)
    completeness: Completeness | None = field(repr=False)

    def published(self, at: datetime) -> "HealthBookEntry":
        """The entry as it goes to the bus."""
        return replace(self, clock=replace(self.clock, published_at=at))


@dataclass(frozen=True, slots=True)
class HealthBookDisplayed(_AboutEntry):
    """The display side shows this version of an entry to the citizen since `displayed_at`; once for each."""

    topic: ClassVar[str] = "health-book.displayed.v1"
    stage: ClassVar[str] = "display"

    entry_id: str
    version: int
    displayed_at: datetime


@dataclass(frozen=True, slots=True)
class HealthBookReminder(_AboutEntry):
    """The display side has not acknowledged this version, and so much of its time is gone (`mark`, in percent).

    The entry is offered again where it lies: `entry_offset` in partition `entry_partition` of its topic. It is the same
    record, so that whoever reads the entries sees each version once.
    """

    topic: ClassVar[str] = "health-book.reminder.v1"
    stage: ClassVar[str] = "deadlines"

    entry_id: str
    version: int
    mark: int
    received_at: datetime
    due_at: datetime
    entry_partition: int
    entry_offset: int

    @property
    def occurrence(self) -> str:
        """One reminder for each mark."""
        return str(self.mark)
