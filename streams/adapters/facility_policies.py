"""What publish knows about facilities: their names, and what they keep out of the health book (HEALTHBOOK §6).

<facilities>/<MA_CSKCB>/facility.toml     name
                        withholding.csv   own rows, in the form of `schemas/dossier/withholding.csv`; may be absent
"""

import csv
import io
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from streams.adapters.facilities import Watched
from streams.domain.privacy_rules import COLUMNS

T = TypeVar("T")

_CODE = re.compile("[0-9A-Za-z]{5}")


class FolderPolicies:
    """Port `Facilities` of publish, over the facility register. A changed file counts within seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Watched[str | None]] = {}
        self._lists: dict[str, Watched[Sequence[dict[str, str]]]] = {}

    def name(self, code: str) -> str | None:
        """See the port."""
        return self._watched(self._names, code, "facility.toml", _name).get()

    def withholding(self, code: str) -> Sequence[dict[str, str]]:
        """See the port."""
        return self._watched(self._lists, code, "withholding.csv", _rows).get()

    def _watched(
        self, known: dict[str, Watched[T]], code: str, file: str, load: Callable[[bytes | None], T]
    ) -> Watched[T]:
        # The code comes from a dossier: as a path it must not lead anywhere else.
        if not _CODE.fullmatch(code):
            return Watched(self._folder / "none", load)
        if code not in known:
            known[code] = Watched(self._folder / code / file, load)
        return known[code]


def _name(content: bytes | None) -> str | None:
    if content is None:
        return None
    try:
        name = tomllib.loads(content.decode()).get("name")
    except ValueError:  # the register of another facility may be broken; a name is no reason to stop
        return None
    return name if isinstance(name, str) else None


def _rows(content: bytes | None) -> Sequence[dict[str, str]]:
    if content is None:
        return ()
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), restval="")
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ValueError(f"withholding.csv: the first line must be {','.join(COLUMNS)}")
    return tuple(reader)
