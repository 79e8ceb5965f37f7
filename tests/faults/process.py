"""A child in the nemesis's hands."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psutil

from infra.embedded.process import Child

_BREATH = 0.3
"""Between an end that nobody asked for and the next start."""


class Process:
    """Started again whenever it ends, unless it is kept down. `finishes`: status 0 is its end."""

    def __init__(
        self, name: str, start: Callable[[], Awaitable[Child]], child: Child | None = None, *, finishes: bool = False
    ) -> None:
        self.name = name
        self.child = child
        self.finished = False
        self.ended_by_itself: list[str] = []
        """Status and last words of each end that nobody asked for."""
        self._start = start
        self._finishes = finishes
        self._hurt = False
        self._may_run = asyncio.Event()
        self._may_run.set()

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.exit_code is None

    @property
    def missing(self) -> bool:
        """It should run, and does not."""
        return self._may_run.is_set() and not self.finished and not self.running

    def hold(self) -> None:
        """Not started before `release`."""
        self._may_run.clear()

    def release(self) -> None:
        self._may_run.set()

    async def keep_running(self) -> None:
        """For ever, or until it has finished. Raises PartFailed when a part cannot start again."""
        while True:
            if self.child is None:
                await self._may_run.wait()
                self.child = await self._start()
            child = self.child
            status = await child.wait()
            self.child = None
            if self._finishes and status == 0:
                self.finished = True
                return
            if not self._hurt:
                self.ended_by_itself.append(f"status {status}: {child.last_words()}")
                await asyncio.sleep(_BREATH)
            self._hurt = False

    async def down(self, seconds: float, *, kill: bool) -> bool:
        """Ends it and keeps it down for so long; False when there was nothing to end."""
        if self.child is None or self.child.exit_code is not None:
            return False
        self._hurt = True
        self._may_run.clear()
        try:
            await (self.child.kill() if kill else self.child.stop())
            await asyncio.sleep(seconds)
        finally:
            self._may_run.set()
        return True

    async def pause(self, seconds: float) -> bool:
        """SIGSTOP to it and all that it started, SIGCONT afterwards; False when there was nothing to stop."""
        family = self._family()
        if not family:
            return False
        try:
            _signal(family, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            _signal(family, signal.SIGCONT)
        return True

    async def end(self) -> None:
        """At once; what it held no longer matters."""
        if self.child is not None:
            await self.child.kill()

    def _family(self) -> list[psutil.Process]:
        if self.child is None or self.child.exit_code is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.child.pid)
            return [process, *process.children(recursive=True)]
        return []


def _signal(family: list[psutil.Process], number: int) -> None:
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.send_signal(number)
