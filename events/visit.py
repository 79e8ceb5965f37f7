"""What can be said about a visit, in the order in which it happens.

Every class is one topic (`events/topics.py`) and one Avro file (`schemas/avro/<topic>.avsc`). Fields that may hold a
person's data are hidden from `repr`, so that no log line shows them by accident.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class Severity(StrEnum):
    """`critical`: the dossier is not sent. `warning`: it is sent and a person sees the finding (RULES §1)."""

    CRITICAL = "critical"
    WARNING = "warning"


class PersonKeyKind(StrEnum):
    """By what the person is known to the health book (HEALTHBOOK §4). Never the number itself."""

    CCCD = "CCCD"
    BHYT = "BHYT"
    FOREIGN = "FOREIGN"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a dossier. `found` describes (kind, length), it never quotes a person's data."""

    code: str
    severity: Severity
    table: str | None
    row: int | None
    field: str | None
    message_vi: str
    message_en: str
    expected: str | None
    found: str | None
    mend_vi: str
    mend_en: str


CHECK_IN = "XML0"
"""Kind of the check-in that the HIS sent when the patient came: compared with the dossier, never sent in it."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """One table of the dossier exactly as the HIS exported it: `kind` is XML1…XML15, `content` the bytes of its XML.

    When a visit is closed, the check-in (`XML0`) may stand beside the tables.
    """

    kind: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VisitEvent:
    """What all events about a visit share: which visit, which revision of it, and when it closed (aware UTC)."""

    topic: ClassVar[str]
    stage: ClassVar[str]

    facility: str
    ma_lk: str
    revision: int
    closed_at: datetime

    @property
    def key(self) -> str:
        """Record key of every visit topic: `MA_CSKCB|MA_LK`, so that a visit's events stay in order."""
        return f"{self.facility}|{self.ma_lk}"

    @property
    def occurrence(self) -> str:
        """Tells repeats of one kind of event about one revision apart; empty where it can happen once only."""
        return ""


@dataclass(frozen=True, slots=True)
class VisitClosed(VisitEvent):
    """A HIS handed over the dossier of a visit that ended: its tables, or a complete envelope GIAMDINHHS."""

    topic = "visit.closed.v1"
    stage = "close"

    tables: tuple[TableFile, ...]
    envelope: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class VisitValidated(VisitEvent):
    """The dossier passed; findings that are left are warnings. Its bytes are those of VisitClosed, unchanged."""

    topic = "visit.validated.v1"
    stage = "validate"

    standard: str
    visit_type: str
    insured: bool
    person_key_kind: PersonKeyKind
    tables: tuple[TableFile, ...]
    envelope: bytes | None = field(repr=False)
    signed: bool
    warnings: tuple[Finding, ...]
    warnings_omitted: int


@dataclass(frozen=True, slots=True)
class VisitRejected(VisitEvent):
    """The dossier does not leave the house: all its findings, critical ones and warnings."""

    topic = "visit.rejected.v1"
    stage = "validate"

    standard: str
    dossier_sha256: str
    findings: tuple[Finding, ...]
    findings_omitted: int

    @property
    def occurrence(self) -> str:
        """Other bytes under a revision that is taken are rejected beside it, not instead of it."""
        return self.dossier_sha256


@dataclass(frozen=True, slots=True)
class VisitSigned(VisitEvent):
    """The envelope as it will be sent: signed by the facility, verified by us, frozen."""

    topic = "visit.signed.v1"
    stage = "sign"

    standard: str
    visit_type: str
    insured: bool
    person_key_kind: PersonKeyKind
    envelope: bytes = field(repr=False)
    envelope_sha256: str
    payload_sha256: str
    certificate_serial: str


@dataclass(frozen=True, slots=True)
class VisitAccepted(VisitEvent):
    """The gateway took the dossier. `received_at` is its thoiGianTiepNhan: the legal start of the 24 hours."""

    topic = "visit.accepted.v1"
    stage = "forward"

    standard: str
    visit_type: str
    insured: bool
    person_key_kind: PersonKeyKind
    transaction_code: str
    received_at: datetime
    sent_at: datetime
    attempts: int
    envelope_sha256: str
    payload_sha256: str
    certificate_serial: str


@dataclass(frozen=True, slots=True)
class VisitRefused(VisitEvent):
    """The gateway will not take this dossier: the facility must correct it and close a new revision."""

    topic = "visit.refused.v1"
    stage = "forward"

    standard: str
    code: str
    result_class: str
    message: str = field(repr=False)
    answered_at: datetime
    attempts: int
    mend_vi: str
    mend_en: str


@dataclass(frozen=True, slots=True)
class GatewayFinding:
    """One line of the gateway's error list. `message` is its own text, which may quote the dossier."""

    code: str
    message: str = field(repr=False)
    table: str | None
    row: int | None
    field: str | None


@dataclass(frozen=True, slots=True)
class VisitLateVerdict(VisitEvent):
    """The gateway found fault, hours later, with a dossier that it had taken (GATEWAY §6.6).

    What it took counts until the correction arrives. `told_at` is when its portal told so; `number` counts the verdicts
    about this revision.
    """

    topic = "visit.late-verdict.v1"
    stage = "verdict"

    transaction_code: str
    told_at: datetime
    findings: tuple[GatewayFinding, ...]
    number: int = 1

    @property
    def occurrence(self) -> str:
        """The portal may tell more about the same dossier later."""
        return str(self.number)


@dataclass(frozen=True, slots=True)
class VisitHeld(VisitEvent):
    """The visit waits for a person: neither sent nor refused. `hold` counts how often this revision was held."""

    topic = "visit.held.v1"
    stage = "forward"

    held_by: str
    reason: str
    message_vi: str
    message_en: str
    mend_vi: str
    mend_en: str
    held_at: datetime
    hold: int = 1

    @property
    def occurrence(self) -> str:
        """A released visit may be held again."""
        return f"{self.held_by}|{self.hold}"
