"""A clock: a promise in time as dated data. Shipped and added ones are read by `clocks.py`."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from streams.domain.dossier.moments import VIETNAM
from streams.sla.calendar import Decreed, end_of_working_day


@dataclass(frozen=True, slots=True)
class Clock:
    """One version of a clock. `duration`: by the wall clock, or a number of working days. Marks are percent of it.

    `valid_from` counts, `valid_until` does not any more; None has no end. `subject` and both moments: `moments.py`.
    `source`: where this version was read.
    """

    name: str
    subject: str
    starts_on: str
    stops_on: str
    duration: timedelta | int
    legal_basis: str
    article: str
    valid_from: date | None = None
    valid_until: date | None = None
    warn_at: tuple[int, ...] = (50, 75, 90)
    at_risk: int = 75
    offer_again_at: tuple[int, ...] = ()
    source: str = "shipped"

    @property
    def calendar(self) -> str:
        """By which days it counts."""
        return "wall clock" if isinstance(self.duration, timedelta) else "working days"

    def counts_for(self, start: datetime) -> bool:
        """Whether this version is the one for what starts at this instant; the day is Vietnam's."""
        day = start.astimezone(VIETNAM).date()
        return (self.valid_from or date.min) <= day < (self.valid_until or date.max)

    def due(self, start: datetime, decreed: Decreed) -> datetime:
        """The last instant at which it is kept."""
        if isinstance(self.duration, timedelta):
            return start + self.duration
        return end_of_working_day(start, self.duration, decreed)

    def share_gone(self, start: datetime, due: datetime, marks: tuple[int, ...], now: datetime) -> int:
        """The highest of the marks that `now` has reached; 0 before the first."""
        return max((mark for mark in marks if now >= moment(start, due, mark)), default=0)


def moment(start: datetime, due: datetime, percent: int) -> datetime:
    """When so much of the time is gone."""
    return start + (due - start) * percent / 100
