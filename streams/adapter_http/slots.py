"""How many requests are worked on at once: what bounds the memory, and no facility can take the others' share."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from streams.adapter_http.errors import RequestError


class Slots:
    """`together` of all facilities, of one a quarter of them; who gets none within `patience` seconds hears BUSY."""

    def __init__(self, together: int, patience: float) -> None:
        self._all = asyncio.Semaphore(together)
        self._each: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(max(1, together // 4))
        )  # of facilities that showed a token: as many as there are
        self._patience = patience

    @asynccontextmanager
    async def one_for(self, facility: str) -> AsyncIterator[None]:
        """Held inside the block. Raises RequestError."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._patience):
                    await held.enter_async_context(self._each[facility])
                    await held.enter_async_context(self._all)
            except TimeoutError:
                raise RequestError("BUSY") from None
            yield
