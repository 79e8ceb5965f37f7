"""Days of a region's hospitals as Prometheus would have scraped them, minute by minute, drawn from a seed.

A quiet day has its daily pattern, weekends and holidays, and what happens on quiet days: single late visits, a hiccup
of the gateway, a visit that waits for its next try, a deployment, a certificate that is renewed in time. What goes
wrong on a bad day is said by the test.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from streams.runtime.processes import PROCESSES

MINUTES = 24 * 60
CLOCKS = ("closed-to-receipt", "receipt-to-shown")
PARTS = ("kafka", "postgres", "registry")
OUTCOMES = {
    "validate": ("visit.validated.v1",),
    "sign": ("visit.signed.v1",),
    "forward": ("stored", "visit.accepted.v1"),  # into its ledger, and on from there
    "relay": ("visit.accepted.v1",),
}
_WORKDAY = [0.2] * 6 + [2, 6, 9, 10, 9, 6, 4, 7, 8, 7, 5, 3, 2, 1] + [0.5] * 4
"""Visits closed a minute, by hour."""

Gap = None
Values = list[float | None]


@dataclass
class Days:
    """Series by their text, each with a value (None: not scraped) for every minute. Day 0 is a Monday."""

    days: int
    seed: int
    holidays: frozenset[int] = frozenset()
    series: dict[str, Values] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.closed = [self._closed(minute) for minute in range(self.minutes)]
        self._flow()
        self._clocks()
        self._gateway()
        self._facilities()
        self._processes()

    @property
    def minutes(self) -> int:
        return self.days * MINUTES

    def put(self, series: str, value: Callable[[int], float]) -> None:
        """A series, from its value at each minute."""
        self.series[series] = [value(minute) for minute in range(self.minutes)]

    def count(self, series: str, increments: Callable[[int], float]) -> None:
        """A counter, from what each minute adds."""
        total, values = 0.0, Values()
        for minute in range(self.minutes):
            total += increments(minute)
            values.append(total)
        self.series[series] = values

    def during(self, series: str, start: int, end: int, value: Callable[[int], float | None]) -> None:
        """Other values from minute `start` to before `end`."""
        for minute in range(start, end):
            self.series[series][minute] = value(minute)

    def deploy(self, minute: int) -> None:
        """Every process is restarted, one after the other: not scraped for a minute, its counters begin anew."""
        for turn, process in enumerate(PROCESSES):
            at = minute + 2 * turn
            for series in [text for text in self.series if f'process="{process}"' in text]:
                values = self.series[series]
                if series.startswith("up{"):
                    values[at] = 0
                    continue
                values[at] = Gap
                if "_total" in series or "_count" in series:
                    base = values[at - 1] or 0
                    values[at + 1 :] = [None if value is None else value - base for value in values[at + 1 :]]
                elif series.startswith("process_start_time"):
                    values[at + 1 :] = [at * 60.0] * (self.minutes - at - 1)

    def input_series(self) -> list[dict[str, str]]:
        """As promtool reads them."""
        return [{"series": series, "values": notation(values)} for series, values in self.series.items()]

    def _closed(self, minute: int) -> int:
        day, of_day = divmod(minute, MINUTES)
        per_minute = _WORKDAY[of_day // 60]
        if day % 7 == 6 or day in self.holidays:
            per_minute *= 0.1
        elif day % 7 == 5:
            per_minute *= 0.5
        return sum(self.chance.random() < per_minute / 20 for _ in range(20))

    def _flow(self) -> None:
        for stage in PROCESSES:
            where = f'stage="{stage}",process="{stage}"'
            for outcome in OUTCOMES.get(stage, ("stored",)):
                self.count(
                    f'healthbook_events_total{{{where},outcome="{outcome}"}}', lambda minute: self.closed[minute]
                )
            self.put(f"healthbook_backlog{{{where}}}", lambda minute: self.closed[minute] // 4)
            self.put(f"healthbook_backlog_oldest_seconds{{{where}}}", lambda minute: self.closed[minute] % 4)
            for monday in range(0, self.days, 7):  # a hospital hands its weekend over at once
                start = monday * MINUTES + 8 * 60
                self.during(f"healthbook_backlog{{{where}}}", start, start + 6, lambda _: 200)
                self.during(f"healthbook_backlog_oldest_seconds{{{where}}}", start, start + 6, lambda _: 120)
        self.put(
            'healthbook_held{reason="CERTIFICATE_EXPIRED",process="forward"}', lambda minute: minute // 600 % 3 == 2
        )
        series = 'healthbook_backlog_oldest_seconds{stage="forward",process="forward"}'
        for day in range(2, self.days, 5):  # one visit that the gateway answers only at the sixth try
            start = day * MINUTES + 14 * 60
            self.during(series, start, start + 180, lambda minute, start=start: 60 * (minute - start))  # type: ignore[misc]

    def _clocks(self) -> None:
        late = [self.chance.random() < 0.002 * closed for closed in self.closed]
        for clock in CLOCKS:
            where = f'clock="{clock}",process="deadlines"'
            share = 1 if clock == CLOCKS[0] else 0.05
            broken = [flag and self.chance.random() < share for flag in late]
            self.count(f"healthbook_deadline_breaches_total{{{where}}}", lambda minute, broken=broken: broken[minute])  # type: ignore[misc]
            self.count(
                f"healthbook_deadline_kept_total{{{where}}}",
                lambda minute, broken=broken: max(0, self.closed[minute] - broken[minute]),  # type: ignore[misc]
            )
            self.put(f'healthbook_deadlines{{{where},state="RUNNING"}}', lambda minute: self.closed[minute] + 1)
            self.put(
                f'healthbook_deadlines{{{where},state="AT_RISK"}}',
                lambda minute, late=late: any(late[minute : minute + 4]),  # type: ignore[misc]
            )
            self.put(f"healthbook_deadline_predicted_breaches{{{where}}}", lambda _: 0)
        self.count(
            'healthbook_receipt_to_display_seconds_count{process="deadlines"}', lambda minute: self.closed[minute]
        )

    def _gateway(self) -> None:
        hiccups = {day * MINUTES + self.chance.randrange(7 * 60, 17 * 60) for day in range(self.days)}
        bad = {minute for start in hiccups for minute in (start, start + 1)}
        for result in ("ACCEPTED", "UNKNOWN", "TEMPORARY", "AUTH"):
            where = f'operation="send",result="{result}",process="forward"'
            self.count(
                f"healthbook_gateway_requests_total{{{where}}}",
                lambda minute, result=result: (
                    self.closed[minute] * (result == ("UNKNOWN" if minute in bad else "ACCEPTED"))
                ),  # type: ignore[misc]
            )
        self.put('healthbook_gateway_breaker_open{process="forward"}', lambda minute: minute in bad)
        for subject in ("gateway", "display", "his", "us"):
            for announced in ("true", "false"):
                where = f'subject="{subject}",announced="{announced}",process="forward"'
                self.put(f"healthbook_outage_open{{{where}}}", lambda _: 0)

    def _facilities(self) -> None:
        for number in range(8):
            facility = f'facility="0{number}999"'
            self.put(f'healthbook_facility_silent{{{facility},process="flow"}}', lambda _: 0)
            days_left = 20 if number == 0 and self.days > 20 else 300  # the first is renewed three days before its end
            self.put(
                f'healthbook_certificate_not_after_timestamp_seconds{{{facility},process="sign"}}',
                lambda minute, left=days_left: (left + 365 * (minute > (left - 3) * MINUTES)) * 86400,  # type: ignore[misc]
            )
        quiet = 3 * MINUTES + 9 * 60  # one of them for an afternoon
        if self.days > 3:
            self.during('healthbook_facility_silent{facility="03999",process="flow"}', quiet, quiet + 300, lambda _: 1)

    def _processes(self) -> None:
        for process in PROCESSES:
            self.put(f'up{{job="healthbook",process="{process}"}}', lambda _: 1)
            self.put(f'process_start_time_seconds{{job="healthbook",process="{process}"}}', lambda _: 0)
            self.put(f'healthbook_progress_age_seconds{{process="{process}"}}', lambda _: 0.5)
            for part in PARTS:
                self.put(f'healthbook_part_reachable{{part="{part}",process="{process}"}}', lambda _: 1)
        self.put('healthbook_disk_size_bytes{folder="/data",process="record"}', lambda _: 1000)
        # What a day adds is removed by retention in the night.
        self.put(
            'healthbook_disk_free_bytes{folder="/data",process="record"}', lambda minute: 600 - minute % MINUTES // 15
        )


def notation(values: Values) -> str:
    """promtool's: a start, a step and how many more; what is scraped no more is stale at once."""
    return " ".join(_runs(values))


def _runs(values: Values) -> Iterator[str]:
    at = 0
    while at < len(values):
        start, end = values[at], at + 1
        if start is Gap:
            while end < len(values) and values[end] is Gap:
                end += 1
            yield "stale" if end == at + 1 else f"stale _x{end - at - 1}"
        elif end == len(values) or values[end] is Gap:
            yield _number(start)
        else:
            step = (values[end] or 0) - start
            while end < len(values) and values[end] is not Gap and (values[end] or 0) == (values[end - 1] or 0) + step:
                end += 1
            yield f"{_number(start)}{'-' if step < 0 else '+'}{_number(abs(step))}x{end - at - 1}"
        at = end


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
