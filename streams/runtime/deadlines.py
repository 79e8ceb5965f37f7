"""deadlines: the clocks (DESIGN §5), a processor on Faust. Its truth is in PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from events.envelope import Event, headers
from events.serde import Serde
from streams import tracing
from streams.adapters import kafka
from streams.adapters.deadline_news import PostgresNews
from streams.adapters.deadlines import PostgresDeadlines
from streams.errors import RetryLater
from streams.metrics import DEADLINE_BREACHES, DEADLINE_KEPT, FACILITY_LAST_EVENT
from streams.runtime.deadline_counts import count
from streams.runtime.deadline_gauges import Gauges
from streams.runtime.loop import Received
from streams.runtime.processor import Work, patiently
from streams.sla.facts import TELLING, facts_of

LOOK_SECONDS = 1.0
SUMMARY_SECONDS = 10.0
PREDICT_SECONDS = 30.0


@dataclass(frozen=True)
class Store:
    """What the processor keeps, tells and measures."""

    deadlines: PostgresDeadlines
    news: PostgresNews
    gauges: Gauges


class DeadlineProcessor:
    """Facts out of the events, clocks out of the facts, and what happens when a clock's time comes."""

    name = "deadlines"
    reads = TELLING

    def __init__(self, store: Store, serde: Serde, producer: Any) -> None:
        self._store = store
        self._serde = serde
        self._producer = producer
        for clock in store.deadlines.clocks:  # a rate must see the first one: it counts from 0, not from nothing
            DEADLINE_BREACHES.labels(clock)
            DEADLINE_KEPT.labels(clock)

    @property
    def timers(self) -> Mapping[Work, float]:
        """See Processor."""
        gauges = self._store.gauges
        return {self.look: LOOK_SECONDS, gauges.measure: SUMMARY_SECONDS, gauges.predict: PREDICT_SECONDS}

    async def learn(self, batch: Sequence[Received[Any]]) -> None:
        """See Processor."""
        told = (facts_of(item.event, item.record.partition, item.record.offset) for item in batch)
        facts = [found for found in told if found is not None]
        count(await self._store.deadlines.learn(facts))
        for found in facts:
            if found.closed_at is not None:
                FACILITY_LAST_EVENT.labels(found.facility).set(found.closed_at.timestamp())

    async def look(self) -> None:
        """Moves the clocks whose time has come, tells what changed, offers again what was not acknowledged."""
        news = self._store.news
        while changes := await patiently(self._store.deadlines.look):
            count(changes)
        while told := await patiently(news.unannounced):
            await patiently(partial(self._produce, told))
            await patiently(partial(news.announced, told))
        while again := await patiently(news.unoffered):
            await patiently(partial(self._produce, again))
            await patiently(partial(news.offered, again))

    async def _produce(self, told: Sequence[Event]) -> None:
        now = datetime.now(UTC)
        try:
            sending = [
                await self._producer.send(
                    event.topic,
                    key=event.key.encode(),
                    value=self._serde.encode(event),
                    headers=headers(event, now),
                )
                for event in told
            ]
            await asyncio.gather(*sending)
            tracing.created(told)
        except kafka.SPOILT:
            raise  # ends the process: the next one has a new producer
        except kafka.AWAY as error:
            raise RetryLater(f"produce: {type(error).__name__}") from error
