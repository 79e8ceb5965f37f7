"""Files of the registers: there whole or not at all, and readable for the processes that need them."""

import os
from collections.abc import Callable
from pathlib import Path

PUBLIC, SECRET = 0o644, 0o600


def make_folder(path: Path) -> None:
    """Makes a folder with its parents; what is there already stays as it is."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        _give(path, path.parent.stat())


def write(path: Path, content: bytes, mode: int) -> None:
    """Writes a file with exactly this mode, whatever the umask is; durable when it returns. Raises OSError."""
    _put(path, content, mode, Path.replace)


def create(path: Path, content: bytes, mode: int) -> None:
    """The same, of a file that is not there yet: of two who try, one gets FileExistsError."""
    _put(path, content, mode, lambda draft, path: path.hardlink_to(draft))


def _put(path: Path, content: bytes, mode: int, place: Callable[[Path, Path], object]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
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


def keep(folder: Path) -> None:
    """What was made or renamed in a folder survives a loss of power from here on."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _give(what: Path | int, like: os.stat_result) -> None:
    """To the owner of the folder: root may add what another user's processes must read."""
    if os.geteuid() == 0:
        os.chown(what, like.st_uid, like.st_gid)
