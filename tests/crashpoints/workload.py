"""What a round hands over: visits of three facilities, of which one cannot sign and one may not be shown at first."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from events.his import Adapter
from streams.domain.dossier.sample import BY_NAME, Sample, VisitKind, defective_dossier, new_dossier, table_files
from streams.domain.dossier.sample.edits import in_table, put
from streams.domain.dossier.sample.write import cdata

SOUND, KEYLESS, HIDDEN = "01999", "48999", "79999"
FACILITIES = {SOUND: "Bệnh viện Thử A", KEYLESS: "Bệnh viện Thử B", HIDDEN: "Bệnh viện Thử C"}

_ADVICE = put("GHI_CHU", cdata("Đã sửa lời dặn: tái khám sau bảy ngày"))
_SEEDS = 100  # of one round


@dataclass(frozen=True, slots=True)
class Dossier:
    """One dossier to hand over. `name` is its own within a round, `ma_lk` is shared with its correction."""

    name: str
    facility: str
    ma_lk: str
    rejected: bool
    files: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Closed:
    """What the HIS has a receipt for."""

    name: str
    facility: str
    ma_lk: str
    rejected: bool
    revision: int


class Round:
    """The visits of one round, by what happens to them."""

    def __init__(self, number: int, now: datetime) -> None:
        self._number = number
        self._now = now

    def ma_lk(self, name: str) -> str:
        """Of the visit with this name."""
        return f"CRASH-{self._number}-{name}"

    def first(self) -> list[Dossier]:
        """A visit and its correction, one to be rejected, two that cannot be signed, one that may not be shown."""
        return [
            self._visit("corrected", 1),
            self._correction("corrected", 1),
            self._defective("defective"),
            self._visit("released", 2, KEYLESS),
            self._visit("replaced", 3, KEYLESS),
            self._visit("hidden", 4, HIDDEN),
        ]

    def then(self) -> list[Dossier]:
        """Once the facilities are mended: the correction of one that was held, and one visit more."""
        return [self._correction("replaced", 3, KEYLESS), self._visit("later", 5)]

    def more(self) -> list[Dossier]:
        """Another one, so that there is something to do for a process that shall die again."""
        return [self._visit("more", 6)]

    def _sample(self, name: str, seed: int, facility: str) -> Sample:
        return new_dossier(
            self._number * _SEEDS + seed,
            facility=facility,
            kind=VisitKind.EXAM,
            insured=True,
            discharged_at=self._now,
            size=6,
            ma_lk=self.ma_lk(name),
        )

    def _visit(self, name: str, seed: int, facility: str = SOUND) -> Dossier:
        return _dossier(name, self._sample(name, seed, facility))

    def _correction(self, name: str, seed: int, facility: str = SOUND) -> Dossier:
        sample = self._sample(name, seed, facility)
        return _dossier(f"{name}-again", in_table("XML8", _ADVICE)(in_table("XML1", _ADVICE)(sample)))

    def _defective(self, name: str) -> Dossier:
        defect, seed = BY_NAME["unknown-element"], self._number * _SEEDS
        ma_lk = self.ma_lk(name)
        sample = defective_dossier(
            defect, seed, facility=SOUND, discharged_at=self._now, kind=VisitKind.EXAM, size=6, ma_lk=ma_lk
        )
        return _dossier(name, sample, rejected=True)


def _dossier(name: str, sample: Sample, *, rejected: bool = False) -> Dossier:
    return Dossier(name, sample.facility, sample.ma_lk, rejected, dict(table_files(sample.tables)))


def hand_over(dossiers: Sequence[Dossier], spools: Path, journal: Path) -> int:
    """The body of a HIS process: hands over what it has no receipt for, and ends when the bus has everything."""
    asyncio.run(_hand_over(dossiers, spools, journal))
    return 0


async def _hand_over(dossiers: Sequence[Dossier], spools: Path, journal: Path) -> None:
    known = {closed.name for closed in closed_in(journal)}
    async with AsyncExitStack() as stack:
        adapters = {
            facility: await stack.enter_async_context(Adapter(facility, spools / facility)) for facility in FACILITIES
        }
        with journal.open("a", encoding="utf-8", buffering=1) as file:
            for dossier in dossiers:
                if dossier.name not in known:
                    receipt = await adapters[dossier.facility].close_visit(dossier.files)
                    line = [dossier.name, dossier.facility, receipt.ma_lk, dossier.rejected, receipt.revision]
                    file.write(json.dumps(line) + "\n")
        for adapter in adapters.values():
            await adapter.flush()


def closed_in(journal: Path) -> list[Closed]:
    """What a HIS noted so far."""
    if not journal.exists():
        return []
    return [Closed(*json.loads(line)) for line in journal.read_text(encoding="utf-8").splitlines()]
