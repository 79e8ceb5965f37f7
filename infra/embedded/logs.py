"""Log files of the children, and the one line in them that says why a child ended."""

import re
import shutil
from pathlib import Path
from typing import BinaryIO

KEEP_BYTES = 16 * 2**20
TAIL_BYTES = 64 * 2**10
LITTLE_DISK_BYTES = 64 * 2**20

_EXCEPTION = re.compile(r"(?:[\w$]+\.)+\w*(?:Exception|Error): \S")
_COMPLAINT = re.compile(r"\b(?:FATAL|PANIC|ERROR|Error|error|refused|cannot|could not)\b")
_STACK = re.compile(r"^\s+at |^\s+\.\.\. \d+ more|^\s*$")


def path(home: Path, name: str) -> Path:
    return home / "log" / f"{name}.log"


def open_for_append(log: Path) -> BinaryIO:
    """Append, so that the story of earlier starts stays; a log grown large becomes `<name>.log.1` first."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > KEEP_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    output = log.open("ab")
    output.seek(0, 2)
    return output


def last_words(log: Path, start: int = 0) -> str:
    """The most telling line after byte `start`: the last exception, else the last complaint, else the last line."""
    lines = [line for line in _tail(log, start) if not _STACK.match(line)]
    for telling in (_EXCEPTION, _COMPLAINT):
        if found := [line for line in lines if telling.search(line)]:
            return found[-1].strip() + _disk(log)
    return (lines[-1].strip() if lines else "its log is empty") + _disk(log)


def _tail(log: Path, start: int) -> list[str]:
    with log.open("rb") as content:
        size = content.seek(0, 2)
        content.seek(max(start, size - TAIL_BYTES))
        return content.read().decode("utf-8", errors="replace").splitlines()


def _disk(log: Path) -> str:
    """A full disk often leaves an empty log or a misleading last line, so it is said in plain words."""
    free = shutil.disk_usage(log.parent).free
    return f" (only {free // 2**20} MiB are left on its disk)" if free < LITTLE_DISK_BYTES else ""
