"""Code lists that the operator or a facility loaded, each version from its day on (RULES §6, docs/code-lists.md).

    <lists>/<NAME>/<valid_from>.csv                       for everybody: ICD10, COMMUNES, ma_khoa, …
    <facilities>/<MA_CSKCB>/lists/<NAME>/<valid_from>.csv  of one facility: DRUG_CATALOGUE, STAFF, …

A version counts from its day until the next one begins; a facility's own list stands before the common one, and that
before the one that we ship. Changed files count within seconds. First line of a file: `# source: …`; then a CSV with a
header, UTF-8, column `code` first.
"""

import csv
import io
import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from streams.adapters.facilities import LOOK_AGAIN, Watched
from streams.domain.dossier.codelists import SHIPPED, CodeList, Lists, shipped_names
from streams.domain.dossier.severities import LIST as SEVERITY
from streams.sla.calendar import LIST as DAYS_OFF

log = logging.getLogger(__name__)  # of the library: in a command it warns on standard error

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_CODE = re.compile(r"[0-9A-Za-z]{5}")
_SOURCE = "# source: "
LOADABLE = frozenset(
    {
        *("ICD10", "ICD10_LIMITS", "COMMUNES", "NATIONALITIES", "ETHNIC_GROUPS", "OCCUPATIONS", "YHCT"),
        *("LAB_INDICES", "CHILD_SERVICES", "DRUG_CATALOGUE", "SERVICE_CATALOGUE", "SUPPLY_CATALOGUE"),
        *("STAFF", "MACHINES", SEVERITY, DAYS_OFF),
    }
)
"""Lists that rules and clocks ask for and we do not ship."""


class ListError(ValueError):
    """A list file cannot be used: says what, where, what was expected."""


def known_names() -> frozenset[str]:
    """Every list that a rule or a clock asks for."""
    return LOADABLE | shipped_names()


def parse_list(name: str, content: bytes) -> CodeList:
    """A list file. Raises ListError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ListError(f"{name}: the file is not UTF-8") from None
    first, _, rest = text.partition("\n")
    source = first.removeprefix(_SOURCE).strip() if first.startswith(_SOURCE) else ""
    reader = csv.DictReader(io.StringIO(rest if source else text), restval="")
    if (reader.fieldnames or [""])[0] != "code":
        raise ListError(
            f"{name}: the first column must be `code`, separated by commas; found {_head(reader.fieldnames)}"
        )
    rows = []
    for row in reader:
        if None in row:
            raise ListError(f"{name}, line {reader.line_num + 1}: more values than columns")
        if not row["code"].strip():
            raise ListError(f"{name}, line {reader.line_num + 1}: the code is empty")
        rows.append({column: value.strip() for column, value in row.items()})
    if not rows:
        raise ListError(f"{name}: no row")
    return CodeList(name, source, tuple(rows))


def _head(names: Iterable[str] | None) -> str:
    return f"`{','.join(names or ())[:60]}`"


@dataclass(frozen=True, slots=True)
class Version:
    """One loaded version of a list."""

    name: str
    facility: str | None
    valid_from: date
    path: Path


class FolderLists:
    """Port `Lists` of the rules, over the folders above."""

    def __init__(
        self, common: Path, facilities: Path, facility: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._common = common
        self._facilities = facilities
        self._facility = facility
        self._clock = clock
        self._files: dict[Path, Watched[CodeList | None]] = {}
        self._seen: dict[Path, tuple[float, tuple[tuple[date, Path], ...]]] = {}
        self._own: dict[str, FolderLists] = {}

    def of(self, facility: str) -> Lists:
        """See the port."""
        if not _CODE.fullmatch(facility):  # the code comes from a dossier: as a path it must not lead anywhere else
            return self
        if facility not in self._own:
            own = FolderLists(self._common, self._facilities, facility, self._clock)
            own._files, own._seen = self._files, self._seen
            self._own[facility] = own
        return self._own[facility]

    def on(self, name: str, day: date) -> CodeList | None:
        """See the port. A version that cannot be used counts as not there: no visit waits for somebody's file."""
        for folder in self._folders(name):
            for valid_from, path in reversed(self._versions(folder)):
                found = self._load(name, path) if valid_from <= day else None
                if found is not None:
                    return found
        return SHIPPED.on(name, day)

    def versions(self) -> list[Version]:
        """All loaded versions: the common ones, then those of each facility."""
        found = [
            Version(folder.name, None, valid_from, path)
            for folder in sorted(self._common.glob("*/"))
            for valid_from, path in self._versions(folder)
        ]
        for folder in sorted(self._facilities.glob("*/lists/*/")):
            facility = folder.parent.parent.name
            found += [Version(folder.name, facility, day, path) for day, path in self._versions(folder)]
        return found

    def path(self, name: str, valid_from: date, facility: str | None) -> Path:
        """Where a version belongs. Raises ListError for names that nobody asks for."""
        if name not in known_names():
            raise ListError(f"nobody asks for list {name}; known are {', '.join(sorted(known_names()))}")
        if facility is not None and not _CODE.fullmatch(facility):
            raise ListError("a facility code has 5 letters or digits")
        base = self._common if facility is None else self._facilities / facility / "lists"
        return base / name / f"{valid_from.isoformat()}.csv"

    def _folders(self, name: str) -> Iterable[Path]:
        if _NAME.fullmatch(name):
            if self._facility is not None:
                yield self._facilities / self._facility / "lists" / name
            yield self._common / name

    def _versions(self, folder: Path) -> tuple[tuple[date, Path], ...]:
        now = self._clock()
        looked, found = self._seen.get(folder, (float("-inf"), ()))
        if now >= looked + LOOK_AGAIN:
            found = tuple(sorted(_dated(folder.glob("*.csv"))))
            self._seen[folder] = now, found
        return found

    def _load(self, name: str, path: Path) -> CodeList | None:
        if path not in self._files:
            self._files[path] = Watched(path, lambda content: _usable(name, content), self._clock)
        try:
            return self._files[path].get()
        except OSError:
            return None


def _usable(name: str, content: bytes | None) -> CodeList | None:
    try:
        return parse_list(name, content or b"")
    except ListError as error:
        log.warning("a code list cannot be used; the version before it counts: %s", error)
        return None


def _dated(paths: Iterable[Path]) -> Iterable[tuple[date, Path]]:
    for path in paths:
        try:
            yield date.fromisoformat(path.stem), path
        except ValueError:
            continue  # no version: somebody's copy


def write_list(path: Path, source: str, content: bytes) -> None:
    """Puts a version in force; whole or not at all. Raises OSError."""
    text = content.decode("utf-8-sig")
    if not text.startswith(_SOURCE):
        text = f"{_SOURCE}{source}\n{text}"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


@dataclass(frozen=True, slots=True)
class Difference:
    """What another version of a list brings."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed)


def difference(before: CodeList | None, after: CodeList) -> Difference:
    """Codes that come, go, and whose other columns change."""
    old = before.by_code if before is not None else {}
    new = after.by_code
    return Difference(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(sorted(code for code in new.keys() & old.keys() if list(new[code]) != list(old[code]))),
    )
