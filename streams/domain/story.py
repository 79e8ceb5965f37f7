"""A visit's story: one line for each event about it, and what has become of the visit by it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from events.deadline import DeadlineChanged, DeadlineState
from events.health_book import EntryState, HealthBookDisplayed, HealthBookEntry
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


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One event in the story of a visit. `detail` is JSON: codes, times and counts, nothing of a person."""

    event_id: UUID
    facility: str
    ma_lk: str
    revision: int
    type: str
    happened_at: datetime
    detail: dict[str, Any]


class VisitState(StrEnum):
    """What has become of a revision of a visit. Of two that its story tells, the one further down holds.

    By rank and not by time: the clocks of two machines differ, and a repeated hand-over is rejected after the first
    went its way.
    """

    CLOSED = "closed"
    REJECTED = "rejected"
    VALIDATED = "validated"
    SIGNED = "signed"
    HELD = "held"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    NOT_DUE = "not-due"
    PUBLISHED = "published"
    WITHHELD = "withheld"
    WITHDRAWN = "withdrawn"
    DISPLAYED = "displayed"
    LATE_VERDICT = "late-verdict"


_BY_TYPE = {
    VisitClosed.topic: VisitState.CLOSED,
    VisitRejected.topic: VisitState.REJECTED,
    VisitValidated.topic: VisitState.VALIDATED,
    VisitSigned.topic: VisitState.SIGNED,
    VisitHeld.topic: VisitState.HELD,
    VisitRefused.topic: VisitState.REFUSED,
    VisitAccepted.topic: VisitState.ACCEPTED,
    HealthBookDisplayed.topic: VisitState.DISPLAYED,
    VisitLateVerdict.topic: VisitState.LATE_VERDICT,
}
_BY_ENTRY_STATE = {
    EntryState.ACTIVE: VisitState.PUBLISHED,
    EntryState.WITHHELD: VisitState.WITHHELD,
    EntryState.WITHDRAWN: VisitState.WITHDRAWN,
}
_ENDED_BEFORE = ("REJECTED", "REFUSED")  # the visit's own event says so
_RANK = {state: rank for rank, state in enumerate(VisitState)}


def state_of(lines: Iterable[Mapping[str, Any]]) -> VisitState | None:
    """The state of one revision by its lines (`type`, `detail`); None when they say nothing about it."""
    return max((found for line in lines if (found := _told_by(line))), key=_RANK.__getitem__, default=None)


def _told_by(line: Mapping[str, Any]) -> VisitState | None:
    detail = line["detail"]
    if line["type"] == HealthBookEntry.topic:
        return _BY_ENTRY_STATE[detail["state"]]
    if line["type"] == DeadlineChanged.topic:
        nothing_due = detail["state"] == DeadlineState.NOT_DUE and detail["reason"] not in _ENDED_BEFORE
        return VisitState.NOT_DUE if nothing_due else None
    return _BY_TYPE.get(line["type"])
