"""Which table files a dossier holds: ENV-005, ENV-006, ENV-007."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from events.visit import Finding
from streams.domain.dossier.findings import Place, finding
from streams.domain.dossier.tables import TableSpec

REPEATABLE = frozenset({"XML7", "XML9", "XML14"})
"""Once per newborn, once per newborn, once per appointment day."""

_KIND = re.compile(r"[A-Za-z]{1,10}[0-9]{0,3}")


def travels(kind: str, catalogue: Mapping[str, TableSpec]) -> bool:
    """Whether a table of this kind may stand in a dossier of the day."""
    return kind in catalogue and catalogue[kind].travels == "dossier"


def check_files(kinds: Sequence[str], catalogue: Mapping[str, TableSpec]) -> Iterator[Finding]:
    """`kinds`: every file of the dossier, readable or not."""
    for kind, count in Counter(kinds).items():
        if kind == "XML1":
            continue
        shown = kind if _KIND.fullmatch(kind) else "?"
        place = Place(shown, None, "LOAIHOSO")
        if not travels(kind, catalogue):
            yield finding("ENV-005", place, expected="XML1..XML11, XML13..XML15", found=shown, kind=shown)
        elif count > 1 and kind not in REPEATABLE:
            yield finding("ENV-007", place, expected="1 file", found=f"{count} files", kind=shown)
    summaries = kinds.count("XML1")
    if summaries != 1:
        place = Place("XML1", None, "LOAIHOSO")
        yield finding("ENV-006", place, expected="1 file", found=f"{summaries} files", count=summaries)
