"""Files of the registers: there whole or not at all, and readable for the processes that need them."""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PUBLIC, SECRET = 0o644, 0o600

_DRAFT = re.compile(r"\.[^.].*\.(\d{1,7})")  # .NAME.PID; a mounted secret's own `..2026_01_31_….1234` is none


def make_folder(path: Path) -> None:
    """Makes a folder with its parents, durable when it returns; what is there already stays as it is."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        _give(path, path.parent.stat())
        keep(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Gives a draft to be filled, and makes it the folder `path` by one rename; durable at the end.

    Raises OSError, also when there is something at `path` already.
    """
    make_folder(path.parent)
    draft = _draft(path)
    shutil.rmtree(draft, ignore_errors=True)  # of an earlier process of this number
    make_folder(draft)
    try:
        yield draft
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    keep(path.parent)


def write(path: Path, content: bytes, mode: int) -> None:
    """Writes a file with exactly this mode, whatever the umask is; durable when it returns. Raises OSError."""
    _put(path, content, mode, Path.replace)


def create(path: Path, content: bytes, mode: int) -> None:
    """The same, of a file that is not there yet: of two who try, one gets FileExistsError."""
    _put(path, content, mode, lambda draft, path: path.hardlink_to(draft))


def _put(path: Path, content: bytes, mode: int, place: Callable[[Path, Path], object]) -> None:
    draft = _draft(path)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, SECRET), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            _give(file.fileno(), path.parent.stat())
            os.fsync(file.fileno())
        place(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    keep(path.parent)


def _draft(path: Path) -> Path:
    """Where it is written first. Drafts beside it, of processes that were killed, are removed: a key may be in them."""
    for each in path.parent.iterdir():
        found = _DRAFT.fullmatch(each.name)
        if found is None or _runs(int(found[1])):
            continue
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True


def keep(folder: Path) -> None:
    """What was made or renamed in a folder survives a loss of power from here on."""
    with _opened(folder) as handle:
        os.fsync(handle)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """For whoever reads a file of the folder to write it anew; the next one waits. The dead hold no lock."""
    with _opened(folder) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


def _give(what: Path | int, like: os.stat_result) -> None:
    """To the owner of the folder: root may add what another user's processes must read."""
    if os.geteuid() == 0:
        os.chown(what, like.st_uid, like.st_gid)
