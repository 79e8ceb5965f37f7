"""Work that several homes share and only one should do."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

POLL_SECONDS = 0.2


@asynccontextmanager
async def one_at_a_time(lock_file: Path) -> AsyncIterator[None]:
    """Across processes: who comes second waits, then finds the work done. The kernel frees the lock of the dead."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(POLL_SECONDS)
        yield
