"""A child that ends unasked is started again; one that keeps ending ends the run, because restarts do not cure it."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NoReturn

from infra.embedded.failure import PartFailed
from infra.embedded.process import Child

MOST_ENDS = 5
ENDS_WITHIN = 60.0
LONGEST_PAUSE = 5.0


async def keep_running(child: Child, restart: Callable[[], Awaitable[Child]]) -> NoReturn:
    """For ever, at first at once, then with growing pauses. Raises PartFailed when it ends too often."""
    ends: deque[float] = deque(maxlen=MOST_ENDS)
    while True:
        exit_code = await child.wait()
        now = time.monotonic()
        recent = sum(now - end < ENDS_WITHIN for end in ends)
        ends.append(now)
        if recent == MOST_ENDS - 1:
            why = f"it ended {MOST_ENDS} times within a minute, last with status {exit_code}: {child.last_words()}"
            raise PartFailed(child.name, why, child.log)
        await asyncio.sleep(min(recent, LONGEST_PAUSE))
        child = await restart()
