"""How soon a real Prometheus tells that a real system stands still, and how soon it is silent again.

    .venv/bin/python -m benchmarks.alerts [--rate 2] [--minutes 2]

`healthbook run` with its own Prometheus; visits come in all the time. One after the other: a process is frozen
(SIGSTOP), and the ledger is locked, so that `forward` answers and nothing moves. Each is undone some minutes after it
was told.
"""

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from benchmarks.flow import HEALTHBOOK, running
from benchmarks.machine import describe

REPOSITORY = Path(__file__).parent.parent
NEVER = 1800.0
Stop = Callable[[Path], AbstractAsyncContextManager[None]]


def main() -> None:
    """Prints the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=float, default=2.0, help="visits a second")
    options.add_argument("--minutes", type=float, default=2.0, help="how long a stop lasts after it was told")
    given = options.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory(prefix="healthbook-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user must be able to enter it
        asyncio.run(_measure(Path(folder), given.rate, given.minutes * 60))


async def _measure(home: Path, rate: float, lasts: float) -> None:
    stops: dict[str, Stop] = {"sign is frozen": lambda home: _frozen(home, "sign"), "the ledger is locked": _locked}
    print("| stop | alert | pending after | firing after | silent after moving again |", "| --- " * 5 + "|", sep="\n")
    async with running(home, REPOSITORY / "var" / "parts"), _visits(home, rate), aiohttp.ClientSession() as http:
        for name, stop in stops.items():
            await _until(http, home, lambda pages: not pages)
            begun = time.monotonic()
            async with stop(home):
                await _until(http, home, bool)
                pending = time.monotonic() - begun
                told = await _until(http, home, lambda pages: "firing" in pages.values())
                firing = time.monotonic() - begun
                await asyncio.sleep(lasts)
            begun = time.monotonic()
            await _until(http, home, lambda pages: "firing" not in pages.values())
            alerts = ", ".join(alert for alert, state in told.items() if state == "firing")
            print(f"| {name} | {alerts} | {pending:.0f} s | {firing:.0f} s | {time.monotonic() - begun:.0f} s |")


async def _until(
    http: aiohttp.ClientSession, home: Path, so: Callable[[dict[str, str]], bool], within: float = NEVER
) -> dict[str, str]:
    """The pages of Prometheus, by name with their state, once they are `so`."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        prometheus = _addresses(home).get("prometheus")
        if prometheus:
            async with http.get(f"{prometheus}/api/v1/alerts") as answer:
                alerts = (await answer.json())["data"]["alerts"]
            pages = {
                item["labels"]["alertname"]: item["state"] for item in alerts if item["labels"]["severity"] == "page"
            }
            if so(pages):
                return pages
        await asyncio.sleep(1)
    raise SystemExit(f"nothing of the kind within {within:.0f} s")


@asynccontextmanager
async def _frozen(home: Path, process: str) -> AsyncIterator[None]:
    pid = json.loads((home / "run" / "processes" / f"{process}.json").read_text(encoding="utf-8"))["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def _locked(home: Path) -> AsyncIterator[None]:
    connection = await asyncpg.connect(_addresses(home)["database"])
    try:
        async with connection.transaction():
            await connection.execute("lock table submission in access exclusive mode")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def _visits(home: Path, rate: float) -> AsyncIterator[None]:
    options = ("--rate", str(rate), "--pool", "30", "--spool", str(home / "his-spool"))
    his = await asyncio.create_subprocess_exec(
        *HEALTHBOOK,
        *("simulate", "his", *options),
        env={**os.environ, "HEALTHBOOK_HOME": str(home)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        his.terminate()
        await his.wait()


def _addresses(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "run" / "addresses.json").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
