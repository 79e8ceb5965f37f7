"""Closed = sum of outcomes, as a running count: of each facility and day, how many revisions ended how. Pure.

The outcomes are those of `facility reconcile`, told from the events alone: what only the ledger knows (a revision that
a person released) is seen here when its next event comes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from streams.domain.dossier.moments import VIETNAM
from streams.domain.held import Standing
from streams.domain.outcome import Known, Outcome, explain
from streams.domain.story import VisitState
from streams.domain.submission import State
from streams.sla.flow import Progress, Step

Day = tuple[str, date, Outcome]

_HELD = {
    Step.SIGN_HELD: ("sign", (Step.SIGNED,)),
    Step.FORWARD_HELD: ("forward", (Step.ACCEPTED, Step.REFUSED)),
    Step.PUBLISH_HELD: ("publish", (Step.PUBLISHED, Step.WITHHELD, Step.WITHDRAWN)),
}
"""The stage that held a revision, and the steps that show that it went on."""


def days(items: Iterable[Progress]) -> Counter[Day]:
    """How many revisions ended in each outcome, by facility and Vietnam's day of closing; `items`: whole visits."""
    visits: dict[tuple[str, str], list[Progress]] = defaultdict(list)
    for item in items:
        visits[item.facility, item.ma_lk].append(item)
    return Counter(
        (item.facility, item.closed_at.astimezone(VIETNAM).date(), outcome)
        for visit in visits.values()
        for item, outcome in zip(visit, outcomes(visit), strict=True)
        if item.closed_at is not None
    )


def outcomes(visit: Sequence[Progress]) -> list[Outcome]:
    """The one outcome of each revision of a visit, in their order."""
    known = [_known(item) for item in visit]
    return [_outcome(item, explain(one, known).outcome) for item, one in zip(visit, known, strict=True)]


def _outcome(item: Progress, told: Outcome) -> Outcome:
    replaced = told is Outcome.PENDING and Step.SUPERSEDED in item.steps
    return Outcome.SUPERSEDED if replaced else told


def _known(item: Progress) -> Known:
    states = [VisitState(step) for step in item.steps if step in _STATES]
    held = [
        Standing(item.revision, stage, State.HELD, None, item.steps[step], 1)
        for step, (stage, after) in _HELD.items()
        if step in item.steps and not any(later in item.steps for later in after)
    ]
    state = max(states, key=_RANK.__getitem__, default=VisitState.CLOSED)
    return Known(item.ma_lk, item.revision, item.closed_at, True, state, standings=tuple(held))


_STATES = frozenset(str(state) for state in VisitState)
_RANK = {state: rank for rank, state in enumerate(VisitState)}
