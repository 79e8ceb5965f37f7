"""The whole flow under load: visits go in as a HIS closes them, entries come out where a subscriber reads."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer

HEALTHBOOK = (sys.executable, "-m", "streams")
ENTRY = "health-book.entry.v1"
WARM_UP = 200
IDLE_SECONDS = 20.0
"""Without a new entry for that long a phase is over: what is missing is reported."""


@dataclass(frozen=True)
class Phase:
    """`count` visits, `rate` a second (None: as fast as the HIS can)."""

    name: str
    count: int
    rate: float | None


@dataclass(frozen=True)
class Measured:
    """One phase. `cpu` is seconds of user and system time by process, over the whole phase."""

    phase: Phase
    entries: int
    seconds: float
    """From the first close to the last entry."""
    latencies: list[float] = field(repr=False)
    """Closed → entry readable, in seconds, ascending."""
    cpu: dict[str, float]
    dossier_bytes: int


@dataclass(frozen=True)
class Result:
    """Seconds of a first start (jars are there already, the databases are not) and of a second one, and the phases."""

    first_start: float
    second_start: float
    phases: list[Measured]


async def measure(home: Path, parts: Path, phases: Sequence[Phase], rows: int) -> Result:
    """Starts the system twice under `home`, then runs the phases one after another."""
    async with running(home, parts) as first:
        pass
    async with running(home, parts) as second:
        await _phase(home, Phase("warm-up", WARM_UP, None), rows, seed=1)
        measured = [await _phase(home, phase, rows, seed) for seed, phase in enumerate(phases, 2)]
    return Result(first, second, measured)


@asynccontextmanager
async def running(home: Path, parts: Path) -> AsyncIterator[float]:
    """`healthbook run`, until the block is left; yields the seconds it took to start."""
    environment = _environment(home, parts)
    started = time.monotonic()
    log = home / "bench-run.log"
    with log.open("wb") as output:
        command = [*HEALTHBOOK, "run", "--no-samples"]
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=output, stderr=output)
    try:
        while "Everything runs" not in log.read_text(encoding="utf-8"):
            if process.returncode is not None:
                raise SystemExit(log.read_text(encoding="utf-8"))
            await asyncio.sleep(0.1)
        yield time.monotonic() - started
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def _environment(home: Path, parts: Path) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("HEALTHBOOK_")}
    return {**bare, "HEALTHBOOK_HOME": str(home), "HEALTHBOOK_PARTS": str(parts)}


async def _phase(home: Path, phase: Phase, rows: int, seed: int) -> Measured:
    addresses = json.loads((home / "run" / "addresses.json").read_text(encoding="utf-8"))
    journal = home / f"closed-{seed}.jsonl"
    consumer: Any = AIOKafkaConsumer(ENTRY, bootstrap_servers=addresses["kafka"], isolation_level="read_committed")
    await consumer.start()
    try:
        await consumer.seek_to_end()
        before = _cpu(home)
        closing = await _his(home, phase, rows, seed, journal)
        seen = await _read(consumer, phase.count, closing)
        cpu = {name: used - before.get(name, 0.0) for name, used in _cpu(home).items()}
    finally:
        await consumer.stop()
    closed = _closed(journal)
    latencies = sorted(seen[visit] - closed[visit] for visit in seen if visit in closed)
    took = max(seen.values(), default=0.0) - min(closed.values(), default=0.0)
    return Measured(phase, len(latencies), took, latencies, cpu, _dossier_bytes(home, rows))


async def _his(home: Path, phase: Phase, rows: int, seed: int, journal: Path) -> asyncio.subprocess.Process:
    """A process of its own, so that its work is not counted as ours; dossiers are made once and renamed."""
    options: dict[str, object] = {"--rate": phase.rate or 0, "--count": phase.count, "--size": rows, "--seed": seed}
    options |= {
        "--pool": 60,
        "--corrections": 0,
        "--defects": 0,
        "--closed": journal,
        "--spool": home / f"spool-{seed}",
    }
    arguments = [str(item) for pair in options.items() for item in pair]
    return await asyncio.create_subprocess_exec(
        *HEALTHBOOK,
        *("simulate", "his", *arguments),
        env={**os.environ, "HEALTHBOOK_HOME": str(home)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def _read(consumer: Any, count: int, closing: asyncio.subprocess.Process) -> dict[str, float]:
    """Key of each visit → the moment (Unix time) at which its first entry was here."""
    seen: dict[str, float] = {}
    last = time.monotonic()
    while len(seen) < count and (closing.returncode is None or time.monotonic() - last < IDLE_SECONDS):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            now, last = time.time(), time.monotonic()
            for record in records:
                seen.setdefault(record.key.decode(), now)
    await closing.wait()
    return seen


def _closed(journal: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    return {
        f"{line['facility']}|{line['ma_lk']}": datetime.fromisoformat(line["closed_at"]).timestamp() for line in lines
    }


def _cpu(home: Path) -> dict[str, float]:
    """Seconds of user and system time of each child of the system, with its own children (PostgreSQL's backends)."""
    used: dict[str, float] = {}
    for file in (home / "run" / "processes").glob("*.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        try:
            process = psutil.Process(record["pid"])
            family = [process, *process.children(recursive=True)]
            used[record["name"]] = sum(sum(member.cpu_times()[:2]) for member in family)
        except psutil.NoSuchProcess:
            continue
    return used


def _dossier_bytes(home: Path, rows: int) -> int:
    """Mean size of the tables of a dossier as the pool makes them."""
    from datetime import UTC

    from streams.domain.dossier.sample import FACILITIES, VisitKind, new_dossier

    made = [
        new_dossier(number, facility=FACILITIES[0], kind=kind, insured=True, discharged_at=datetime.now(UTC), size=rows)
        for number, kind in enumerate(VisitKind)
    ]
    return sum(len(content) for sample in made for _, content in sample.tables) // len(made)
