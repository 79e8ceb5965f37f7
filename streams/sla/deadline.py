"""Clocks: what the law, or we ourselves, promise to do in time. Pure: facts and the present moment in, states out.

A state is a function of facts that only ever grow (`Facts`), never of the order in which events came: replay,
repetition and reordering end in the same states. Rules: HEALTHBOOK §5.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from events.deadline import DeadlineState
from streams.sla.calendar import Decreed, end_of_working_day, nothing_decreed


@dataclass(frozen=True, slots=True)
class Clock:
    """A promise as data: a time by the wall clock, or a number of working days. `at_risk` is the share after which
    it is AT_RISK.
    """

    name: str
    duration: timedelta | int
    legal_basis: str
    at_risk: float = 0.75

    def due(self, start: datetime, decreed: Decreed) -> datetime:
        """The last instant at which it is kept."""
        if isinstance(self.duration, timedelta):
            return start + self.duration
        return end_of_working_day(start, self.duration, decreed)

    def lasting(self, duration: timedelta) -> "Clock":
        """The same promise with another duration."""
        return replace(self, duration=duration)


CLOSED_TO_RECEIPT = Clock("closed-to-receipt", timedelta(minutes=15), "S000-31, S003-20: sent when the visit ends")
RECEIPT_TO_SHOWN = Clock("receipt-to-shown", timedelta(hours=24), "QĐ 2733/QĐ-BYT annex 01 Art. 5; S000-16, S003-13")

VERDICT_TO_CORRECTION = Clock("late-verdict-to-correction", 2, "Circular 12/2026/TT-BTC Art. 9: 2 working days")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one revision of a visit; all instants aware UTC, None while unknown."""

    facility: str
    ma_lk: str
    revision: int
    closed_at: datetime | None = None
    received_at: datetime | None = None
    displayed_at: datetime | None = None
    stopped_by: str | None = None
    not_due_because: str | None = None
    late_verdict_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """One clock of one revision. `late`: the due time passed unmet, which nothing later undoes."""

    clock: str
    facility: str
    ma_lk: str
    revision: int
    started_at: datetime
    due_at: datetime
    state: DeadlineState
    stopped_at: datetime | None
    late: bool
    reason: str | None
    next_look_at: datetime | None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Which clock of which revision."""
        return self.clock, self.facility, self.ma_lk, self.revision


def deadlines(
    visit: Sequence[Facts], clocks: Sequence[Clock], now: datetime, decreed: Decreed = nothing_decreed
) -> list[Deadline]:
    """The clocks of all revisions of one visit, as they stand at `now`."""
    return [
        found
        for facts in visit
        for clock in clocks
        if (
            found := _deadline(
                clock, facts, [other for other in visit if other.revision > facts.revision], now, decreed
            )
        )
    ]


@dataclass(frozen=True, slots=True)
class _Course:
    """What starts a clock, what keeps its promise, what takes its place, and why it need not be kept."""

    start: datetime | None
    met: datetime | None
    replaced: datetime | None = None
    not_due: str | None = None


def _course(clock: Clock, facts: Facts, newer: Sequence[Facts]) -> _Course:
    received_later = _first([other.received_at for other in newer])
    if clock.name == CLOSED_TO_RECEIPT.name:
        return _Course(
            facts.closed_at,
            met=facts.received_at,
            # A correction that was rejected replaces nothing: this revision is still to be sent.
            replaced=_first([other.closed_at for other in newer if other.stopped_by != "REJECTED"]),
            # Whoever must correct the dossier first has no receipt to wait for; the correction has its own clock.
            not_due=facts.stopped_by,
        )
    if clock.name == VERDICT_TO_CORRECTION.name:
        return _Course(facts.late_verdict_at, met=received_later)
    return _Course(
        facts.received_at,
        # A higher version on the screen shows this visit as well (HEALTHBOOK §5, stop).
        met=_first([facts.displayed_at, *(other.displayed_at for other in newer)]),
        replaced=received_later,
        not_due=facts.not_due_because,
    )


def _deadline(clock: Clock, facts: Facts, newer: Sequence[Facts], now: datetime, decreed: Decreed) -> Deadline | None:
    course = _course(clock, facts, newer)
    start, met, not_due = course.start, course.met, course.not_due
    if start is None:
        return None
    due = clock.due(start, decreed)
    at_risk = start + (due - start) * clock.at_risk
    stopped = _first([met, course.replaced])
    if stopped is not None:
        stopped = max(stopped, start)  # a late answer for an old revision: it was replaced before its clock started
        state = DeadlineState.MET if met is not None and met <= stopped else DeadlineState.SUPERSEDED
    elif not_due is not None:
        state, stopped = DeadlineState.NOT_DUE, start
    else:
        state = DeadlineState.AT_RISK if now >= at_risk else DeadlineState.RUNNING
    late = (stopped or now) > due  # exactly at the due time is in time (S000-16)
    return Deadline(
        clock=clock.name,
        facility=facts.facility,
        ma_lk=facts.ma_lk,
        revision=facts.revision,
        started_at=start,
        due_at=due,
        state=DeadlineState.BREACHED if late else state,
        stopped_at=stopped,
        late=late,
        reason=not_due if state is DeadlineState.NOT_DUE else None,
        next_look_at=None if stopped or late else at_risk if now < at_risk else due,
    )


def _first(instants: Sequence[datetime | None]) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)
