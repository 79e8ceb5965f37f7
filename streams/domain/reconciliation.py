"""Closed = sum of outcomes, by name (DESIGN §1.1): what became of every visit that a HIS closed on one day. Pure.

Of each revision exactly one `Outcome` is told; what waits says where, and for what. What was closed is said by the
HIS's own list (`by_list`) or by the counts of its adapters (`by_count`), which name only what they still hold.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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


IN_HIS, IN_SPOOL = "his", "spool"
"""Where a revision is that is missing before us."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A line of the HIS's list. Without a revision it is about the visit: the newest revision of that day."""

    ma_lk: str
    revision: int | None = None


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
    dead: "DeadEnd | None" = None


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """An open dead letter. Which revision it is may be unknown: nothing but its key could be read."""

    ma_lk: str
    stage: str
    reason: str
    place: str
    on_day: bool = True


@dataclass(frozen=True, slots=True)
class Spooled:
    """A revision that its adapter still had when it last told. `refused`: why the broker will never take it."""

    ma_lk: str
    revision: int
    refused: str | None
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """One outcome: the stage at which it came to be or waits, its code, and what has to happen before it goes on."""

    outcome: Outcome
    stage: str | None = None
    reason: str | None = None
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One closed visit and what became of it. `listed` is False when the HIS does not say that it closed it."""

    ma_lk: str
    revision: int | None
    closed_at: datetime | None
    listed: bool
    explained: Explanation


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`closed`: how many the HIS says it closed. `nameless`: counted by an adapter, never seen, not in its spool."""

    closed: int
    rows: tuple[Row, ...]
    nameless: int = 0

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many of each; together `closed + unlisted`."""
        counted = Counter(row.explained.outcome for row in self.rows)
        counted[Outcome.MISSING] += self.nameless
        return +counted

    @property
    def unlisted(self) -> int:
        """How many are known here and were not closed by what the HIS says."""
        return len(self.rows) + self.nameless - self.closed

    @property
    def balanced(self) -> bool:
        """Nothing is missing on either side."""
        return not self.outcomes[Outcome.MISSING] and not self.unlisted


class Day:
    """What is known here of one facility's day."""

    def __init__(
        self,
        known: Iterable[Known],
        spooled: Iterable[Spooled] = (),
        dead: Iterable[DeadEnd] = (),
        outages: Mapping[str, str] = {},
    ) -> None:
        """`outages`: what is out at present and keeps a stage from moving anything on."""
        self._outages = outages
        self._visits: dict[str, list[Known]] = defaultdict(list)
        for item in sorted(known, key=lambda item: item.revision):
            self._visits[item.ma_lk].append(item)
        self._spooled = {(item.ma_lk, item.revision): item for item in spooled}
        self._dead = {item.ma_lk: item for item in dead}

    def by_list(self, listed: Iterable[Closed]) -> Reconciliation:
        """Compares with the HIS's own list; a line that comes twice counts once. Of a record that could not be read the
        revision is unknown: its visit, when something else of it is known, is told by that.
        """
        lines = dict.fromkeys(listed)
        numbered = {(line.ma_lk, line.revision) for line in lines if line.revision is not None}
        whole = {line.ma_lk for line in lines if line.revision is None}
        names = whole | {ma_lk for ma_lk, _ in numbered} | self._visits.keys()
        rows = [self._row(line, listed=True) for line in lines]
        rows += [
            self._row(Closed(item.ma_lk, item.revision), listed=False)
            for item in self._on_day()
            if item.ma_lk not in whole and (item.ma_lk, item.revision) not in numbered
        ]
        rows += [
            _unread(item, listed=False) for ma_lk, item in self._dead.items() if item.on_day and ma_lk not in names
        ]
        return Reconciliation(len(lines), tuple(rows))

    def by_count(self, closed: int) -> Reconciliation:
        """Compares with what the adapters counted; what they counted and nobody knows by name is nameless."""
        known = {(item.ma_lk, item.revision) for visit in self._visits.values() for item in visit}
        names = [Closed(item.ma_lk, item.revision) for item in self._on_day()]
        names += [Closed(*revision) for revision in self._spooled if revision not in known]
        rows = [self._row(name, listed=True) for name in names]
        rows += [
            _unread(item, listed=True)
            for ma_lk, item in self._dead.items()
            if item.on_day and not any(ma_lk == waiting for waiting, _ in self._spooled)
        ]
        return Reconciliation(closed, tuple(rows), nameless=max(0, closed - len(rows)))

    def _on_day(self) -> list[Known]:
        return [item for visit in self._visits.values() for item in visit if item.on_day]

    def _row(self, line: Closed, *, listed: bool) -> Row:
        visit = self._visits.get(line.ma_lk, [])
        found = [item for item in visit if line.revision in (None, item.revision)]
        if found:
            meant = max(found, key=lambda item: (item.on_day, item.revision))
            explained = self._out(explain(meant, visit))
            return Row(line.ma_lk, meant.revision, meant.closed_at, listed, explained)
        return Row(line.ma_lk, line.revision, None, listed, self._unknown(line, visit))

    def _out(self, told: Explanation) -> Explanation:
        out = self._outages.get(told.stage or "") if told.outcome is Outcome.PENDING else None
        return replace(told, waits_for=f"the end of {out}, then {told.waits_for}") if out else told

    def _unknown(self, line: Closed, visit: Sequence[Known]) -> Explanation:
        newer = [item.revision for item in visit if line.revision is not None and item.revision > line.revision]
        if newer:  # handed over once more, after its spool was lost or by another adapter
            return _superseded(max(newer), None)
        dead = self._dead.get(line.ma_lk)
        if dead is not None:
            return _dead(dead)
        waiting = [item for key, item in self._spooled.items() if key[0] == line.ma_lk]
        waiting = [item for item in waiting if line.revision in (None, item.revision)]
        if waiting:
            return _spooled(max(waiting, key=lambda item: item.revision))
        return Explanation(Outcome.MISSING, IN_HIS, waits_for="the HIS to hand it over: no adapter has told of it")


def explain(item: Known, visit: Sequence[Known]) -> Explanation:
    """What became of one revision; `visit`: all revisions of its visit."""
    received = [other.revision for other in visit if other.revision > item.revision and other.state in _RECEIVED]
    match item.state:
        case VisitState.DISPLAYED:
            return Explanation(Outcome.DISPLAYED)
        case VisitState.NOT_DUE | VisitState.WITHHELD | VisitState.WITHDRAWN:
            return Explanation(Outcome.NOT_DUE, reason=item.reason or str(item.state).upper())
    if received:
        return _superseded(max(received), None)
    if item.state is VisitState.LATE_VERDICT:
        return Explanation(Outcome.LATE_VERDICT, "forward", item.reason, "the facility to correct it")
    standings = [standing for other in visit for standing in other.standings]
    standing = max(item.standings, key=lambda found: _WAY.index(found.stage), default=None)
    return (
        (_ended(standing, standings) if standing else None)
        or _told(item)
        or (_dead(item.dead) if item.dead else None)
        or _pending(item, standing, standings)
    )


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
            return _superseded(newer, standing.stage)
        case State.REFUSED:
            return Explanation(Outcome.REFUSED, standing.stage, standing.reason)
        case State.NOT_DUE:
            return Explanation(Outcome.NOT_DUE, standing.stage, standing.reason)
        case State.HELD if newer is not None and standing.stage != BY_ITSELF:
            return _superseded(newer, standing.stage)
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
    VisitState.PUBLISHED: ("display", "the display side's acknowledgement"),
}


def _pending(item: Known, standing: Standing | None, visit: Sequence[Standing]) -> Explanation:
    stage, waits = _NEXT[item.state]
    if standing is not None and item.state not in _RECEIVED:
        if standing.state is State.ACCEPTED:
            return Explanation(Outcome.PENDING, "relay", waits_for="its answer to leave the outbox")
        stage, waits = standing.stage, waits_for(standing, visit) or waits
    return Explanation(Outcome.PENDING, stage, item.last_answer if stage == AT_GATEWAY else None, waits)


def _unread(dead: DeadEnd, *, listed: bool) -> Row:
    return Row(dead.ma_lk, None, None, listed, _dead(dead))


def _superseded(by: int | None, stage: str | None) -> Explanation:
    return Explanation(Outcome.SUPERSEDED, stage, None if by is None else f"by revision {by}")


def _dead(dead: DeadEnd) -> Explanation:
    return Explanation(
        Outcome.DEAD_LETTER, dead.stage, dead.reason, f"dlq redrive or dlq dismiss of the letter at {dead.place}"
    )


def _spooled(item: Spooled) -> Explanation:
    wanted = "its turn to leave the spool" if item.refused is None else "a person at the HIS: the broker refuses it"
    return Explanation(Outcome.MISSING, IN_SPOOL, item.refused, wanted)
