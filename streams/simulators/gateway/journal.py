"""An append-only file of JSON lines: what is in it when `flush` returns survives kill -9 and a power cut."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]


class JournalError(ValueError):
    """The file is damaged in the middle: says which line. A torn last line is normal and cut off."""


class Journal:
    """One writer. Many callers wait for the same fsync (group commit)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._waiting: list[bytes] = []
        self._appended = self._durable = 0
        self._lock = asyncio.Lock()

    def replay(self) -> list[Record]:
        """Every record written so far. Raises JournalError."""
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):  # killed in the middle of a write: nobody was told that it was stored
            os.ftruncate(self._file, len(whole))
        records = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                records.append(json.loads(line))
            except ValueError:
                raise JournalError(f"{self._path} line {number}: not JSON; restore the file or start anew") from None
        return records

    def append(self, record: Record) -> None:
        self._waiting.append(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._appended += 1

    async def flush(self) -> None:
        """Returns when everything appended before the call is on disk. Raises OSError when the disk will not."""
        wanted = self._appended
        while self._durable < wanted:
            async with self._lock:
                if self._durable < wanted:
                    upto, lines, self._waiting = self._appended, self._waiting, []
                    await asyncio.to_thread(self._write, b"".join(lines))
                    self._durable = upto

    def _write(self, data: bytes) -> None:
        end = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, end)  # half a record must not stand before the next one
            raise

    def close(self) -> None:
        os.close(self._file)
