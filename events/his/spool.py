"""What a HIS handed over and the bus does not have yet, on disk: survives kill -9, reboot and a bus that is away.

SQLite in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns (sqlite.org/wal.html §3). With
`locking_mode=EXCLUSIVE` the file belongs to one process, and no shared memory is mapped that a full disk could tear.

What its tables hold: `spool_schema.py`.
"""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from events.envelope import event_id
from events.his.disk import MARGIN, DiskRoom, translated
from events.his.errors import SpoolError, SpoolFullError
from events.his.revision import Handed, decide
from events.his.source import DossierInput
from events.his.spool_schema import SCHEMA, UPGRADES, VERSION
from events.his.tally import Tally
from events.visit import TableFile, VisitClosed

DEFAULT_LIMIT = 1024 * 1024 * 1024
MEMORY = timedelta(days=730)
"""How long `handed` remembers. What comes again later still gets a rising revision: Unix seconds only grow."""

_FILE = "spool.sqlite3"
_SHRINK_PAGES = 200
_SAME = "WHERE facility = ? AND ma_lk = ? AND revision = ? AND digest = ?"


@dataclass(frozen=True, slots=True)
class HandOver:
    """One dossier on its way into the spool. `revision` None: the spool gives one. `closed_at` is aware."""

    facility: str
    ma_lk: str
    revision: int | None
    closed_at: datetime
    digest: bytes
    dossier: DossierInput
    again: bool = False
    """Send it although exactly this was sent before."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a hand-over is: `position` None when it was handed over before and the bus has it already."""

    event_id: UUID
    revision: int
    repeated: bool
    position: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that the broker will never take as it is."""

    position: int
    facility: str
    ma_lk: str
    revision: int
    reason: str


@dataclass(frozen=True, slots=True)
class SpoolLoad:
    """How many entries wait for the broker, how many it will never take, and the bytes of all of them."""

    waiting: int
    refused: int
    bytes: int


class Spool:
    """One spool folder. Every method blocks on the disk and belongs on one thread; see `store.Store`.

    Opening raises SpoolError when the folder is in use, damaged or unwritable.
    """

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT, memory: timedelta = MEMORY) -> None:
        self._limit = limit
        self._log = folder / f"{_FILE}-wal"
        with translated():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / _FILE, timeout=0, isolation_level=None)
            try:
                self._prepare(memory)
            except BaseException:
                self._db.close()
                raise
        self.tally = Tally(self._db, counting=self._version() == VERSION)
        (self._used,) = self._db.execute("SELECT coalesce(sum(bytes), 0) FROM entry").fetchone()

    def _prepare(self, memory: timedelta) -> None:
        # First of all: whatever touches the file before it would map shared memory.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = self._version()
        if version not in range(VERSION + 1):
            raise SpoolError("SPOOL_DAMAGED")
        # Nothing is written that need not be: a spool must open, and send, on a disk that is full.
        if version == 0:
            self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA fullfsync = ON")
        # Some builds zero every deleted page, which doubles what is written; the HIS keeps the same data anyway.
        self._db.execute("PRAGMA secure_delete = FAST")
        self._db.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
        if version == 0:
            self._db.executescript(SCHEMA)
        oldest = int((datetime.now(UTC) - memory).timestamp())
        with suppress(SpoolFullError), translated():
            self._upgrade()
            if self._db.execute("SELECT 1 FROM handed WHERE at < ? LIMIT 1", (oldest,)).fetchone():
                self._db.execute("DELETE FROM handed WHERE at < ?", (oldest,))

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _upgrade(self) -> None:
        """Makes the tables of this version; without room they wait for the first hand-over that finds some."""
        for step in range(self._version(), VERSION):
            try:
                self._db.executescript(UPGRADES[step])
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Releases the folder."""
        self._db.close()

    def put(self, batch: Sequence[HandOver], now: datetime) -> list[Placed | SpoolFullError]:
        """Takes several hand-overs with one commit; they are durable when this returns.

        One that finds no room is answered with the error. Raises SpoolFullError (nothing of the batch was taken: the
        disk filled up meanwhile), SpoolError.
        """
        room = self._disk_room(sum(item.dossier.size for item in batch))
        if not self.tally.counting:
            with translated():
                self._upgrade()
            self.tally.counting = True
        with self._transaction():
            return [self._put(item, now, room) for item in batch]

    def _disk_room(self, wanted: int) -> DiskRoom:
        """How much of the disk hand-overs may use; gives unused disk back first when `wanted` bytes have no room."""
        room = self._measure()
        while not room.holds(wanted):
            self._shrink()
            before, room = room, self._measure()
            if room.reusable >= before.reusable:
                break
        return room

    def _shrink(self) -> None:
        """Gives back a little at a time: moving pages writes them to the log first."""
        with suppress(SpoolFullError), translated():
            self._db.execute(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})").fetchall()
        with suppress(SpoolFullError), translated():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _measure(self) -> DiskRoom:
        log = self._log.stat().st_size if self._log.exists() else 0
        (pages,), (page,) = (self._db.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_size"))
        return DiskRoom(shutil.disk_usage(self._log.parent).free - log - MARGIN, pages * page)

    def _put(self, item: HandOver, now: datetime, room: DiskRoom) -> Placed | SpoolFullError:
        visit = (item.facility, item.ma_lk)
        rows = self._db.execute("SELECT revision, digest FROM handed WHERE facility = ? AND ma_lk = ?", visit)
        before = [Handed(*row) for row in rows]
        revision, repeated = decide(before, item.digest, item.revision, int(now.timestamp()))
        event = VisitClosed(*visit, revision, item.closed_at, ())
        if repeated:
            waiting = self._again(visit, revision, item.digest)
            if waiting is not None or not item.again:
                return Placed(event_id(event), revision, True, waiting)
        size = item.dossier.size
        if self._used + size > self._limit:
            return SpoolFullError("SPOOL_FULL")
        if not room.take(size):
            return SpoolFullError("DISK_FULL")
        handed = (*visit, revision, item.digest, int(now.timestamp()))
        self._db.execute("INSERT OR REPLACE INTO handed VALUES (?, ?, ?, ?, ?)", handed)
        entry = self._db.execute(
            "INSERT INTO entry (facility, ma_lk, revision, digest, closed_at, bytes) VALUES (?, ?, ?, ?, ?, ?)",
            (*visit, revision, item.digest, round(item.closed_at.timestamp() * 1000), size),
        ).lastrowid
        for place, file in enumerate(item.dossier.files()):
            self._db.execute("INSERT INTO file VALUES (?, ?, ?, ?)", (entry, place, *file))
        self._used += size
        self.tally.handed(item.facility, item.closed_at, new=all(revision != handed.revision for handed in before))
        return Placed(event_id(event), revision, repeated, entry)

    def _again(self, visit: tuple[str, str], revision: int, digest: bytes) -> int | None:
        """Position when it still waits; one that was refused gets another try, since a person asked for it."""
        key = (*visit, revision, digest)
        row = self._db.execute(f"SELECT position FROM entry {_SAME}", key).fetchone()  # noqa: S608 - a constant
        self._db.execute(f"UPDATE entry SET refused = NULL {_SAME}", key)  # noqa: S608
        return None if row is None else int(row[0])

    def heads(self, most: int, most_bytes: int) -> list[tuple[int, VisitClosed]]:
        """The oldest waiting entry of each visit, in the order of hand-over; at least one, then within the bounds.

        Never two of one visit: the second waits until the first is on the bus, so that no retry turns them round.
        """
        rows = self._db.execute(
            "SELECT position, facility, ma_lk, revision, closed_at, bytes FROM entry WHERE refused IS NULL"
            " ORDER BY position LIMIT ?",
            (most,),
        ).fetchall()
        heads: dict[tuple[str, str], tuple[int, VisitClosed]] = {}
        for position, facility, ma_lk, revision, closed_at, size in rows:
            if (facility, ma_lk) in heads:
                continue
            if heads and size > most_bytes:
                break
            most_bytes -= size
            tables, envelope = self._files(position)
            event = VisitClosed(
                facility, ma_lk, revision, datetime.fromtimestamp(closed_at / 1000, UTC), tables, envelope
            )
            heads[facility, ma_lk] = (position, event)
        return list(heads.values())

    def _files(self, position: int) -> tuple[tuple[TableFile, ...], bytes | None]:
        rows = self._db.execute("SELECT kind, content FROM file WHERE entry = ? ORDER BY place", (position,)).fetchall()
        envelope = next((content for kind, content in rows if kind is None), None)
        return tuple(TableFile(kind, content) for kind, content in rows if kind is not None), envelope

    def settle(self, sent: Sequence[int], refused: Mapping[int, str]) -> None:
        """The broker has `sent`, and will never take `refused` (with the code why). Raises SpoolFullError."""
        try:
            self._settle(sent, refused)
        except SpoolFullError:
            self._shrink()
            self._settle(sent, refused)

    def _settle(self, sent: Sequence[int], refused: Mapping[int, str]) -> None:
        with self._transaction():
            self.tally.moved([*sent, *refused])
            self._remove(sent)
            for position, code in refused.items():
                self._db.execute("UPDATE entry SET refused = ? WHERE position = ?", (code, position))

    def drop(self, position: int) -> None:
        """Gives up an entry that was refused; the same bytes handed over again will be taken as new."""
        with self._transaction():
            self.tally.dropped(position)
            self._db.execute(
                "DELETE FROM handed WHERE (facility, ma_lk, revision, digest) IN"
                " (SELECT facility, ma_lk, revision, digest FROM entry WHERE position = ?)",
                (position,),
            )
            self._remove([position])

    def _remove(self, positions: Sequence[int]) -> None:
        for position in positions:
            for (size,) in self._db.execute("SELECT bytes FROM entry WHERE position = ?", (position,)).fetchall():
                self._used -= size
            self._db.execute("DELETE FROM entry WHERE position = ?", (position,))
            self._db.execute("DELETE FROM file WHERE entry = ?", (position,))

    def waiting(self, up_to: int) -> int:
        """How many entries wait for the broker, of those handed over no later than `up_to`."""
        rows = self._db.execute("SELECT count(*) FROM entry WHERE refused IS NULL AND position <= ?", (up_to,))
        return int(rows.fetchone()[0])

    def load(self) -> SpoolLoad:
        """What the spool holds."""
        entries, refused = self._db.execute("SELECT count(*), count(refused) FROM entry").fetchone()
        return SpoolLoad(entries - refused, refused, self._used)

    def last(self) -> int:
        """Position of the newest entry, 0 when there is none."""
        return int(self._db.execute("SELECT coalesce(max(position), 0) FROM entry").fetchone()[0])

    def refused(self) -> list[Refused]:
        """Entries that the broker will never take."""
        rows = self._db.execute(
            "SELECT position, facility, ma_lk, revision, refused FROM entry WHERE refused IS NOT NULL ORDER BY position"
        )
        return [Refused(*row) for row in rows]

    def reason(self, position: int) -> str | None:
        """`WAITING`, the code with which the broker refused, or None when the broker has it."""
        row = self._db.execute("SELECT coalesce(refused, 'WAITING') FROM entry WHERE position = ?", (position,))
        found = row.fetchone()
        return None if found is None else str(found[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        used = self._used
        with translated():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._used = used
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
