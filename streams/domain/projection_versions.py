"""Which revisions of a visit become versions of its entry: only ever a higher one (HBR-12)."""

from enum import StrEnum

from events.health_book import EntryState, HealthBookEntry

NO_IDENTIFIER = "NO_IDENTIFIER"
"""Reason of NOT_DUE: nobody can be found in the health book (HEALTHBOOK §4)."""


class Outcome(StrEnum):
    """What became of an accepted revision here. HISTORY: a late answer for an old one. NOT_DUE: with its reason."""

    PUBLISHED = "PUBLISHED"
    WITHHELD = "WITHHELD"
    WITHDRAWN = "WITHDRAWN"
    HISTORY = "HISTORY"
    NOT_DUE = "NOT_DUE"


def outcome(current: int | None, revision: int, entry: HealthBookEntry | None) -> Outcome:
    """What to do with a revision that was not seen before, when `current` is the highest that went to the bus.

    A correction that takes the identifier away also takes away what an earlier revision shows, perhaps to a stranger.
    """
    if current is not None and revision <= current:
        return Outcome.HISTORY
    if entry is None:
        return Outcome.NOT_DUE if current is None else Outcome.WITHDRAWN
    return Outcome.WITHHELD if entry.state is EntryState.WITHHELD else Outcome.PUBLISHED
