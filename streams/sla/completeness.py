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
    return [_outcome(item, explain(one, known).outcome, visit) for item, one in zip(visit, known, strict=True)]


def _outcome(item: Progress, told: Outcome, visit: Sequence[Progress]) -> Outcome:
    """A newer revision that was rejected takes nobody's place, whatever was told before it was."""
    newer = [other for other in visit if other.revision > item.revision]
    in_vain = newer and all(Step.REJECTED in other.steps for other in newer)
    replaced = told is Outcome.PENDING and Step.SUPERSEDED in item.steps and not in_vain
    return Outcome.SUPERSEDED if replaced else told


def _known(item: Progress) -> Known:
    steps = dict(item.steps)
    not_due, refused = steps.get(Step.NOT_DUE), steps.get(Step.REFUSED)
    if not_due and refused and refused > not_due:
        del steps[Step.NOT_DUE]  # given up, then released by a person
    states = [VisitState(step) for step in steps if step in _STATES]
    held = [
        Standing(item.revision, stage, State.HELD, None, steps[step], 1)
        for step, (stage, after) in _HELD.items()
        if step in steps and not any(later in steps for later in (*after, Step.NOT_DUE))
    ]
    state = max(states, key=_RANK.__getitem__, default=VisitState.CLOSED)
    return Known(item.ma_lk, item.revision, item.closed_at, True, state, standings=tuple(held))


_STATES = frozenset(str(state) for state in VisitState)
_RANK = {state: rank for rank, state in enumerate(VisitState)}
