"""What happens on the bad day, as data: five troubles, one after the other, and who closes visits when. Pure.

Times are Vietnam's. Everything is drawn from a seed, so the same story has the same visits.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from streams.domain.dossier.moments import VIETNAM

BUSY = ("01999", "79999")
EXPIRING = "48999"
SILENT = "31999"
FACILITIES = (*BUSY, EXPIRING, SILENT)

RUSH, CALM, FEW = 9.0, 1.0, 0.5
"""Visits a minute of each busy hospital in the morning and later, and of the one whose certificate ends."""

HABIT_HOURS = range(6, 9)
HABIT = 10
"""In each of these hours the hospital that will be silent closed so many visits, on this day of the week."""
_WEEKS = 5


@dataclass(frozen=True, slots=True)
class Span:
    """From, until."""

    since: datetime
    until: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class Closing:
    """A visit that a HIS closed at `closed_at` and hands over at `at`."""

    at: datetime
    facility: str
    ma_lk: str
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Story:
    """When what goes wrong. `certificate_ends`: that of EXPIRING; `caught_up`: when SILENT hands everything over."""

    day: date
    whole: bool
    begin: datetime
    slow: Span
    certificate_ends: datetime
    down: Span
    caught_up: datetime
    unacknowledged: datetime
    end: datetime
    seed: int = 9

    def at(self, hour: int, minute: int = 0) -> datetime:
        return _at(self.day, hour, minute)

    @property
    def next_day(self) -> datetime:
        """When everything that was received is due in the book."""
        return self.end + timedelta(days=1)

    def habit(self) -> list[list[Closing]]:
        """What SILENT closed in the weeks before, in each of its hours; it handed over at the end of the hour."""
        hours = [
            _at(self.day - timedelta(weeks=week), hour, 50) for week in range(_WEEKS, 0, -1) for hour in HABIT_HOURS
        ]
        return [[Closing(at, SILENT, f"HABIT-{at:%m%d%H}-{number}", at) for number in range(HABIT)] for at in hours]

    def closings(self) -> list[Closing]:
        """All of the day, in the order in which they are handed over."""
        found = [*self._of_the_day(), *self._of_the_silent()]
        return sorted(found, key=lambda closing: (closing.at, closing.ma_lk))

    def _of_the_day(self) -> Iterator[Closing]:
        chance = random.Random(self.seed)
        for facility in (*BUSY, EXPIRING):
            at, number = self.begin + timedelta(minutes=5), 0
            while at < self.end:
                per_minute = FEW if facility == EXPIRING else RUSH if at < self.slow.until else CALM
                at += timedelta(minutes=chance.uniform(0.5, 1.5) / per_minute)
                number += 1
                yield Closing(at, facility, f"DAY-{facility}-{number:05}", at)

    def _of_the_silent(self) -> Iterator[Closing]:
        moments = [self.at(hour, minute) for hour in HABIT_HOURS for minute in range(0, 60, 60 // HABIT)]
        for number, closed in enumerate(at for at in moments if at < self.caught_up):
            yield Closing(self.caught_up, SILENT, f"DAY-{SILENT}-{number:05}", closed)


def _at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), VIETNAM)


def story(day: date, *, whole: bool) -> Story:
    """The day of the issue (gateway slow at 9:00, down from 11:00 to 14:00), or the same troubles in two hours."""

    def at(hour: int, minute: int = 0) -> datetime:
        return _at(day, hour, minute)

    if whole:
        return Story(
            day,
            whole,
            begin=at(8, 45),
            slow=Span(at(9), at(9, 45)),
            certificate_ends=at(10),
            down=Span(at(11), at(14)),
            caught_up=at(14, 30),
            unacknowledged=at(14, 10),
            end=at(15, 20),
        )
    return Story(
        day,
        whole,
        begin=at(8, 45),
        slow=Span(at(9), at(9, 35)),
        certificate_ends=at(9, 10),
        down=Span(at(9, 50), at(10, 20)),
        caught_up=at(10, 35),
        unacknowledged=at(10, 25),
        end=at(11, 25),
    )
