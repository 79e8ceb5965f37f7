"""Child processes: started in their own session, logged to a file, recorded, ended in order.

An own session keeps the terminal's Ctrl-C with the supervisor, which then ends its children in the right order.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from infra.embedded import logs
from infra.embedded.failure import PartFailed
from infra.embedded.records import Record, forget_record, read_records, write_record

GRACE_SECONDS = 20.0
POLL_SECONDS = 0.05


class Child:
    """A running child. Made by `spawn`."""

    def __init__(
        self, home: Path, record: Record, process: asyncio.subprocess.Process, log: Path, log_start: int
    ) -> None:
        self.home, self.record, self.log = home, record, log
        self._process, self._log_start = process, log_start
        self._ending = asyncio.create_task(self._record_end())

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def pid(self) -> int:
        return self.record.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Until the child ends, by itself or stopped; its exit code is on record then."""
        return await asyncio.shield(self._ending)

    async def stop(self, grace: float = GRACE_SECONDS) -> int:
        """Ask to end, wait `grace` seconds, then kill. Harmless when it has already ended."""
        self._signal(self.record.stop_signal)
        try:
            async with asyncio.timeout(grace):
                return await self.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to the child and whatever it started."""
        if self.exit_code is None:
            _kill_tree(self.pid)
        return await self.wait()

    async def ready(self, probe: Callable[[], Awaitable[bool]], within: float) -> None:
        """Poll `probe` until it is true. Raises PartFailed when the child ends first or `within` seconds pass."""
        try:
            async with asyncio.timeout(within):
                while self.exit_code is None:
                    if await probe():
                        return
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise PartFailed(self.name, f"not ready within {within:.0f} s; {self.last_words()}", self.log) from None
        raise PartFailed(self.name, f"it ended with status {self.exit_code}: {self.last_words()}", self.log)

    def last_words(self) -> str:
        """The last meaningful line of this run's log, with a word about the disk when that is what is missing."""
        return logs.last_words(self.log, self._log_start)

    def _signal(self, number: int) -> None:
        if self.exit_code is None:
            self._process.send_signal(number)

    async def _record_end(self) -> int:
        exit_code = await self._process.wait()
        write_record(self.home, self.record.ended(exit_code))
        return exit_code


async def spawn(
    home: Path,
    name: str,
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop_signal: int = signal.SIGTERM,
) -> Child:
    """Start `argv` as the child `name` of `home`: output to `HOME/log/<name>.log`, record in `HOME/run/processes/`.

    `env` is added to our own environment. Raises PartFailed when the program cannot be started at all.
    """
    log = logs.path(home, name)
    arguments = [str(argument) for argument in argv]
    with logs.open_for_append(log) as output:
        log_start = output.tell()
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise PartFailed(name, f"{arguments[0]} cannot be started ({error.strerror})", log) from error
    record = Record(name, process.pid, _create_time(process.pid), arguments, _now(), stop_signal)
    write_record(home, record)
    return Child(home, record, process, log, log_start)


async def run_to_end(
    home: Path, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None
) -> None:
    """A child that does one thing and ends, such as a formatter. Raises PartFailed when it does not end with 0.

    Killed when the caller is cancelled; off the records when it has ended.
    """
    child = await spawn(home, name, argv, env=env)
    try:
        if exit_code := await child.wait():
            raise PartFailed(name, f"it ended with status {exit_code}: {child.last_words()}", child.log)
    finally:
        await child.kill()
        forget_record(home, name)


@dataclass(frozen=True)
class State:
    """What `status` tells of a child. Its exit code is unknown (None) when its supervisor was killed before it."""

    name: str
    pid: int
    running: bool
    exit_code: int | None
    started_at: str
    log: Path


def states(home: Path) -> dict[str, State]:
    """Every lasting child since the last start of this home, as it is now; a name never started is absent."""
    return {
        record.name: State(
            record.name, record.pid, record.running(), record.exit_code, record.started_at, logs.path(home, record.name)
        )
        for record in read_records(home)
    }


async def end_orphans(home: Path, grace: float = GRACE_SECONDS) -> list[str]:
    """End the children that a killed supervisor left behind, known by pid and start time; answers their names.

    Call it with the home's lock held. Anything else that owns a recorded pid by now is left alone.
    """
    orphans = [record for record in read_records(home) if record.running()]
    for orphan in orphans:
        _send(orphan, orphan.stop_signal)
    deadline = asyncio.get_running_loop().time() + grace
    while any(orphan.running() for orphan in orphans):
        if asyncio.get_running_loop().time() > deadline:
            for orphan in filter(Record.running, orphans):
                _kill_tree(orphan.pid)
        await asyncio.sleep(POLL_SECONDS)
    for record in read_records(home):
        forget_record(home, record.name)
    return [orphan.name for orphan in orphans]


def _send(record: Record, number: int) -> None:
    with suppress(ProcessLookupError):  # it ended between the look and the signal
        os.kill(record.pid, number)


def _kill_tree(pid: int) -> None:
    """By descent, not by process group: each PostgreSQL backend leads a group of its own."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()


def _create_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0  # ended and reaped already: a time that matches nothing


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
