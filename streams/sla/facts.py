"""What each event says about the clocks of its revision."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import singledispatch
from typing import Any

from events.health_book import EntryState, EntryVersion, HealthBookDisplayed
from events.visit import (
    PersonKeyKind,
    VisitAccepted,
    VisitClosed,
    VisitLateVerdict,
    VisitRefused,
    VisitRejected,
)

_KEY = ("facility", "ma_lk", "revision")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one revision of a visit; all instants aware UTC, None while unknown.

    `lost_since`: when a sending left whose answer was lost; the ledger knows it, no event tells. `entry_partition` and
    `entry_offset`: where the entry lies in its topic, for the display side to read it again.
    """

    facility: str
    ma_lk: str
    revision: int
    closed_at: datetime | None = None
    received_at: datetime | None = None
    displayed_at: datetime | None = None
    stopped_by: str | None = None
    not_due_because: str | None = None
    late_verdict_at: datetime | None = None
    entry_partition: int | None = None
    entry_offset: int | None = None
    lost_since: datetime | None = None

    @property
    def offered(self) -> bool:
        """The entry is on the bus, where the display side can read it."""
        return self.entry_offset is not None


TELLING = (
    VisitClosed,
    VisitRejected,
    VisitAccepted,
    VisitRefused,
    VisitLateVerdict,
    EntryVersion,
    HealthBookDisplayed,
)
"""The events that say something about a clock."""


def facts_of(event: Any, partition: int, offset: int) -> Facts | None:
    """The facts in an event whose record lies there; None when it says nothing about a clock."""
    found = _told_by(event)
    if isinstance(event, EntryVersion) and event.state is EntryState.ACTIVE and found is not None:
        return replace(found, entry_partition=partition, entry_offset=offset)
    return found


@singledispatch
def _told_by(event: Any) -> Facts | None:
    raise TypeError(f"{type(event).__name__} is not in TELLING")


@_told_by.register
def _(event: VisitClosed) -> Facts:
    return Facts(event.facility, event.ma_lk, event.revision, closed_at=event.closed_at)


@_told_by.register
def _(event: VisitRejected) -> Facts | None:
    # Other bytes under a revision that is taken: the revision itself goes its own way.
    if any(finding.code == "REV-001" for finding in event.findings):
        return None
    return Facts(event.facility, event.ma_lk, event.revision, closed_at=event.closed_at, stopped_by="REJECTED")


@_told_by.register
def _(event: VisitRefused) -> Facts:
    return Facts(event.facility, event.ma_lk, event.revision, closed_at=event.closed_at, stopped_by="REFUSED")


@_told_by.register
def _(event: VisitAccepted) -> Facts:
    return Facts(
        event.facility,
        event.ma_lk,
        event.revision,
        closed_at=event.closed_at,
        received_at=event.received_at,
        not_due_because="NO_IDENTIFIER" if event.person_key_kind is PersonKeyKind.NONE else None,
    )


@_told_by.register
def _(event: VisitLateVerdict) -> Facts:
    return Facts(event.facility, event.ma_lk, event.revision, closed_at=event.closed_at, late_verdict_at=event.told_at)


@_told_by.register
def _(event: EntryVersion) -> Facts:
    facility, _, ma_lk = event.key.partition("|")
    withheld = "WITHHELD" if event.state is EntryState.WITHHELD else None
    return Facts(facility, ma_lk, event.revision, not_due_because=withheld)


@_told_by.register
def _(event: HealthBookDisplayed) -> Facts:
    facility, _, ma_lk = event.key.partition("|")
    return Facts(facility, ma_lk, event.revision, displayed_at=event.displayed_at)


def merge(one: Facts, other: Facts) -> Facts:
    """Both about the same revision; of two values the lesser, so that the order of merging does not matter."""
    names = [field.name for field in fields(Facts) if field.name not in _KEY]
    known = {name: [v for v in (getattr(one, name), getattr(other, name)) if v is not None] for name in names}
    return replace(one, **{name: min(values) for name, values in known.items() if values})
