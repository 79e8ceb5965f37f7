"""What became of one revision: exactly one outcome, and of what waits, where and for what. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from streams.domain.held import AT_GATEWAY, BY_ITSELF, Standing, replaced_by, waits_for
from streams.domain.story import VisitState
from streams.domain.submission import State


class Outcome(StrEnum):
    """What became of a revision. `missing` was never seen on the bus; `pending` and `dead-letter` have no end yet."""

    DISPLAYED = "displayed"
    NOT_DUE = "not-due"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    REFUSED = "refused"
    LATE_VERDICT = "late-verdict"
    HELD = "held"
    DEAD_LETTER = "dead-letter"
    PENDING = "pending"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """An open dead letter. Which revision it is may be unknown: nothing but its key could be read."""

    ma_lk: str
    stage: str
    reason: str
    place: str
    on_day: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """A revision as the bus knows it. `on_day`: it closed on the day in question. `reason`: the code its story ends in.

    `dead` says where a dead letter of it lies that nobody dealt with, and which stage put it aside.
    """

    ma_lk: str
    revision: int
    closed_at: datetime | None
    on_day: bool
    state: VisitState
    reason: str | None = None
    standings: tuple[Standing, ...] = ()
    last_answer: str | None = None
    dead: DeadEnd | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One outcome: the stage at which it came to be or waits, its code, and what has to happen before it goes on."""

    outcome: Outcome
    stage: str | None = None
    reason: str | None = None
    waits_for: str | None = None


def explain(item: Known, visit: Sequence[Known]) -> Explanation:
    """What became of one revision; `visit`: all revisions of its visit."""
    received = [other.revision for other in visit if other.revision > item.revision and other.state in _RECEIVED]
    match item.state:
        case VisitState.DISPLAYED:
            return Explanation(Outcome.DISPLAYED)
        case VisitState.NOT_DUE if any(found.state not in _NOTHING_DUE for found in item.standings):
            pass  # a person released it since
        case VisitState.NOT_DUE | VisitState.WITHHELD | VisitState.WITHDRAWN:
            return Explanation(Outcome.NOT_DUE, reason=item.reason or str(item.state).upper())
    if received:
        return superseded(max(received), None)
    if item.state is VisitState.LATE_VERDICT:
        return Explanation(Outcome.LATE_VERDICT, "forward", item.reason, "the facility to correct it")
    standings = [standing for other in visit for standing in other.standings]
    standing = max(item.standings, key=lambda found: _WAY.index(found.stage), default=None)
    return (
        (_ended(standing, standings) if standing else None)
        or _told(item)
        or (stopped_by(item.dead) if item.dead else None)
        or _pending(item, standing, standings)
    )


_NOTHING_DUE = (State.NOT_DUE, State.ACCEPTED)
"""Where a revision stands of which nothing is due, with a reason: it is not sent, or its receipt is all."""

_WAY = ("sign", AT_GATEWAY, BY_ITSELF)
"""The stages that hold, in the order of the flow: the furthest one counts."""

_RECEIVED = (
    VisitState.ACCEPTED,
    VisitState.PUBLISHED,
    VisitState.WITHHELD,
    VisitState.WITHDRAWN,
    VisitState.DISPLAYED,
    VisitState.LATE_VERDICT,
)


def _ended(standing: Standing, visit: Sequence[Standing]) -> Explanation | None:
    """What the ledger, or a hold, says about the end of a revision."""
    newer = replaced_by(visit, standing.revision)
    match standing.state:
        case State.SUPERSEDED:
            return superseded(newer, standing.stage)
        case State.REFUSED:
            return Explanation(Outcome.REFUSED, standing.stage, standing.reason)
        case State.NOT_DUE:
            return Explanation(Outcome.NOT_DUE, standing.stage, standing.reason)
        case State.HELD if newer is not None and standing.stage != BY_ITSELF:
            return superseded(newer, standing.stage)
        case State.HELD:
            return Explanation(Outcome.HELD, standing.stage, standing.reason, waits_for(standing, visit))
    return None


def _told(item: Known) -> Explanation | None:
    """What its own event says about its end."""
    match item.state:
        case VisitState.REJECTED:
            return Explanation(Outcome.REJECTED, "validate", item.reason, "the facility to mend it and close it again")
        case VisitState.REFUSED:
            return Explanation(Outcome.REFUSED, "forward", item.reason, "the facility to mend it and close it again")
    return None


_NEXT = {
    VisitState.CLOSED: ("validate", "its turn"),
    VisitState.VALIDATED: ("sign", "its turn"),
    VisitState.SIGNED: ("forward", "its turn"),
    VisitState.HELD: ("forward", "its turn"),  # its hold has ended, and the ledger has it not yet
    VisitState.ACCEPTED: ("publish", "its turn"),
    VisitState.NOT_DUE: ("forward", "its turn"),
    VisitState.PUBLISHED: ("display", "the display side's acknowledgement"),
}


def _pending(item: Known, standing: Standing | None, visit: Sequence[Standing]) -> Explanation:
    stage, waits = _NEXT[item.state]
    if standing is not None and item.state not in _RECEIVED:
        if standing.state is State.ACCEPTED:
            return Explanation(Outcome.PENDING, "relay", waits_for="its answer to leave the outbox")
        stage, waits = standing.stage, waits_for(standing, visit) or waits
    return Explanation(Outcome.PENDING, stage, item.last_answer if stage == AT_GATEWAY else None, waits)


def superseded(by: int | None, stage: str | None) -> Explanation:
    """A newer revision took its place."""
    return Explanation(Outcome.SUPERSEDED, stage, None if by is None else f"by revision {by}")


def stopped_by(dead: DeadEnd) -> Explanation:
    """A dead letter that nobody dealt with."""
    return Explanation(
        Outcome.DEAD_LETTER, dead.stage, dead.reason, f"dlq redrive or dlq dismiss of the letter at {dead.place}"
    )
