"""What this display side holds: the newest version of each entry, and what the citizen sees of it.

The state file has one JSON document a line, only ever appended to: what arrived, with its place in Kafka, and what was
shown. It is the subscriber's own position: after a restart it reads on behind the last line, whatever was lost.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Document = dict[str, Any]
ACTIVE = "ACTIVE"


@dataclass(slots=True)
class Page:
    """One entry. `shown` is the version that the citizen sees; a newer one may wait to be shown."""

    newest: Document = field(repr=False)
    shown: Document | None = field(default=None, repr=False)
    displayed_at: str | None = None

    @property
    def waits(self) -> bool:
        """The newest version is to be shown and is not yet."""
        return self.newest["state"] == ACTIVE and self.shown is not self.newest

    def as_json(self) -> Document:
        return {
            "entryId": self.newest["entryId"],
            "version": self.newest["version"],
            "state": self.newest["state"],
            "displayedVersion": self.shown["version"] if self.shown else None,
            "displayedAt": self.displayed_at,
            "entry": self.shown,
        }


class Book:
    """Applies a version only when it is higher than the one it holds, so repeats and disorder change nothing."""

    def __init__(self, state: Path | None = None) -> None:
        self.pages: dict[str, Page] = {}
        self.positions: dict[int, int] = {}
        """Partition → offset of the next entry to read."""
        self.reminded: dict[int, int] = {}
        """The same of the reminders."""
        self._path = state
        self._file: Any = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._replay(self._path)
            # What stands in it is about people: for this user only.
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._file = os.fdopen(handle, "a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def arrive(self, partition: int, offset: int, entry_id: str, document: Document | None) -> bool:
        """A record arrived; None is a tombstone. True when it changed the book."""
        line = {"partition": partition, "offset": offset, "entryId": entry_id, "entry": plain(document)}
        changed = self._arrive(line)
        self._write(line if changed else {"partition": partition, "offset": offset})
        return changed

    def pass_over(self, partition: int, offset: int) -> None:
        """A record arrived and is forgotten."""
        line = {"partition": partition, "offset": offset}
        self._advance(line)
        self._write(line)

    def heed(self, partition: int, offset: int) -> None:
        """A reminder was answered."""
        self.reminded[partition] = offset + 1
        self._write({"reminder": partition, "offset": offset})

    def show(self, entry_id: str, version: int, at: datetime) -> bool:
        """The citizen sees this version from now on; False when it is not the newest any more."""
        line = {"shown": entry_id, "version": version, "displayedAt": at.isoformat()}
        changed = self._show(line)
        if changed:
            self._write(line)
        return changed

    def waiting(self) -> Iterator[Page]:
        return (page for page in self.pages.values() if page.waits)

    def _advance(self, line: Document) -> None:
        partition, following = line["partition"], line["offset"] + 1
        self.positions[partition] = max(
            following, self.positions.get(partition, 0)
        )  # what a reminder names lies behind

    def _arrive(self, line: Document) -> bool:
        self._advance(line)
        entry_id, document = line["entryId"], line["entry"]
        if document is None:
            return self.pages.pop(entry_id, None) is not None
        page = self.pages.get(entry_id)
        if page is None:
            self.pages[entry_id] = Page(document)
            return True
        if document["version"] <= page.newest["version"]:
            return False
        page.newest = document
        if document["state"] != ACTIVE:  # withheld or withdrawn: gone at once
            page.shown, page.displayed_at = None, None
        return True

    def _show(self, line: Document) -> bool:
        page = self.pages.get(line["shown"])
        if page is None or page.newest["version"] != line["version"] or not page.waits:
            return False
        page.shown, page.displayed_at = page.newest, line["displayedAt"]
        return True

    def _replay(self, path: Path) -> None:
        """Applies the lines again; what follows the last newline was being written when the process died."""
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        for line in map(json.loads, whole.splitlines()):
            if "shown" in line:
                self._show(line)
            elif "reminder" in line:
                self.reminded[line["reminder"]] = line["offset"] + 1
            elif "entryId" in line:
                self._arrive(line)
            else:
                self._advance(line)

    def _write(self, line: Document) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()


def plain(value: Any) -> Any:
    """An Avro value as JSON has it: times and days in ISO 8601."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date | datetime) else value
