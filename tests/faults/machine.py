"""What a run borrows from the machine: a clock that can be set wrong for one process, and a disk that can be full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBFAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
"""It moves the clock of one process as its system calls see it; its monotonic clock goes on (Debian: faketime)."""
DISK_BYTES = 64 * 2**20


class Clocks:
    """One file for each process says by how many seconds its clock is wrong."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def environment(self, process: str) -> dict[str, str]:
        """What the process is started with; nothing on a machine without libfaketime."""
        if LIBFAKETIME is None:
            return {}
        self.step(process, "+0")
        return {
            "LD_PRELOAD": str(LIBFAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._folder / process),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, process: str, seconds: str) -> None:
        """The clock jumps, within a second."""
        draft = self._folder / f".{process}"
        draft.write_text(f"{seconds}\n", encoding="ascii")
        draft.replace(self._folder / process)


class Disk:
    """A small file system of its own, when this user may mount one; else a folder that cannot be filled."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder = folder
        self.mounted = mounted
        self._hog = folder / "hog"

    def fill(self) -> None:
        """Somebody else takes the last byte."""
        with self._hog.open("wb", buffering=0) as file:
            size = 2**20
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2

    def free(self) -> None:
        self._hog.unlink(missing_ok=True)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """A tmpfs at `folder` where that is permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield Disk(folder, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
