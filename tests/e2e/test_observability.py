"""A whole system watched by a real Prometheus: every metric that is promised, every panel, every rule."""

import math
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as _openmetrics
from prometheus_client.parser import text_string_to_metric_families as _text

import streams.metrics
from streams.runtime.processes import PROCESSES
from tests.support.dashboards import PanelQuery, queries
from tests.support.eventually import eventually
from tests.support.metric_families import families
from tests.support.system import RunningSystem, close_visits, everything_ends_as_it_should, running_system
from tests.support.trouble import every_trouble

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
ELSEWHERE = {"healthbook_adapter_requests_total", "healthbook_spool_entries"}
"""Families of `adapter http`, which `run` does not start."""


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Prometheus:
    """What the system's own Prometheus answers."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http, self.url = http, url

    async def get(self, path: str, **parameters: str) -> Any:
        async with self.http.get(f"{self.url}/api/v1/{path}", params=parameters) as answer:
            body = await answer.json()
            assert body["status"] == "success", body
            return body["data"]

    async def values(self, expr: str) -> list[float]:
        return [float(series["value"][1]) for series in (await self.get("query", query=expr))["result"]]


@pytest.fixture(scope="module")
async def watched(
    downloads: Path, own_home: Path, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[RunningSystem, Prometheus]]:
    """After a seeded run that Prometheus saw from its beginning: visits closed, corrected, rejected and shown; and a
    little of every trouble, so that what tells of it has values too."""
    async with running_system(own_home, downloads) as found:
        url = await eventually(lambda: found.addresses.get("prometheus"), timeout=120, message="Prometheus runs")
        prometheus = Prometheus(http, str(url))

        async def all_up() -> bool:
            return len(await prometheus.values("up == 1")) >= len(PROCESSES)

        await eventually(all_up, timeout=60)
        closed = await close_visits(found, tmp_path_factory.mktemp("his"), 611, 40)
        await everything_ends_as_it_should(found, closed)
        await every_trouble(found, tmp_path_factory.mktemp("trouble"))
        yield found, prometheus


@pytest.fixture
def system(watched: tuple[RunningSystem, Prometheus]) -> RunningSystem:
    return watched[0]


@pytest.fixture
def prometheus(watched: tuple[RunningSystem, Prometheus]) -> Prometheus:
    return watched[1]


async def scrape(system: RunningSystem, http: aiohttp.ClientSession, accept: str) -> dict[str, str]:
    """What each process says at /metrics."""
    found = {}
    for url in system.addresses["metrics"]:
        async with http.get(url, headers={"Accept": accept}) as answer:
            assert answer.status == 200
            found[url] = await answer.text()
    return found


def openmetrics(said: str) -> Iterator[Metric]:
    yield from _openmetrics(said)  # type: ignore[no-untyped-call]


def text(said: str) -> Iterator[Metric]:
    yield from _text(said)


def measured(found: Iterable[Metric]) -> Iterator[tuple[str, str, str, list[frozenset[str]]]]:
    for metric in found:
        if metric.name.startswith("healthbook_"):
            name = metric.name + ("_total" if metric.type == "counter" and not metric.name.endswith("_total") else "")
            yield name, metric.type, metric.unit, [frozenset(sample.labels) - {"le"} for sample in metric.samples]


async def test_what_is_scraped_is_what_is_promised_no_less_and_no_more(
    system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    promised = families(streams.metrics)
    await eventually(lambda: told_all(system, http), timeout=120)
    kinds: dict[str, set[tuple[str, str]]] = defaultdict(set)
    labels: dict[str, set[frozenset[str]]] = defaultdict(set)
    for said in (await scrape(system, http, OPENMETRICS)).values():
        for name, kind, unit, sampled in measured(openmetrics(said)):
            kinds[name].add((kind, unit))
            labels[name].update(sampled)
    assert {name: {(family.kind, family.unit)} for name, family in promised.items()} == kinds
    assert {name: {family.labels} for name, family in promised.items() if name not in ELSEWHERE} == {
        name: found for name, found in labels.items() if name not in ELSEWHERE
    }


async def told_all(system: RunningSystem, http: aiohttp.ClientSession) -> bool:
    """Every family has a value by now: some are measured once a minute only."""
    said = (await scrape(system, http, OPENMETRICS)).values()
    valued = {name for each in said for name, _, _, sampled in measured(openmetrics(each)) if sampled}
    missing = families(streams.metrics).keys() - valued - ELSEWHERE
    assert not missing, missing
    return True


async def test_text_and_openmetrics_say_the_same(system: RunningSystem, http: aiohttp.ClientSession) -> None:
    plain, modern = await scrape(system, http, "text/plain"), await scrape(system, http, OPENMETRICS)
    for url, said in plain.items():
        names = {(name, kind) for name, kind, _, _ in measured(text(said))}
        assert names == {(name, kind) for name, kind, _, _ in measured(openmetrics(modern[url]))}


async def test_prometheus_watches_every_process_and_tells_alertmanager(prometheus: Prometheus) -> None:
    async def all_up() -> bool:
        return set(PROCESSES) <= {
            series["metric"]["process"] for series in (await prometheus.get("query", query="up == 1"))["result"]
        }

    await eventually(all_up, timeout=60)
    assert await prometheus.values("up == 0") == []

    async def told() -> bool:
        return len((await prometheus.get("alertmanagers"))["activeAlertmanagers"]) == 1

    await eventually(told, timeout=60)


async def test_every_rule_can_be_evaluated_and_a_healthy_system_pages_nobody(prometheus: Prometheus) -> None:
    async def evaluated() -> bool:
        groups = (await prometheus.get("rules"))["groups"]
        assert len(groups) >= 8
        return all(rule["health"] == "ok" for group in groups for rule in group["rules"])

    await eventually(evaluated, timeout=60)
    assert await prometheus.values('ALERTS{alertstate="firing", severity="page"}') == []


async def test_nothing_waits_when_all_is_done(prometheus: Prometheus) -> None:
    async def stages() -> bool:
        waiting = (await prometheus.get("query", query="healthbook_backlog"))["result"]
        assert {series["metric"]["stage"] for series in waiting} == set(PROCESSES)
        assert [series for series in waiting if float(series["value"][1])] == []
        return True

    await eventually(stages, timeout=60)


async def test_every_panel_of_every_dashboard_has_data(prometheus: Prometheus) -> None:
    asked = list(queries())
    assert len(asked) > 50

    async def empty() -> list[PanelQuery]:
        return [query for query in asked if not any(map(math.isfinite, await prometheus.values(concrete(query))))]

    async def none_is_empty() -> bool:
        missing = await empty()
        assert not missing, "\n".join(map(str, missing))
        return True

    await eventually(none_is_empty, timeout=60)


async def test_durations_have_the_traces_that_the_topics_have(system: RunningSystem, prometheus: Prometheus) -> None:
    asked = {query.expr: query for query in queries() if query.exemplars and query.dashboard == "promise"}
    records = [headers for _, headers in await system.committed("visit.closed.v1")]
    closed = {headers["traceparent"].split("-")[1] for headers in records if headers}  # the poison has none

    async def found() -> bool:
        for query in asked.values():
            series = await prometheus.get("query_exemplars", query=concrete(query), start="0", end=str(2**33))
            traces = {item["labels"]["trace_id"] for each in series for item in each["exemplars"]}
            assert traces, query
            assert traces <= closed
        return True

    assert len(asked) == 2
    await eventually(found, timeout=60)


def concrete(query: PanelQuery) -> str:
    """As Grafana would send it; the interval is long enough to hold the seeded run."""
    return query.expr.replace("$__rate_interval", "10m").replace("$facility", ".*")
