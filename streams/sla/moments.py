"""What starts a clock of a revision, what keeps its promise, what takes its place, and why it need not be kept.

The names are those of `schemas/clocks.toml`. All of it is read from facts that only grow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from streams.sla.clock import Clock
from streams.sla.facts import Facts


@dataclass(frozen=True, slots=True)
class Start:
    """When a clock starts. Provisional: the receipt is not known, the sending whose answer was lost is."""

    at: datetime
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """How a clock of one revision goes on; `replaced`: a newer revision is owed in its place."""

    start: Start | None
    met: datetime | None
    replaced: datetime | None
    not_due: str | None


def course(clock: Clock, facts: Facts, newer: Sequence[Facts]) -> Course:
    """`newer`: what is known about the later revisions of the same visit."""
    start = _STARTS[clock.starts_on](facts) if of_a_revision(clock) else None
    return Course(start, *_STOPS[clock.stops_on](facts, newer)) if start else Course(None, None, None, None)


def first(instants: Sequence[datetime | None]) -> datetime | None:
    """The earliest that is known."""
    return min((instant for instant in instants if instant is not None), default=None)


_Stop = tuple[datetime | None, datetime | None, str | None]


def _receipt_of(facts: Facts) -> Start | None:
    if facts.received_at is not None:
        return Start(facts.received_at)
    return None if facts.lost_since is None else Start(facts.lost_since, provisional=True)


def _received(facts: Facts, newer: Sequence[Facts]) -> _Stop:
    # A correction that was rejected replaces nothing: this revision is still to be sent. Whoever must correct the
    # dossier first has no receipt to wait for; the correction has its own clock.
    replaced = first([other.closed_at for other in newer if other.stopped_by != "REJECTED"])
    return facts.received_at, replaced, facts.stopped_by


def _shown(facts: Facts, newer: Sequence[Facts]) -> _Stop:
    # A higher version on the screen shows this visit as well (HEALTHBOOK §5, stop).
    met = first([facts.displayed_at, *(other.displayed_at for other in newer)])
    # The gateway's clear no, or a person's, also ends the time that was counted for a receipt that might have been.
    in_vain = facts.stopped_by if facts.received_at is None else None
    return met, first([other.received_at for other in newer]), facts.not_due_because or in_vain


def _corrected(_facts: Facts, newer: Sequence[Facts]) -> _Stop:
    return first([other.received_at for other in newer]), None, None


_STARTS: dict[str, Callable[[Facts], Start | None]] = {
    "closed": lambda facts: Start(facts.closed_at) if facts.closed_at else None,
    "receipt": _receipt_of,
    "late-verdict": lambda facts: Start(facts.late_verdict_at) if facts.late_verdict_at else None,
}
_STOPS: dict[str, Callable[[Facts, Sequence[Facts]], _Stop]] = {
    "received": _received,
    "shown": _shown,
    "correction": _corrected,
}


def of_a_revision(clock: Clock) -> bool:
    """Whether the events of a visit tell its moments; those of a difficulty will be told by its desk."""
    return clock.starts_on in _STARTS and clock.stops_on in _STOPS
