"""flow, completeness, silence: three questions to the same facts, one processor on Faust (decision 0017).

How much passes each stage; does closed equal the sum of outcomes; which facility that normally sends has gone quiet.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import Gauge

from events.day import DayCounted
from streams.adapters.flow import PostgresFlow
from streams.adapters.rhythms import PostgresRhythms
from streams.domain.dossier.moments import VIETNAM
from streams.domain.outcome import Outcome
from streams.metrics import COMPLETENESS, COMPLETENESS_MISSING, FACILITY_SILENT, FLOW_EVENTS
from streams.runtime.loop import Received
from streams.runtime.processor import Work
from streams.sla.flow import FIGURED, PASSING, STAGE, progress
from streams.sla.silence import IsWorkingDay, is_silent, missed, ordinary_slots, slots_until

COUNT_SECONDS = 10.0
LISTEN_SECONDS = 60.0
LEARN_SECONDS = 30.0
FORGET_SECONDS = 10.0

_WEEK = timedelta(days=7)
_LEARNED_FOR = timedelta(days=1)
_AT_ONCE = 200
_FORGOTTEN_AT_ONCE = 1000
_KEPT = FIGURED + timedelta(days=1)
"""Facts are kept for longer than events are learnt: so a replay never meets a visit that was forgotten."""
_MOST_FACILITIES = 500
"""With a metric of its own that something of it is missing; `facility reconcile` tells of all."""


class FlowProcessor:
    """Facts out of all events; counts, outcomes and rhythms out of the facts."""

    name = "flow"
    reads = (*PASSING, DayCounted)

    def __init__(self, flow: PostgresFlow, rhythms: PostgresRhythms, is_working_day: IsWorkingDay) -> None:
        self._flow = flow
        self._rhythms = rhythms
        self._is_working_day = is_working_day
        self._expected: dict[str, tuple[datetime, tuple[float, ...]]] = {}
        self._silent = Shown(FACILITY_SILENT)
        self._missing = Shown(COMPLETENESS_MISSING)

    @property
    def timers(self) -> Mapping[Work, float]:
        """See Processor."""
        return {
            self.count: COUNT_SECONDS,
            self.listen: LISTEN_SECONDS,
            self.learn_rhythms: LEARN_SECONDS,
            self.forget: FORGET_SECONDS,
        }

    async def learn(self, batch: Sequence[Received[Any]]) -> None:
        """See Processor. What is too old for any figure is passed over."""
        since = datetime.now(UTC) - FIGURED
        counts = [item.event for item in batch if isinstance(item.event, DayCounted)]
        passing = [item for item in batch if not isinstance(item.event, DayCounted) and item.timestamp >= since]
        told = [found for item in passing if (found := progress(item.event, item.timestamp)) is not None]
        await self._flow.learn(told, counts)

    async def count(self) -> None:
        """Sets the gauges of flow and completeness."""
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        found = await self._flow.flow(hour - timedelta(days=1), hour - timedelta(hours=1), hour)
        by_step = {row["step"]: row for row in found}
        for step, stage in STAGE.items():
            for window, column in (("1h", "hour"), ("24h", "day")):
                number = by_step[step][column] if step in by_step else 0
                FLOW_EVENTS.labels(stage, str(step), window).set(number)
        since = (datetime.now(VIETNAM) - _WEEK).date()
        outcomes = await self._flow.outcomes(since)
        for outcome in Outcome:
            COMPLETENESS.labels(str(outcome)).set(outcomes.get(outcome, 0))
        self._missing.show(await self._flow.missing(since, _MOST_FACILITIES))

    async def listen(self) -> None:
        """Which facilities have gone quiet: for the gauge (1 or 0 for each with a known rhythm) and for the console."""
        now = await self._rhythms.newest()
        last = await self._rhythms.last()
        known = self._expected
        stale = [one.facility for one in last if one.facility not in known or known[one.facility][0] != one.learned_at]
        learned = await self._rhythms.expected(stale)
        when = {one.facility: one.learned_at for one in last}
        self._expected = {name: kept for name, kept in known.items() if name in when} | {
            name: (when[name], rhythm) for name, rhythm in learned.items()
        }
        slots = slots_until(now, self._is_working_day) if now else []
        silent = {
            one.facility: is_silent(self._expected[one.facility][1], missed(slots, one.last_at, now))
            for one in last
            if now and one.facility in self._expected
        }
        self._silent.show(silent)
        await self._rhythms.mark_silent([facility for facility, quiet in silent.items() if quiet])

    async def learn_rhythms(self) -> None:
        """Learns again what is a day old, some facilities at a time."""
        now = datetime.now(UTC)
        hours = ordinary_slots(now, self._is_working_day)
        await self._rhythms.learn(hours, now - _LEARNED_FOR, now, _AT_ONCE)

    async def forget(self) -> None:
        """Takes out what no figure needs any more, a little at a time."""
        await self._flow.forget(datetime.now(UTC) - _KEPT, _FORGOTTEN_AT_ONCE)


class Shown:
    """A gauge by facility that has only those that matter at present."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._names: set[str] = set()

    def show(self, values: Mapping[str, float]) -> None:
        """These, and no others."""
        for name in self._names - values.keys():
            self._gauge.remove(name)
        for name, value in values.items():
            self._gauge.labels(name).set(value)
        self._names = set(values)
