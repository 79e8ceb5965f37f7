"""deadlines: the clocks (DESIGN §5), a processor on Faust. Its truth is in PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from events.deadline import DeadlineState
from events.envelope import headers
from events.serde import Serde
from events.topics import DEADLINE_CHANGED
from streams.adapters import kafka
from streams.adapters.deadlines import Change, PostgresDeadlines
from streams.errors import RetryLater
from streams.metrics import (
    CLOSE_TO_RECEIPT,
    DEADLINE_BREACHES,
    DEADLINE_NEAREST,
    DEADLINES,
    FACILITY_LAST_EVENT,
    RECEIPT_TO_DISPLAY,
)
from streams.runtime.processor import Work, patiently
from streams.sla.deadline import CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN
from streams.sla.facts import TELLING, facts_of

LOOK_SECONDS = 1.0
SUMMARY_SECONDS = 10.0

_HISTOGRAMS = {CLOSED_TO_RECEIPT.name: CLOSE_TO_RECEIPT, RECEIPT_TO_SHOWN.name: RECEIPT_TO_DISPLAY}


class DeadlineProcessor:
    """Facts out of the events, clocks out of the facts, and what happens when a clock's time comes."""

    name = "deadlines"
    reads = TELLING

    def __init__(self, deadlines: PostgresDeadlines, serde: Serde, producer: Any) -> None:
        self._deadlines = deadlines
        self._serde = serde
        self._producer = producer

    @property
    def timers(self) -> Mapping[Work, float]:
        """See Processor."""
        return {self.look: LOOK_SECONDS, self.summarise: SUMMARY_SECONDS}

    async def learn(self, events: Sequence[Any]) -> None:
        """See Processor."""
        facts = [found for event in events if (found := facts_of(event)) is not None]
        self._measure(await self._deadlines.learn(facts))
        for found in facts:
            if found.closed_at is not None:
                FACILITY_LAST_EVENT.labels(found.facility).set(found.closed_at.timestamp())

    async def look(self) -> None:
        """Moves the clocks whose time has come and tells what changed."""
        while changes := await patiently(self._deadlines.look):
            self._measure(changes)
        while told := await patiently(self._deadlines.unannounced):
            await patiently(partial(self._announce, told))
            await patiently(partial(self._deadlines.announced, told))

    async def summarise(self) -> None:
        """Sets the gauges of INTERFACE §6 from the table."""
        now = datetime.now(UTC)
        for row in await patiently(self._deadlines.summary):
            DEADLINES.labels(row["clock"], row["state"]).set(row["number"])
            if row["nearest"] is not None:
                DEADLINE_NEAREST.labels(row["clock"]).set((row["nearest"] - now).total_seconds())

    async def _announce(self, told: Sequence[Any]) -> None:
        now = datetime.now(UTC)
        try:
            sending = [
                await self._producer.send(
                    DEADLINE_CHANGED.name,
                    key=event.key.encode(),
                    value=self._serde.encode(event),
                    headers=headers(event, now),
                )
                for event in told
            ]
            await asyncio.gather(*sending)
        except kafka.AWAY as error:
            raise RetryLater(f"produce: {type(error).__name__}") from error

    def _measure(self, changes: Sequence[Change]) -> None:
        for change in changes:
            before, after = change.before, change.after
            if after.late and (before is None or not before.late):
                DEADLINE_BREACHES.labels(after.clock).inc()
            stopped = after.stopped_at if before is None or before.stopped_at is None else None
            histogram = _HISTOGRAMS.get(after.clock)
            if histogram and stopped is not None and after.state in (DeadlineState.MET, DeadlineState.BREACHED):
                histogram.observe((stopped - after.started_at).total_seconds())
