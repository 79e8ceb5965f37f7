"""How far each revision has come, and when: facts that only grow. Pure; nothing here depends on the order of events.

`merge` takes the earliest instant of each step, so replay, repetition and reordering end in the same facts, and what is
counted from them (`hours`, `streams/sla/completeness.py`) is the same too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import singledispatch
from typing import Any

from events.deadline import DeadlineChanged, DeadlineState
from events.health_book import EntryState, EntryVersion, HealthBookDisplayed
from events.visit import (
    PersonKeyKind,
    VisitAccepted,
    VisitClosed,
    VisitEvent,
    VisitHeld,
    VisitLateVerdict,
    VisitRefused,
    VisitRejected,
    VisitSigned,
    VisitValidated,
)


class Step(StrEnum):
    """What can have happened to a revision."""

    CLOSED = "closed"
    VALIDATED = "validated"
    REJECTED = "rejected"
    SIGNED = "signed"
    SIGN_HELD = "sign-held"
    FORWARD_HELD = "forward-held"
    PUBLISH_HELD = "publish-held"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    PUBLISHED = "published"
    WITHHELD = "withheld"
    WITHDRAWN = "withdrawn"
    DISPLAYED = "displayed"
    LATE_VERDICT = "late-verdict"
    SUPERSEDED = "superseded"
    NOT_DUE = "not-due"


STAGE = {
    Step.CLOSED: "close",
    Step.VALIDATED: "validate",
    Step.REJECTED: "validate",
    Step.SIGNED: "sign",
    Step.SIGN_HELD: "sign",
    Step.FORWARD_HELD: "forward",
    Step.ACCEPTED: "forward",
    Step.REFUSED: "forward",
    Step.PUBLISH_HELD: "publish",
    Step.PUBLISHED: "publish",
    Step.WITHHELD: "publish",
    Step.WITHDRAWN: "publish",
    Step.DISPLAYED: "display",
    Step.LATE_VERDICT: "verdict",
}
"""The stage at which a step happens; what a clock tells happens at none."""

FIGURED = timedelta(weeks=9)
"""How old a step may be that some figure still counts: what the rhythms are learned from (`silence.py`), and a week."""

Revision = tuple[str, str, int]
Hour = tuple[str, Step, datetime]


@dataclass(frozen=True, slots=True)
class ClosedHead(VisitEvent):
    """`visit.closed.v1` without the dossier: reading skips what the class does not have."""

    topic = VisitClosed.topic
    stage = VisitClosed.stage


@dataclass(frozen=True, slots=True)
class ValidatedHead(VisitEvent):
    """`visit.validated.v1` without the dossier."""

    topic = VisitValidated.topic
    stage = VisitValidated.stage


@dataclass(frozen=True, slots=True)
class SignedHead(VisitEvent):
    """`visit.signed.v1` without the envelope."""

    topic = VisitSigned.topic
    stage = VisitSigned.stage


PASSING = (
    ClosedHead,
    ValidatedHead,
    VisitRejected,
    SignedHead,
    VisitAccepted,
    VisitRefused,
    VisitHeld,
    VisitLateVerdict,
    EntryVersion,
    HealthBookDisplayed,
    DeadlineChanged,
)
"""The events that say how far a revision has come."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of one revision. `closed_at`: when its visit closed; `steps`: when each was first told."""

    facility: str
    ma_lk: str
    revision: int
    closed_at: datetime | None
    steps: Mapping[Step, datetime]

    @property
    def key(self) -> Revision:
        """Which revision of which visit."""
        return self.facility, self.ma_lk, self.revision


def progress(event: Any, at: datetime) -> Progress | None:
    """What an event says, told at `at` (the time of its record); None when it is nothing new about a revision."""
    steps = steps_of(event)
    if not steps:
        return None
    facility, ma_lk = event.key.split("|")[-2:]
    closed_at = event.closed_at if isinstance(event, VisitEvent) else None
    return Progress(facility, ma_lk, event.revision, closed_at, dict.fromkeys(steps, at))


@singledispatch
def steps_of(event: Any) -> tuple[Step, ...]:
    """The steps that an event tells of."""
    raise TypeError(f"{type(event).__name__} is not in PASSING")


@steps_of.register
def _(_event: ClosedHead) -> tuple[Step, ...]:
    return (Step.CLOSED,)


@steps_of.register
def _(_event: ValidatedHead) -> tuple[Step, ...]:
    return (Step.VALIDATED,)


@steps_of.register
def _(event: VisitRejected) -> tuple[Step, ...]:
    # Other bytes under a revision that is taken: the revision itself goes its own way.
    return () if any(finding.code == "REV-001" for finding in event.findings) else (Step.REJECTED,)


@steps_of.register
def _(_event: SignedHead) -> tuple[Step, ...]:
    return (Step.SIGNED,)


@steps_of.register
def _(event: VisitAccepted) -> tuple[Step, ...]:
    nobody = event.person_key_kind is PersonKeyKind.NONE
    return (Step.ACCEPTED, Step.NOT_DUE) if nobody else (Step.ACCEPTED,)


@steps_of.register
def _(_event: VisitRefused) -> tuple[Step, ...]:
    return (Step.REFUSED,)


@steps_of.register
def _(event: VisitHeld) -> tuple[Step, ...]:
    return (Step(f"{event.held_by}-held"),)


@steps_of.register
def _(_event: VisitLateVerdict) -> tuple[Step, ...]:
    return (Step.LATE_VERDICT,)


_ENTRY = {
    EntryState.ACTIVE: Step.PUBLISHED,
    EntryState.WITHHELD: Step.WITHHELD,
    EntryState.WITHDRAWN: Step.WITHDRAWN,
}


@steps_of.register
def _(event: EntryVersion) -> tuple[Step, ...]:
    return (_ENTRY[event.state],)


@steps_of.register
def _(_event: HealthBookDisplayed) -> tuple[Step, ...]:
    return (Step.DISPLAYED,)


_BY_CLOCK = {DeadlineState.NOT_DUE: Step.NOT_DUE, DeadlineState.SUPERSEDED: Step.SUPERSEDED}


@steps_of.register
def _(event: DeadlineChanged) -> tuple[Step, ...]:
    step = _BY_CLOCK.get(event.state)
    told_by_itself = event.reason in ("REJECTED", "REFUSED")  # by the visit's own event
    return () if step is None or told_by_itself else (step,)


def merge(items: Iterable[Progress]) -> dict[Revision, Progress]:
    """All facts of each revision together; the earliest instant of each, so that the order does not matter."""
    merged: dict[Revision, Progress] = {}
    for item in items:
        before = merged.get(item.key)
        merged[item.key] = item if before is None else _both(before, item)
    return merged


def _both(one: Progress, other: Progress) -> Progress:
    steps = {
        step: min(at for at in (one.steps.get(step), other.steps.get(step)) if at is not None)
        for step in one.steps.keys() | other.steps.keys()
    }
    closed = [at for at in (one.closed_at, other.closed_at) if at is not None]
    return Progress(*one.key, min(closed, default=None), steps)


def hours(items: Iterable[Progress]) -> Counter[Hour]:
    """How many revisions took each step in each hour, by facility."""
    return Counter(
        (item.facility, step, at.astimezone(UTC).replace(minute=0, second=0, microsecond=0))
        for item in items
        for step, at in item.steps.items()
    )
