"""Mistakes in the batch loop."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError

from streams.runtime.loop import Loop


def commit_before_produce() -> None:
    """The batch is committed when it has been polled; a process that dies behind that never produces it."""
    handle_and_produce = Loop._process

    async def committed_first(self: Loop, records: Sequence[Any]) -> None:
        with suppress(KafkaError):
            await self._consumer.commit()
        await handle_and_produce(self, records)

    Loop._process = committed_first  # type: ignore[method-assign]
