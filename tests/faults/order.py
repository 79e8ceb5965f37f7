"""What a HIS is to close, as files that it finds again after it was killed; and its own list of what it closed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Act:
    """One hand-over. `revision` None: the SDK's spool gives the number."""

    number: int
    facility: str
    ma_lk: str
    revision: int | None
    expected: str
    source: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Order:
    """`rate` hand-overs a second of each facility, from `start` on.

    `start` is of the machine's monotonic clock: the process's own time of day is one of the things that are hurt.
    """

    folder: str
    facilities: tuple[str, ...]
    rate: float
    start: float = 0.0

    @property
    def file(self) -> Path:
        """What the process is started with."""
        return Path(self.folder) / "order.json"

    @property
    def spools(self) -> Path:
        return Path(self.folder) / "spool"

    def journal(self, facility: str) -> Path:
        """What this facility says it closed."""
        return Path(self.folder) / f"closed-{facility}.jsonl"

    def write(self) -> None:
        self.file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Self:
        found = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{**found, "facilities": tuple(found["facilities"])})

    def write_acts(self, facility: str, acts: Iterable[Act]) -> None:
        """Made once: making them again at every start would cost more than all the rest of a HIS."""
        with self._acts(facility).open("w", encoding="utf-8") as file:
            for act in acts:
                source = {table: content.decode() for table, content in act.source.items()}
                file.write(json.dumps({**asdict(act), "source": source}) + "\n")

    def acts(self, facility: str) -> Iterator[Act]:
        for line in self._acts(facility).read_text(encoding="utf-8").splitlines():
            found = json.loads(line)
            yield Act(**{**found, "source": {table: text.encode() for table, text in found["source"].items()}})

    def _acts(self, facility: str) -> Path:
        path = Path(self.folder) / f"to-close-{facility}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
