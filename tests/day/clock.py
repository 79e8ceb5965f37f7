"""A clock that runs quicker than ours, the same for every process that is started by it (Debian: faketime).

Timers of such a process run quicker as well: a pause of a minute takes a minute of its day. PostgreSQL gets the quick
wall clock only, because its sleeping does not go through libc's timers; Kafka and the registry keep our clock, records
bear the time of who wrote them.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults.machine import LIBFAKETIME

_SECOND = timedelta(seconds=1)
_SHARED = "FAKETIME_SHARED"


class Clock:
    """`rate` seconds pass in one of ours, from `start` on. Made by `running_clock`."""

    def __init__(self, start: datetime, rate: float, shared: str) -> None:
        self.start, self.rate = start, rate
        self._began = time.monotonic()
        self._shared = shared

    def now(self) -> datetime:
        """What every process by this clock takes for the present."""
        return self.start + timedelta(seconds=(time.monotonic() - self._began) * self.rate)

    async def until(self, moment: datetime) -> None:
        """Returns then; at once when it has passed."""
        await asyncio.sleep(max(0.0, (moment - self.now()).total_seconds() / self.rate))

    async def environment(self, *, sleeps_by_ours: bool = False) -> dict[str, str]:
        """For a process that is started now: its clock is right when it starts within some milliseconds.

        The beginning of the clock is each process's own, although libfaketime could share it: what Python's threads
        wait for is measured by the kernel's monotonic clock, from which a clock that began earlier is too far away.
        """
        second = self.now().astimezone(UTC).replace(microsecond=0) + _SECOND
        await self.until(second)
        return {
            "LD_PRELOAD": str(LIBFAKETIME),
            "FAKETIME": f"@{second:%Y-%m-%d %H:%M:%S} x{self.rate:g}",
            _SHARED: self._shared,
            "NO_FAKE_STAT": "1",
            "TZ": "UTC",
            **({"FAKETIME_DONT_FAKE_MONOTONIC": "1"} if sleeps_by_ours else {}),
        }


@contextmanager
def running_clock(start: datetime, rate: float) -> Iterator[Clock]:
    """For as long as the block lasts."""
    assert LIBFAKETIME is not None, "libfaketime is missing (Debian package faketime)"
    # libfaketime wants shared memory even where nothing is shared. Given it, no process makes its own, which one that
    # changes its user could not open, and which nobody would remove.
    keeper = subprocess.Popen(
        ["faketime", "-f", "+0", "sh", "-c", f"echo ${_SHARED}; exec sleep infinity"],
        stdout=subprocess.PIPE,
        env={**os.environ, "LD_PRELOAD": ""},
        text=True,
        start_new_session=True,
    )
    shared = ""
    try:
        assert keeper.stdout is not None
        shared = keeper.stdout.readline().strip()
        for file in _files(shared):
            file.chmod(0o666)  # PostgreSQL runs as another user
        yield Clock(start, rate, shared)
    finally:
        os.killpg(keeper.pid, signal.SIGTERM)
        keeper.wait()
        for file in _files(shared):
            file.unlink(missing_ok=True)


def _files(shared: str) -> Iterator[Path]:
    for name in shared.replace("/", "").split():
        yield from Path("/dev/shm").glob(f"*{name}")  # noqa: S108 - where POSIX shared memory and semaphores lie
