"""The topics of the bus, one row each: what it carries, how long it is kept, and the one who writes it (DESIGN §2)."""

from dataclasses import dataclass
from datetime import timedelta

from events.day import DayCounted
from events.deadline import DeadlineChanged
from events.health_book import HealthBookDisplayed, HealthBookEntry, HealthBookReminder
from events.visit import (
    VisitAccepted,
    VisitClosed,
    VisitHeld,
    VisitLateVerdict,
    VisitRefused,
    VisitRejected,
    VisitSigned,
    VisitValidated,
)

MIB = 1024 * 1024
DLQ_SUFFIX = ".dlq"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it must be. `retention` None: for ever. `compatibility`: the registry's rule for later schemas."""

    name: str
    event: type
    writer: str
    partitions: int
    retention: timedelta | None
    max_bytes: int
    compacted: bool = False
    compatibility: str = "BACKWARD_TRANSITIVE"
    outbox: bool = False
    public: bool = False

    @property
    def dlq(self) -> str:
        """Where a record goes that its reader cannot use."""
        return self.name + DLQ_SUFFIX


# A dossier may have 20 MB of base64 (GATEWAY §6.7); with signature and headers it stays below 32.
_DOSSIER = 32 * MIB
_SMALL = 1 * MIB
_DAYS_30 = timedelta(days=30)
_YEAR = timedelta(days=366)

VISIT_CLOSED = Topic(VisitClosed.topic, VisitClosed, "adapter", 6, _DAYS_30, _DOSSIER)
VISIT_VALIDATED = Topic(VisitValidated.topic, VisitValidated, "validate", 6, _DAYS_30, _DOSSIER)
VISIT_REJECTED = Topic(VisitRejected.topic, VisitRejected, "validate", 2, _YEAR, 4 * MIB)
VISIT_SIGNED = Topic(VisitSigned.topic, VisitSigned, "sign", 6, _DAYS_30, _DOSSIER)
VISIT_ACCEPTED = Topic(VisitAccepted.topic, VisitAccepted, "forward", 6, _YEAR, _SMALL, outbox=True)
VISIT_REFUSED = Topic(VisitRefused.topic, VisitRefused, "forward", 2, _YEAR, _SMALL, outbox=True)
# `sign` and `publish` hold too (`held_by`), through the same outbox: its one producer is the relay.
VISIT_HELD = Topic(VisitHeld.topic, VisitHeld, "forward", 2, _YEAR, _SMALL, outbox=True)
VISIT_LATE_VERDICT = Topic(VisitLateVerdict.topic, VisitLateVerdict, "verdict", 2, _YEAR, _SMALL, outbox=True)
HEALTH_BOOK_ENTRY = Topic(
    HealthBookEntry.topic,
    HealthBookEntry,
    "publish",
    6,
    None,
    _DOSSIER,
    compacted=True,
    compatibility="FULL_TRANSITIVE",
    outbox=True,
    public=True,
)
HEALTH_BOOK_DISPLAYED = Topic(
    HealthBookDisplayed.topic,
    HealthBookDisplayed,
    "display",
    6,
    _YEAR,
    _SMALL,
    compatibility="FULL_TRANSITIVE",
    public=True,
)
HEALTH_BOOK_REMINDER = Topic(
    HealthBookReminder.topic,
    HealthBookReminder,
    "deadlines",
    2,
    _DAYS_30,
    _SMALL,
    compatibility="FULL_TRANSITIVE",
    public=True,
)
DEADLINE_CHANGED = Topic(
    DeadlineChanged.topic,
    DeadlineChanged,
    "deadlines",
    2,
    _YEAR,
    _SMALL,
    compatibility="FULL_TRANSITIVE",
    public=True,
)
DAY_COUNTED = Topic(DayCounted.topic, DayCounted, "adapter", 2, _YEAR, _SMALL)

TOPICS = (
    VISIT_CLOSED,
    VISIT_VALIDATED,
    VISIT_REJECTED,
    VISIT_SIGNED,
    VISIT_ACCEPTED,
    VISIT_REFUSED,
    VISIT_HELD,
    VISIT_LATE_VERDICT,
    HEALTH_BOOK_ENTRY,
    HEALTH_BOOK_DISPLAYED,
    HEALTH_BOOK_REMINDER,
    DEADLINE_CHANGED,
    DAY_COUNTED,
)
OUTBOX_TOPICS = tuple(topic for topic in TOPICS if topic.outbox)


def topic_named(name: str) -> Topic:
    """The row of a topic. Raises KeyError for a name that is not ours."""
    return {topic.name: topic for topic in TOPICS}[name]
