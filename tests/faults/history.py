"""What can be seen of a run from outside: the HIS's own list, the topics, the gateway's store, the citizen's book."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

CLOSED, VALIDATED, REJECTED = "visit.closed.v1", "visit.validated.v1", "visit.rejected.v1"
SIGNED, ACCEPTED, REFUSED, HELD = "visit.signed.v1", "visit.accepted.v1", "visit.refused.v1", "visit.held.v1"
ENTRY, DISPLAYED = "health-book.entry.v1", "health-book.displayed.v1"
TOPICS = (CLOSED, VALIDATED, REJECTED, SIGNED, ACCEPTED, REFUSED, HELD, ENTRY, DISPLAYED)
SHOWN = "displayed"
REPEATED = (CLOSED, VALIDATED, REJECTED, SIGNED)
ONCE = (ACCEPTED, REFUSED, HELD, ENTRY)
"""What comes through the outbox comes once, whatever dies; what is repeated has the same id and the same bytes. The
display side is not ours: it may say again, at another moment, that it shows a version."""


class Visit(NamedTuple):
    facility: str
    ma_lk: str

    def __str__(self) -> str:
        return f"{self.facility}|{self.ma_lk}"


class Revision(NamedTuple):
    visit: Visit
    number: int

    def __str__(self) -> str:
        return f"{self.visit} revision {self.number}"


@dataclass(frozen=True, slots=True)
class Closing:
    """One line of the HIS's own list: what it has a receipt for, and what it expects to become of it."""

    revision: Revision
    expected: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One committed record. `digest` is of the whole value; `envelope` of the signed bytes that it names or carries."""

    topic: str
    partition: int
    offset: int
    revision: Revision
    event_id: str
    digest: str
    at: str = ""
    envelope: str = ""
    transaction: str = ""


class Signature(NamedTuple):
    """What an independent verifier says of bytes. Neither: no signature in them, or one that is not believed."""

    there: bool
    good: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """One dossier that the gateway took, in the order in which it took them."""

    visit: Visit
    transaction: str
    digest: str
    signature: Signature
    at: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the citizen's book: the newest version that arrived, and the one that is shown."""

    visit: Visit
    version: int
    shown: int | None


@dataclass(frozen=True)
class History:
    """All of it. `finished`: the HIS says that everything it closed has left its spool."""

    closings: tuple[Closing, ...] = ()
    records: tuple[Record, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    pages: tuple[Page, ...] = ()
    finished: bool = True
    put_aside: tuple[str, ...] = field(default=())
    """Dead letters, in words."""

    @cached_property
    def closed(self) -> dict[Visit, list[Closing]]:
        """The HIS's list by visit, revisions rising."""
        found: dict[Visit, dict[int, Closing]] = defaultdict(dict)
        for closing in self.closings:
            found[closing.revision.visit][closing.revision.number] = closing
        return {visit: [by_number[number] for number in sorted(by_number)] for visit, by_number in found.items()}

    @cached_property
    def due(self) -> list[Closing]:
        """What must come to its end: of each visit the newest sound revision, and every one that is to be rejected."""
        return [
            closing
            for closings in self.closed.values()
            for closing in closings
            if closing.expected != SHOWN or closing is [other for other in closings if other.expected == SHOWN][-1]
        ]

    @cached_property
    def told(self) -> dict[tuple[str, Revision], list[Record]]:
        """What each topic tells of each revision, in the order of its log."""
        return _grouped(((record.topic, record.revision), record) for record in self.records)

    def tells(self, revision: Revision, *topics: str) -> list[Record]:
        return [record for topic in topics for record in self.told.get((topic, revision), ())]

    @cached_property
    def taken(self) -> dict[Visit, list[Receipt]]:
        """What the gateway took of each visit, in its order."""
        found: dict[Visit, list[Receipt]] = defaultdict(list)
        for receipt in self.receipts:
            found[receipt.visit].append(receipt)
        return dict(found)

    @cached_property
    def book(self) -> dict[Visit, Page]:
        return {page.visit: page for page in self.pages}


def _grouped(
    pairs: Iterable[tuple[tuple[str, Revision], Record]],
) -> dict[tuple[str, Revision], list[Record]]:
    found: dict[tuple[str, Revision], list[Record]] = defaultdict(list)
    for key, record in pairs:
        found[key].append(record)
    return dict(found)
