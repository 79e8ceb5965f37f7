"""Every process, scraped once in a minute of the day, as Prometheus would."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from streams.runtime.processes import PROCESSES
from streams.runtime.system import listening
from tests.day.clock import Clock

MINUTE = timedelta(minutes=1)


@dataclass
class Series:
    """A value (None: not scraped) for each minute from `start` on, by the series' text."""

    start: datetime
    minutes: int = 0
    values: dict[str, list[float | None]] = field(default_factory=dict)

    def add(self, found: dict[str, float]) -> None:
        """The next minute."""
        for series in found.keys() - self.values.keys():
            self.values[series] = [None] * self.minutes
        self.minutes += 1
        for series, values in self.values.items():
            values.append(found.get(series))

    def minute(self, at: datetime) -> int:
        """Number of the minute of this moment."""
        return (at - self.start) // MINUTE


async def watch(home: Path, clock: Clock, series: Series) -> None:
    """For ever; begins at the series' start."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while True:
            await clock.until(series.start + series.minutes * MINUTE)
            told = listening(home)
            texts = await asyncio.gather(*(_scrape(http, told.get(name, {}).get("url", "")) for name in PROCESSES))
            found: dict[str, float] = {}
            for process, text in zip(PROCESSES, texts, strict=True):
                found[f'up{{job="healthbook",process="{process}"}}'] = float(text is not None)
                found.update(_samples(process, text or ""))
            series.add(found)


async def _scrape(http: aiohttp.ClientSession, url: str) -> str | None:
    try:
        async with http.get(f"{url}/metrics", headers={"Accept": "text/plain"}) as answer:
            return await answer.text() if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError):
        return None


def _samples(process: str, text: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {**sample.labels, "job": "healthbook", "process": process}
            inside = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
            yield f"{sample.name}{{{inside}}}", sample.value
