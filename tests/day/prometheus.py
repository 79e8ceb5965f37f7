"""A real Prometheus that holds the series of the day, raw and recorded, at the day's own times."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from infra.embedded import web
from infra.embedded.home import keep_port
from infra.embedded.process import run_to_end, spawn
from infra.embedded.prometheus import RULES
from tests.day.scrape import MINUTE, Series


@dataclass(frozen=True, slots=True)
class Sample:
    """Labels and value of one series at a moment."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """What it answers about a moment of the day."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def at(self, moment: datetime, expr: str) -> list[Sample]:
        """The series of an instant query. Raises AssertionError with Prometheus' complaint."""
        parameters = {"query": expr, "time": str(moment.timestamp())}
        async with self._http.get(f"{self._url}/api/v1/query", params=parameters) as answer:
            body: dict[str, Any] = await answer.json()
        assert body["status"] == "success", f"{expr}: {body}"
        return [Sample(series["metric"], float(series["value"][1])) for series in body["data"]["result"]]


@asynccontextmanager
async def holding(series: Series, folder: Path) -> AsyncIterator[Prometheus]:
    """Started on blocks made from the series; what the recording rules say is added to them."""
    home, data = folder / "prometheus", folder / "prometheus" / "data"
    home.mkdir(parents=True)
    samples, until = home / "day.txt", series.start + series.minutes * MINUTE
    samples.write_text("".join(_openmetrics(series)), encoding="utf-8")
    await run_to_end(home, "backfill", ["promtool", "tsdb", "create-blocks-from", "openmetrics", samples, data])
    async with _running(home, data) as url:
        span = [f"--start={series.start.timestamp():.0f}", f"--end={until.timestamp():.0f}", "--eval-interval=60s"]
        recorded = ["promtool", "tsdb", "create-blocks-from", "rules", *span, f"--url={url}", f"--output-dir={data}"]
        await run_to_end(home, "record", [*recorded, RULES / "recording.yml"])
    async with _running(home, data) as url, aiohttp.ClientSession() as http:
        yield Prometheus(http, url)


@asynccontextmanager
async def _running(home: Path, data: Path) -> AsyncIterator[str]:
    configuration, port = home / "prometheus.yml", keep_port(home, "prometheus")
    configuration.write_text(json.dumps({"scrape_configs": []}), encoding="utf-8")
    command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={data}"]
    command += ["--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{port}"]
    child = await spawn(home, "prometheus", command)
    try:
        started = await web.once_ready(child, f"http://127.0.0.1:{port}")
        assert started is not None, child.last_words()
        yield started[1]
    finally:
        await child.stop()


def _openmetrics(series: Series) -> Iterator[str]:
    for text, values in series.values.items():
        for minute, value in enumerate(values):
            if value is not None:
                yield f"{text} {value!r} {(series.start + minute * MINUTE).timestamp():.0f}\n"
    yield "# EOF\n"
