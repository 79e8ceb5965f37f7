"""The clocks of one visit, computed: facts, clocks and the present moment in, states out. Pure.

A state is a function of facts that only ever grow (`Facts`), never of the order in which events came: replay,
repetition and reordering end in the same states. Rules: HEALTHBOOK §5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.deadline import DeadlineState
from streams.sla.calendar import Decreed, nothing_decreed
from streams.sla.clock import Clock, moment
from streams.sla.facts import Facts
from streams.sla.moments import course, first


@dataclass(frozen=True, slots=True)
class Deadline:
    """One clock of one revision. `late`: the due time passed unmet, which nothing later undoes, unless it was
    `provisional` (counted from a sending whose answer was lost) and the receipt corrects it.

    `warned`: highest warning mark it reached, in percent. `offer_again`: the mark for which its entry is to be offered
    to the display side again; 0: not.
    """

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
    warned: int = 0
    provisional: bool = False
    offer_again: int = 0

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Which clock of which revision."""
        return self.clock, self.facility, self.ma_lk, self.revision

    @property
    def running(self) -> bool:
        """Neither kept, nor replaced, nor void; it may be late."""
        return self.stopped_at is None


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


def _deadline(clock: Clock, facts: Facts, newer: Sequence[Facts], now: datetime, decreed: Decreed) -> Deadline | None:
    way = course(clock, facts, newer)
    if way.start is None or not clock.counts_for(way.start.at):
        return None
    start = way.start.at
    due = clock.due(start, decreed)
    stopped = first([way.met, way.replaced])
    if stopped is not None:
        stopped = max(stopped, start)  # a late answer for an old revision: it was replaced before its clock started
    elif way.not_due is not None:
        stopped = start
    until = stopped or now
    late = until > due  # exactly at the due time is in time (S000-16)
    warned = clock.share_gone(start, due, clock.warn_at, until)
    if late:
        state = DeadlineState.BREACHED
    elif stopped is None:
        state = DeadlineState.AT_RISK if until >= moment(start, due, clock.at_risk) else DeadlineState.RUNNING
    elif way.met is not None and way.met <= stopped:
        state = DeadlineState.MET
    else:
        state = DeadlineState.SUPERSEDED if way.replaced is not None else DeadlineState.NOT_DUE
    offered = stopped is None and facts.offered
    return Deadline(
        clock=clock.name,
        facility=facts.facility,
        ma_lk=facts.ma_lk,
        revision=facts.revision,
        started_at=start,
        due_at=due,
        state=state,
        stopped_at=stopped,
        late=late,
        reason=way.not_due if state is DeadlineState.NOT_DUE else None,
        next_look_at=None if stopped or late else _next_look(clock, start, due, now),
        warned=warned,
        provisional=way.start.provisional,
        offer_again=clock.share_gone(start, due, clock.offer_again_at, now) if offered else 0,
    )


def _next_look(clock: Clock, start: datetime, due: datetime, now: datetime) -> datetime:
    marks = {*clock.warn_at, *clock.offer_again_at, clock.at_risk}
    return min((at for mark in marks if (at := moment(start, due, mark)) > now), default=due)
