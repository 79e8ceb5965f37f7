"""How many revisions a spool was handed of each day, and which of them it still has: what the bus is told of a day."""

import sqlite3
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone

from events.day import DayCounted, WaitingRevision

MOST_NAMES = 2000
"""Of what waits; a spool that holds more tells how many more."""

_VIETNAM = timezone(timedelta(hours=7))
_DAY = "date(closed_at / 1000, 'unixepoch', '+7 hours')"


class Tally:
    """Part of `Spool`, in whose transactions it counts: a count is durable together with what it counts.

    Not `counting`: the disk had no room yet for its tables, in a spool that was made by a version without them.
    """

    def __init__(self, db: sqlite3.Connection, *, counting: bool) -> None:
        self._db = db
        self.counting = counting

    def handed(self, facility: str, closed_at: datetime, *, new: bool) -> None:
        """A revision came into the spool; `new`: it was never handed over before."""
        day = closed_at.astimezone(_VIETNAM).date().isoformat()
        self._db.execute(
            "INSERT INTO day VALUES (?, ?, ?, 1, 0) ON CONFLICT (facility, day)"
            " DO UPDATE SET closed = closed + excluded.closed, number = number + 1",
            (facility, day, int(new)),
        )

    def moved(self, positions: Sequence[int]) -> None:
        """What becomes of these entries changes what their days say; called while they are still there."""
        for day in {day for position in positions for day in self._days(position)}:
            self._db.execute("UPDATE day SET number = number + 1 WHERE facility = ? AND day = ?", day)

    def dropped(self, position: int) -> None:
        """This entry is given up: handed over again it counts anew."""
        for day in self._days(position):
            self._db.execute(
                "UPDATE day SET number = number + 1, closed = closed - 1 WHERE facility = ? AND day = ?", day
            )

    def news(self, now: datetime) -> list[DayCounted]:
        """Of each day that changed since the bus was told: its count."""
        if not self.counting:
            return []
        rows = self._db.execute("SELECT facility, day, closed, number FROM day WHERE number > told ORDER BY day")
        (spool,) = self._db.execute("SELECT spool FROM identity").fetchone()
        found = []
        for facility, day, closed, number in rows.fetchall():
            waiting = self._db.execute(
                "SELECT ma_lk, revision, refused FROM entry"  # noqa: S608 - a constant
                f" WHERE facility = ? AND {_DAY} = ? ORDER BY position",
                (facility, day),
            ).fetchall()
            named = tuple(WaitingRevision(*row) for row in waiting[:MOST_NAMES])
            omitted = len(waiting) - len(named)
            found.append(DayCounted(facility, date.fromisoformat(day), spool, number, closed, named, omitted, now))
        return found

    def told(self, counts: Sequence[DayCounted]) -> None:
        """The bus has these."""
        for count in counts:
            self._db.execute(
                "UPDATE day SET told = max(told, ?) WHERE facility = ? AND day = ?",
                (count.number, count.facility, count.day.isoformat()),
            )

    def _days(self, position: int) -> list[tuple[str, str]]:
        if not self.counting:
            return []
        rows = self._db.execute(f"SELECT facility, {_DAY} FROM entry WHERE position = ?", (position,))  # noqa: S608
        return [(facility, day) for facility, day in rows.fetchall()]
