"""What `healthbook run` shows: visits of several invented facilities on their way into the health book.

HOME/his/<facility>/inbox     where a HIS would put dossiers; anybody may add some while the system runs
HOME/samples/<run>/           what this run handed over, and how each should end (manifest.json)
"""

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import asyncpg

from events.deadline import DeadlineChanged
from events.health_book import HealthBookDisplayed
from events.visit import VisitAccepted
from infra.embedded.home import keep_port
from streams.adapters.facilities import FacilityRegister
from streams.adapters.timeline import PostgresTimeline
from streams.config import Settings
from streams.domain.dossier.sample import FACILITIES, Expected, Sample, samples
from streams.domain.story import VisitState, state_of
from streams.simulators.dossier_files import SUFFIX, describe, manifest_entry, write_dossier
from streams.simulators.pki import prepare_facilities

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A sample in its facility's inbox. `number` is its row in docs/samples.md."""

    number: int
    name: str
    sample: Sample


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sample has come: the last stage, its outcome once it has one, and the gateway's receipt."""

    handed_over: HandedOver
    stage: str = "handed over"
    outcome: str | None = None
    revision: int | None = None
    receipt: str | None = None
    seconds: float | None = None

    @property
    def as_expected(self) -> bool:
        return self.outcome == self.handed_over.sample.expected


def prepare(settings: Settings) -> dict[str, list[str]]:
    """Registers the sample facilities here and at the gateway simulator.

    Answers what has to run beside the bus: name → arguments of `healthbook`.
    """
    home = settings.home.resolve()
    accounts = home / "gateway-accounts"
    prepare_facilities(
        FacilityRegister(settings.facilities_dir),
        accounts,
        {facility: f"Bệnh viện Thử nghiệm {facility}" for facility in FACILITIES},
    )
    state = home / "simulators"
    state.mkdir(parents=True, exist_ok=True)
    port = keep_port(home, "gateway")
    gateway = ["simulate", "gateway", "--port", str(port), "--accounts", str(accounts)]
    return {
        "gateway": [*gateway, "--state", str(state / "gateway.jsonl")],
        "vneid": ["simulate", "vneid", "--state", str(state / "vneid.json")],
        **{
            f"his-{code}": ["adapter", "folder", str(inbox(home, code).parent), "--facility", code]
            for code in FACILITIES
        },
    }


def inbox(home: Path, facility: str) -> Path:
    """Where the facility's HIS puts closed visits."""
    return home / "his" / facility / "inbox"


def hand_over(home: Path) -> list[HandedOver]:
    """Puts the samples of this run into the inboxes, in turn as folder, envelope and zip; new visits each run."""
    run = 1 + sum(1 for _ in (home / "samples").glob("*"))
    folder = home / "samples" / f"{run:04d}"
    forms = cycle(SUFFIX)
    handed = []
    for number, sample in enumerate(samples(FACILITIES, run * 1_000_000, datetime.now(UTC)), start=1):
        form = next(forms)
        name = f"{number:02d}-{sample.ma_lk}{SUFFIX[form]}"
        write_dossier(folder / name, sample, form)
        handed.append(HandedOver(number, name, sample))
    describe(folder, [manifest_entry(item.name, item.sample) for item in handed])
    for item in handed:
        _deliver(folder / item.name, inbox(home, item.sample.facility))
    return handed


def _deliver(source: Path, folder: Path) -> None:
    """As a HIS should: under a hidden name first, then renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    hidden = folder / f".{source.name}"
    if source.is_dir():
        shutil.copytree(source, hidden)
    else:
        shutil.copy2(source, hidden)
    hidden.rename(folder / source.name)


async def follow(
    pool: "asyncpg.Pool[asyncpg.Record]", handed: Sequence[HandedOver], tell: Callable[[Sequence[Progress]], None]
) -> list[Progress]:
    """Looks at the stories until every sample has an outcome; `tell` hears of each step."""
    timeline = PostgresTimeline(pool)
    last: list[Progress] = []
    while True:
        stories = {
            key: await timeline.story(*key) for key in {(item.sample.facility, item.sample.ma_lk) for item in handed}
        }
        found = progress(handed, stories)
        if found != last:
            tell(found)
        if all(item.outcome for item in found):
            return found
        last = found
        await asyncio.sleep(LOOK_SECONDS)


Story = Sequence[dict[str, Any]]


def progress(handed: Sequence[HandedOver], stories: Mapping[tuple[str, str], Story]) -> list[Progress]:
    """How far each sample has come. The n-th hand-over of one visit is its n-th revision."""
    found = []
    turns: dict[tuple[str, str], int] = {}
    for item in handed:
        key = item.sample.facility, item.sample.ma_lk
        turn = turns[key] = turns.get(key, -1) + 1
        story = stories.get(key, ())
        revisions = sorted({line["revision"] for line in story})
        if turn < len(revisions):
            found.append(_progress(item, revisions[turn], story))
        else:
            found.append(Progress(item))
    return found


_ENDS = {
    VisitState.REJECTED,
    VisitState.REFUSED,
    VisitState.HELD,
    VisitState.NOT_DUE,
    VisitState.WITHHELD,
    VisitState.DISPLAYED,
}


def _progress(item: HandedOver, revision: int, story: Story) -> Progress:
    mine = [line for line in story if line["revision"] == revision]
    state = state_of(mine)
    if any(line["type"] == HealthBookDisplayed.topic for line in story if line["revision"] > revision):
        outcome: str | None = str(Expected.SUPERSEDED)
    else:
        outcome = str(state) if state in _ENDS else None
    accepted = next((line for line in mine if line["type"] == VisitAccepted.topic), None)
    times = [line["happened_at"] for line in mine if line["type"] != DeadlineChanged.topic]
    return Progress(
        item,
        stage=outcome or str(state),
        outcome=outcome,
        revision=revision,
        receipt=accepted["detail"]["transaction_code"] if accepted else None,
        seconds=(max(times) - min(times)).total_seconds() if times else None,
    )
