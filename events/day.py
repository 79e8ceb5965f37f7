"""What an adapter says about a facility's day: see `events/his/counter.py`."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class WaitingRevision:
    """A revision that is still in the spool. `refused`: the code with which the broker will never take it."""

    ma_lk: str
    revision: int
    refused: str | None


@dataclass(frozen=True, slots=True)
class DayCounted:
    """How many revisions this spool was handed whose visits closed on a day in Vietnam, and which of them it still has.

    Of a spool and day the highest `number` counts. A spool that was lost keeps its last word: what it named then and
    never came is known by name.
    """

    topic: ClassVar[str] = "day.counted.v1"
    stage: ClassVar[str] = "close"

    facility: str
    day: date
    spool: str
    number: int
    closed: int
    waiting: tuple[WaitingRevision, ...]
    waiting_omitted: int
    counted_at: datetime

    @property
    def key(self) -> str:
        """The counts of one spool and day stay in order."""
        return f"{self.facility}|{self.day}|{self.spool}"

    @property
    def revision(self) -> int:
        """A later count of the same day replaces it."""
        return self.number

    @property
    def occurrence(self) -> str:
        """Each number once."""
        return ""
