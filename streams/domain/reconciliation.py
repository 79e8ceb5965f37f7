"""Closed = sum of outcomes, by name (DESIGN §1.1): what became of every visit that a HIS closed on one day. Pure.

What was closed is said by the HIS's own list (`by_list`) or by the counts of its adapters (`by_count`), which name only
what they still hold. What each became: `outcome.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from streams.domain.outcome import DeadEnd, Explanation, Known, Outcome, explain, stopped_by, superseded

IN_HIS, IN_SPOOL = "his", "spool"
"""Where a revision is that is missing before us."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A line of the HIS's list. Without a revision it is about the visit: the newest revision of that day."""

    ma_lk: str
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Spooled:
    """A revision that its adapter still had when it last told. `refused`: why the broker will never take it."""

    ma_lk: str
    revision: int
    refused: str | None
    told_at: datetime


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
            return superseded(max(newer), None)
        dead = self._dead.get(line.ma_lk)
        if dead is not None:
            return stopped_by(dead)
        waiting = [item for key, item in self._spooled.items() if key[0] == line.ma_lk]
        waiting = [item for item in waiting if line.revision in (None, item.revision)]
        if waiting:
            return _spooled(max(waiting, key=lambda item: item.revision))
        return Explanation(Outcome.MISSING, IN_HIS, waits_for="the HIS to hand it over: no adapter has told of it")


def _unread(dead: DeadEnd, *, listed: bool) -> Row:
    return Row(dead.ma_lk, None, None, listed, stopped_by(dead))


def _spooled(item: Spooled) -> Explanation:
    wanted = "its turn to leave the spool" if item.refused is None else "a person at the HIS: the broker refuses it"
    return Explanation(Outcome.MISSING, IN_SPOOL, item.refused, wanted)
