"""What a person released comes again on its topic, so that its stage takes it up like any other record."""

import asyncio
from typing import Any

import structlog

from streams.adapters import kafka
from streams.adapters.holds import PostgresHolds
from streams.cancellation import heed_cancellation
from streams.errors import RetryLater

log = structlog.get_logger()

PAUSE_SECONDS = 1.0


class Released:
    """Brings back what one stage held. A crash in between brings a record twice: the same event, which is harmless."""

    def __init__(self, stage: str, holds: PostgresHolds, producer: Any) -> None:
        self._stage = stage
        self._holds = holds
        self._producer = producer

    async def bring_back(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                for kept in await self._holds.released(self._stage):
                    await self._producer.send_and_wait(kept.topic, key=kept.key, value=kept.value, headers=kept.headers)
                    await self._holds.gone(self._stage, kept)
            except kafka.SPOILT as error:
                raise RetryLater("released visits: the producer is spoilt, a new one is needed") from error
            except (RetryLater, *kafka.AWAY) as error:
                heed_cancellation()
                log.warning("released visits could not be brought back", stage=self._stage, error=type(error).__name__)
