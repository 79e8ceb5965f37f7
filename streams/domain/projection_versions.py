"""Which revisions of a visit become versions of its entry: only ever a higher one (HBR-12)."""

from dataclasses import dataclass
from enum import StrEnum

from events.health_book import EntryState, HealthBookEntry

NO_IDENTIFIER = "NO_IDENTIFIER"
"""Reason of NOT_DUE and WITHDRAWN: nobody can be found in the health book (HEALTHBOOK §4)."""


class Outcome(StrEnum):
    """What became of an accepted revision. HISTORY: a late answer for an old one. NOT_DUE: owed to nobody."""

    PUBLISHED = "PUBLISHED"
    WITHHELD = "WITHHELD"
    WITHDRAWN = "WITHDRAWN"
    HISTORY = "HISTORY"
    NOT_DUE = "NOT_DUE"


@dataclass(frozen=True, slots=True)
class Current:
    """Where a visit stands: its highest accepted revision (None: none yet), and whether an entry names a person."""

    revision: int | None = None
    shown: bool = False


def outcome(current: Current, revision: int, entry: HealthBookEntry | None) -> Outcome:
    """What to do with a revision that was not seen before; `entry` is what it would show, None without identifier.

    A correction that takes the identifier away also takes away what an earlier revision shows, perhaps to a stranger.
    """
    if current.revision is not None and revision <= current.revision:
        return Outcome.HISTORY
    if entry is None:
        return Outcome.WITHDRAWN if current.shown else Outcome.NOT_DUE
    return Outcome.WITHHELD if entry.state is EntryState.WITHHELD else Outcome.PUBLISHED


def after(current: Current, revision: int, done: Outcome) -> Current:
    """Where the visit stands then."""
    if done is Outcome.HISTORY:
        return current
    return Current(revision, shown=done in (Outcome.PUBLISHED, Outcome.WITHHELD))
