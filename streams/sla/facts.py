"""What each event says about the clocks of its revision."""

from dataclasses import fields, replace
from functools import singledispatch
from typing import Any

from events.health_book import EntryVersion, HealthBookDisplayed
from events.visit import (
    PersonKeyKind,
    VisitAccepted,
    VisitClosed,
    VisitLateVerdict,
    VisitRefused,
    VisitRejected,
)
from streams.sla.deadline import Facts

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

_KEY = ("facility", "ma_lk", "revision")


@singledispatch
def facts_of(event: Any) -> Facts | None:
    """The facts in an event; None when it says nothing about a clock."""
    raise TypeError(f"{type(event).__name__} is not in TELLING")


@facts_of.register
def _(event: VisitClosed) -> Facts:
    return Facts(event.facility, event.ma_lk, event.revision, closed_at=event.closed_at)


@facts_of.register
def _(event: VisitRejected) -> Facts | None:
    # Other bytes under a revision that is taken: the revision itself goes its own way.
    if any(finding.code == "REV-001" for finding in event.findings):
        return None
    return Facts(event.facility, event.ma_lk, event.revision, closed_at=event.closed_at, stopped_by="REJECTED")


@facts_of.register
def _(event: VisitRefused) -> Facts:
    return Facts(event.facility, event.ma_lk, event.revision, closed_at=event.closed_at, stopped_by="REFUSED")


@facts_of.register
def _(event: VisitAccepted) -> Facts:
    return Facts(
        event.facility,
        event.ma_lk,
        event.revision,
        closed_at=event.closed_at,
        received_at=event.received_at,
        not_due_because="NO_IDENTIFIER" if event.person_key_kind is PersonKeyKind.NONE else None,
    )


@facts_of.register
def _(event: VisitLateVerdict) -> Facts:
    return Facts(event.facility, event.ma_lk, event.revision, closed_at=event.closed_at, late_verdict_at=event.told_at)


@facts_of.register
def _(event: EntryVersion) -> Facts | None:
    facility, _, ma_lk = event.key.partition("|")
    return Facts(facility, ma_lk, event.revision, not_due_because="WITHHELD") if event.state == "WITHHELD" else None


@facts_of.register
def _(event: HealthBookDisplayed) -> Facts:
    facility, _, ma_lk = event.key.partition("|")
    return Facts(facility, ma_lk, event.revision, displayed_at=event.displayed_at)


def merge(one: Facts, other: Facts) -> Facts:
    """Both about the same revision; of two values the lesser, so that the order of merging does not matter."""
    names = [field.name for field in fields(Facts) if field.name not in _KEY]
    known = {name: [v for v in (getattr(one, name), getattr(other, name)) if v is not None] for name in names}
    return replace(one, **{name: min(values) for name, values in known.items() if values})
