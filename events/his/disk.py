"""The spool's disk: how much of it a hand-over may use, and the errors of SQLite and the system in our words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from events.his.errors import SpoolError, SpoolFullError

MARGIN = 1024 * 1024
"""Disk that only the settling of sent entries and the shrinking of the database may use."""


@dataclass(slots=True)
class DiskRoom:
    """A dossier needs its size twice: in the log, then in the database, where deleted entries left `reusable` bytes.

    What the log still has to copy, and the margin, are not in `free`: else the spool itself could fill the disk so far
    that not even a sent entry could be deleted.
    """

    free: int
    reusable: int

    def holds(self, size: int) -> bool:
        """Whether there is room for a dossier of `size` bytes."""
        return size <= self.free and 2 * size <= self.free + self.reusable

    def take(self, size: int) -> bool:
        """Whether there was room; then it is taken."""
        if not self.holds(size):
            return False
        new = max(0, size - self.reusable)
        self.reusable -= size - new
        self.free -= size + new
        return True


@contextmanager
def translated() -> Iterator[None]:
    """Raises SpoolError and SpoolFullError for sqlite3.Error and OSError, without their texts."""
    try:
        yield
    except OSError:
        raise SpoolError("SPOOL_UNWRITABLE") from None
    except sqlite3.Error as error:
        # The primary code is the low byte (sqlite.org/rescode.html).
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise SpoolFullError("DISK_FULL") from None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise SpoolError("SPOOL_IN_USE") from None
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise SpoolError("SPOOL_DAMAGED") from None
        raise SpoolError("SPOOL_UNWRITABLE") from error
