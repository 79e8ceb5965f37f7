"""The folders of the folder adapter: what lies in them, and moving it so that a crash at any step loses nothing.

    inbox/   the HIS writes here (best under a name that begins with a dot, then renames)
    work/    taken: a later file of the same name is another one, and cannot change what is being handed over
    done/    on the bus           each with a report beside it: <name>.txt for people, <name>.json for programs
    failed/  to be mended

Every move is a rename within one disk. Names may hold a person's name: they are never logged.
"""

from dataclasses import dataclass
from pathlib import Path

from events.his.report import Report

_PARTIAL = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".upload")
_NOTES = ("thumbs.db", "desktop.ini", "manifest.json", "readme.txt")
"""What systems and `healthbook dossier new` leave beside dossiers."""

_LONGEST_NAME = 200

Signature = tuple[tuple[str, int, int], ...]
"""Names, sizes and times of everything in an item: unchanged between two looks means completely written."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to hand over: a folder, a zip or a file."""

    path: Path
    signature: Signature


class Inbox:
    """The four folders below one directory. Every method blocks on the disk and may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.inbox, self.work, self.done, self.failed = (folder / name for name in ("inbox", "work", "done", "failed"))
        self._seen: dict[Path, Signature] = {}

    def make(self) -> None:
        """Creates the folders that are missing."""
        for folder in (self.inbox, self.work, self.done, self.failed):
            folder.mkdir(parents=True, exist_ok=True)

    def claim(self) -> int:
        """Takes what did not change since the last look into `work/`; answers how many items are left in the inbox."""
        items = _items(self.inbox)
        left = 0
        for item in items:
            target = self.work / item.path.name
            if self._seen.get(item.path) != item.signature or target.exists() or not _moved(item.path, target):
                left += 1
        self._seen = {item.path: item.signature for item in items}
        return left

    def taken(self) -> list[Item]:
        """What is in `work/`, oldest first, also from before a crash."""
        return _items(self.work)

    def finish(self, item: Item, report: Report, folder: Path) -> bool:
        """Writes the report, then moves the item beside it. False when the item changed since it was read."""
        if _signature(item.path) != item.signature:
            return False
        target = _free_name(folder / _short(item.path.name))
        report.write(target)
        item.path.rename(target)
        return True


def _moved(path: Path, target: Path) -> bool:
    try:
        path.rename(target)
    except OSError:
        return False  # somebody holds it open: the next look tries again, the others need not wait
    return True


def _items(folder: Path) -> list[Item]:
    found = []
    for path in folder.iterdir():
        name = path.name.lower()
        if name.startswith((".", "~")) or name.endswith(_PARTIAL) or name in _NOTES:
            continue
        try:
            signature = _signature(path)
        except OSError:
            continue  # it was renamed or removed while we looked, or nobody may read it yet
        if signature:  # an empty folder is still being filled
            found.append((max(time for _, _, time in signature), Item(path, signature)))
    return [item for _, item in sorted(found, key=lambda pair: (pair[0], pair[1].path.name))]


def _signature(path: Path) -> Signature:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((file.name, status.st_size, status.st_mtime_ns) for file in files for status in [file.lstat()])


def _short(name: str) -> str:
    """A name that leaves room for what is put before and behind it: most disks take 255 bytes."""
    path = Path(name)
    room = _LONGEST_NAME - len(path.suffix.encode())
    stem = path.stem.encode()
    return name if len(stem) <= room else stem[:room].decode(errors="ignore") + path.suffix


def _free_name(path: Path) -> Path:
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}~{number}{path.suffix}")
    return free
