"""The clocks as they stand: the shipped ones, the operator's settings, and the versions that an operator added.

    <clocks>/<name>/<valid_from>.toml       duration, legal_basis, article; warn_at, at_risk, offer_again_at

Running processes take a new file within seconds. One that cannot be used counts as not there, and is logged.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from streams.adapters import facilities, files
from streams.adapters.facilities import Watched
from streams.config import Settings
from streams.sla import clocks
from streams.sla.clock import Clock

log = logging.getLogger(__name__)  # of the library: in a command it warns on standard error


@dataclass(frozen=True, slots=True)
class Unusable:
    """A version that is in the folder and counts as not there."""

    file: Path
    cause: str


class FolderClocks:
    """Calling it gives every version of every clock; cheap enough for each visit."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = settings.clocks_dir
        self._shipped = timedelta(seconds=settings.receipt_target), settings.receipt_rule_from
        self._clock = clock
        self._files: dict[Path, Watched[Clock]] = {}
        self._look_at = float("-inf")
        self._known: tuple[Clock, ...] = ()
        self.unusable: list[Unusable] = []

    def __call__(self) -> tuple[Clock, ...]:
        """The clocks, looked at again every few seconds."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + facilities.LOOK_AGAIN
            self._known = clocks.clocks(*self._shipped, added=self._added())
        return self._known

    def path(self, name: str, valid_from: date) -> Path:
        """Where a version belongs."""
        return self._folder / name / f"{valid_from.isoformat()}.toml"

    def add(self, version: Clock, content: str) -> Path:
        """Puts a version beside the others. Raises FileExistsError, OSError."""
        assert version.valid_from is not None  # noqa: S101 - an added one begins on a day
        path = self.path(version.name, version.valid_from)
        files.make_folder(path.parent)
        files.create(path, content.encode(), files.PUBLIC)
        self._look_at = float("-inf")
        return path

    def _added(self) -> list[Clock]:
        told, self.unusable = {each.file: each.cause for each in self.unusable}, []
        found = []
        for path in sorted(self._folder.glob("[!.]*/[!.]*.toml")):
            if path not in self._files:
                self._files[path] = Watched(path, partial(_read, path), self._clock)
            try:
                found.append(self._files[path].get())
            except (OSError, ValueError) as error:
                cause = error.strerror or "cannot be read" if isinstance(error, OSError) else str(error)
                self.unusable.append(Unusable(path, cause))
                if told.get(path) != cause:
                    log.warning("a version of a clock cannot be used; the one before it counts: %s", cause)
        return found


def content_of(version: dict[str, Any]) -> str:
    """The file of a version: some of `ADDED_KEYS` with their values. JSON strings and lists are TOML too."""
    return "".join(f"{name} = {json.dumps(version[name], ensure_ascii=False)}\n" for name in version)


def _read(path: Path, content: bytes | None) -> Clock:
    try:
        day = date.fromisoformat(path.stem)
    except ValueError:
        raise ValueError(f"{path.name}: the name must be a day, 2027-01-31.toml") from None
    try:
        return clocks.read_added(path.parent.name, day, (content or b"").decode(), str(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
