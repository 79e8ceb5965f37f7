"""The life of one revision at the gateway (GATEWAY §12): its states, and which state follows which happening. Pure.

`MOVES` is the law: the ledger hands its rows to PostgreSQL (`streams/adapters/ledger.py`), so that there is no second
copy of it in SQL. What is not in the table does not happen: a late answer finds no move and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from events.visit import VisitAccepted, VisitHeld, VisitRefused, VisitSigned
from streams.domain.gateway_result import Reply


class State(StrEnum):
    """Where a revision is. ACCEPTED, REFUSED, SUPERSEDED end it; HELD and NOT_DUE can be changed by a person only."""

    READY = "READY"
    SENDING = "SENDING"
    OVERTAKEN = "OVERTAKEN"
    """In flight while a newer revision waits for it to land: whatever is answered is history."""
    WAITING = "WAITING"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    HELD = "HELD"
    SUPERSEDED = "SUPERSEDED"
    NOT_DUE = "NOT_DUE"
    """Not to be sent, with a reason: its content is already at the gateway, or a person decided so."""


class Happening(StrEnum):
    """What can happen to a revision."""

    CLAIMED = "CLAIMED"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    HELD = "HELD"
    LATER = "LATER"
    NEWER_REVISION = "NEWER_REVISION"
    SAME_CONTENT = "SAME_CONTENT"
    RELEASED = "RELEASED"
    ABANDONED = "ABANDONED"


IN_FLIGHT = (State.SENDING, State.OVERTAKEN)
CLAIMABLE = (State.READY, State.WAITING)

MOVES: Mapping[tuple[State, Happening], State] = {
    (State.READY, Happening.CLAIMED): State.SENDING,
    (State.READY, Happening.NEWER_REVISION): State.SUPERSEDED,
    (State.READY, Happening.SAME_CONTENT): State.NOT_DUE,
    (State.WAITING, Happening.CLAIMED): State.SENDING,
    (State.WAITING, Happening.NEWER_REVISION): State.SUPERSEDED,
    (State.SENDING, Happening.ACCEPTED): State.ACCEPTED,
    (State.SENDING, Happening.REFUSED): State.REFUSED,
    (State.SENDING, Happening.HELD): State.HELD,
    (State.SENDING, Happening.LATER): State.WAITING,
    (State.SENDING, Happening.NEWER_REVISION): State.OVERTAKEN,
    (State.OVERTAKEN, Happening.ACCEPTED): State.SUPERSEDED,
    (State.OVERTAKEN, Happening.REFUSED): State.SUPERSEDED,
    (State.OVERTAKEN, Happening.HELD): State.SUPERSEDED,
    (State.OVERTAKEN, Happening.LATER): State.SUPERSEDED,
    (State.HELD, Happening.RELEASED): State.READY,
    (State.HELD, Happening.ABANDONED): State.NOT_DUE,
    (State.HELD, Happening.NEWER_REVISION): State.SUPERSEDED,
    (State.NOT_DUE, Happening.RELEASED): State.READY,
}


def next_state(state: State, happening: Happening) -> State | None:
    """The state after the happening; None when it changes nothing."""
    return MOVES.get((state, happening))


@dataclass(frozen=True, slots=True)
class Submission:
    """One attempt to hand over one revision; its bytes were frozen when they were signed.

    `attempt` counts from 1 and is the fencing token too: every claim raises it, and only its holder may write a result.
    `started_at`, `due_at` and `give_up_at` are the database's time. A `probe` is sent to find out whether the gateway
    is back.
    """

    id: int
    visit: VisitSigned
    attempt: int
    holds: int
    started_at: datetime
    due_at: datetime
    give_up_at: datetime
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a visit waits for a person, and what that person does."""

    reason: str
    message_vi: str
    message_en: str
    mend_vi: str
    mend_en: str


@dataclass(frozen=True, slots=True)
class Later:
    """Not decided yet: the same bytes again, not before `at_least` has passed."""

    at_least: timedelta = timedelta()


Outcome = VisitAccepted | VisitRefused | VisitHeld | Later


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt brought: the answer as it came, kept as history, and what it means for the visit."""

    submission: Submission
    reply: Reply
    outcome: Outcome

    @property
    def happening(self) -> Happening:
        """The outcome as the state machine knows it."""
        match self.outcome:
            case VisitAccepted():
                return Happening.ACCEPTED
            case VisitRefused():
                return Happening.REFUSED
            case VisitHeld():
                return Happening.HELD
            case Later():
                return Happening.LATER


_STEPS = (5, 15, 45, 120, 300, 900)


def backoff(attempt: int, chance: float, scale: float = 1.0, left: timedelta = timedelta()) -> timedelta:
    """How long to wait after the attempt-th failure (GATEWAY §12.7): full jitter, `chance` (0..1) is the caller's.

    Full jitter (a wait anywhere between nothing and the step) spreads the visits that failed together in one outage.
    Of the time that is `left` until it is due no more than half is waited away; what is late already has none to save.
    """
    step: float = _STEPS[min(attempt, len(_STEPS)) - 1]
    if left > timedelta():
        step = min(step, max(_STEPS[0], left.total_seconds() / 2))
    return timedelta(seconds=step * chance * scale)
