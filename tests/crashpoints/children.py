"""Real processes of the bus, forked by a server that has the product loaded: a start costs milliseconds.

A child does what `healthbook stage NAME` does, with a trap set. It is killed by nobody but itself.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from streams.adapters import facilities
from streams.config import load
from streams.runtime.processes import PROCESSES
from streams.runtime.service import serve
from tests.crashpoints.points import Point
from tests.crashpoints.trap import Trap
from tests.faults.planted import PLANTED
from tests.support.eventually import eventually

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["pytest", __name__, "tests.crashpoints.workload"])

REACHED_WITHIN = 60.0
_DRAINED_WITHIN = 60.0

Body = Callable[[], int]
"""What a child does; its answer is the exit status. Must be picklable."""


def stage(name: str) -> int:
    """The body of one process of the bus, until SIGTERM."""
    settings = load()
    return serve(name, settings, PROCESSES[name](settings))


def _run(body: Body, trap: Trap, environment: dict[str, str], log: Path, bug: str | None) -> None:
    """The child: it writes to `log`, not to the terminal of the tests."""
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(environment)
    facilities.LOOK_AGAIN = 0.0  # a mended file counts at once
    if bug is not None:
        PLANTED[bug].plant()
    trap.set()
    sys.exit(body())


@dataclass
class Nursery:
    """Starts children of one system; `folder` gets their logs, markers, and what effects they had without a name."""

    folder: Path
    environment: dict[str, str]
    bug: str | None = None
    """Of tests/faults/planted, for a test that must see it caught."""
    _numbers: dict[str, int] = field(default_factory=dict)

    @property
    def unnamed(self) -> Path:
        return self.folder / "unnamed"

    def start(self, process: str, body: Body, point: Point | None) -> "Child":
        number = self._numbers[process] = self._numbers.get(process, 0) + 1
        marker = self.folder / f"{process}-{number}.died-at"
        log = self.folder / f"{process}.log"
        trap = Trap(process, point, marker, self.unnamed)
        child = _FORKS.Process(target=_run, args=(body, trap, self.environment, log, self.bug), daemon=True)
        child.start()
        return Child(process, child, marker, log)


@dataclass
class Child:
    """One child process."""

    process: str
    _child: ForkServerProcess
    _marker: Path
    _log: Path

    async def ended(self, timeout: float, message: str) -> int:
        """Its exit status once it ended."""
        await eventually(lambda: self._child.exitcode is not None, timeout=timeout, message=message)
        status = self._child.exitcode
        assert status is not None
        return status

    async def died_at(self, point: Point) -> None:
        """It killed itself at that point; AssertionError when it ended otherwise or never came to it."""
        status = await self.ended(REACHED_WITHIN, f"{point} is reached")
        assert status == -signal.SIGKILL, f"{point}: ended with {status}\n{self.last_words()}"
        assert self._marker.read_text(encoding="utf-8") == str(point)

    def check(self) -> None:
        """AssertionError when it ended though nothing told it to."""
        assert self._child.exitcode is None, f"{self.process} ended with {self._child.exitcode}\n{self.last_words()}"

    async def drain(self) -> None:
        """SIGTERM; it must end with 0."""
        self.check()
        self._child.terminate()
        assert await self.ended(_DRAINED_WITHIN, f"{self.process} drains") == 0, self.last_words()

    def kill(self) -> None:
        """For a test that failed."""
        self._child.kill()

    def last_words(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8").splitlines()[-15:])


class Life:
    """A process that dies at each of `points` in turn, is started again each time, and then lives on."""

    def __init__(self, nursery: Nursery, process: str, points: Sequence[Point]) -> None:
        self._deaths = 0
        self._process = process
        self._points = points
        self._start = partial(nursery.start, process, partial(stage, process))
        self._child = self._start(points[0] if points else None)

    async def live(self) -> None:
        """Returns when all deaths are died and the last child runs."""
        for point in self._points:
            await self._child.died_at(point)
            self._deaths += 1
            self._child = self._start(next(iter(self._points[self._deaths :]), None))

    @property
    def begun(self) -> bool:
        """Whether the first of its deaths is behind it."""
        return self._deaths > 0 or not self._points

    def check(self) -> None:
        """The last child must be running."""
        self._child.check()

    async def drain(self) -> None:
        """Ends the last child in order."""
        await self._child.drain()

    def kill(self) -> None:
        """For a test that failed."""
        self._child.kill()
