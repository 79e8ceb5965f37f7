"""Lives the day through: the day before, the day with its troubles, the next day at the same hour."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.day.clock import running_clock
from tests.day.scrape import Series, watch
from tests.day.story import SILENT, Story
from tests.day.system import System, running
from tests.faults.machine import Clocks
from tests.support.eventually import eventually

RATE = 20.0
"""Seconds of the day in one of ours. With more, two processors would be busy with the timers of idle processes."""
PAGES = ("/", "/facilities", "/held", "/dead-letters")
DOWN = ({"fault": "send_down"}, {"fault": "take_down"})
SLOW = {"fault": "latency", "seconds": 45.0, "jitter": 20.0}
"""Up to 65 seconds: one answer in four comes after we have given up waiting."""
_STARTS = timedelta(minutes=20)
_DAY_BEFORE = timedelta(hours=25)
_KNOWN = "select sum(revisions) >= $2 from flow_hour where facility = $1 and step = 'closed'"

Tell = Callable[[str], None]


@dataclass
class Lived:
    """What an SRE and an officer could see: the series, the console's pages at some moments, the day's reports."""

    story: Story
    series: Series
    pages: dict[datetime, dict[str, str]] = field(default_factory=dict)
    late: list[dict[str, Any]] = field(default_factory=list)
    promise: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Step:
    at: datetime
    name: str
    act: Callable[[], Awaitable[None]]


async def live(story: Story, home: Path, downloads: Path, looks: Iterable[datetime], tell: Tell) -> Lived:
    """`looks`: when the console's pages are kept. `home` must be open to PostgreSQL's user."""
    lived = Lived(story, Series(story.begin))
    async with _system(story, home, downloads, story.begin - _DAY_BEFORE) as system:
        await _hand_over(system, story, "habit")
        await eventually(
            partial(_known, system, sum(map(len, story.habit()))), timeout=180, message="the weeks before are known"
        )
        tell("the weeks before are known")
    async with _system(story, home, downloads, story.begin - _STARTS) as system:
        await system.clock.until(story.begin)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch(home, system.clock, lived.series))
            group.create_task(_hand_over(system, story, "day"))
            await _take(_troubles(story, system) + _looks(system, looks, lived), system, tell)
            await system.clock.until(story.end)
            watching.cancel()
    async with _system(story, home, downloads, story.next_day, "silence=1") as system:
        tell("a day later")
        day = ("--from", story.day.isoformat(), "--to", story.day.isoformat(), "--output", "json")
        lived.late = json.loads(await system.healthbook("report", "late", *day))["late"]
        lived.promise = json.loads(await system.healthbook("report", "sla", *day))["figures"]
    return lived


async def _take(steps: Sequence[_Step], system: System, tell: Tell) -> None:
    for step in sorted(steps, key=lambda step: step.at):
        await system.clock.until(step.at)
        await step.act()
        tell(f"{step.at:%H:%M} {step.name}")


def _troubles(story: Story, system: System) -> list[_Step]:
    return [
        _Step(story.slow.since, "the gateway is slow", partial(system.gateway_faults, SLOW)),
        _Step(story.slow.until, "the gateway is quick again", system.gateway_faults),
        _Step(story.certificate_ends, "a certificate ends", partial(asyncio.sleep, 0)),
        _Step(story.down.since, "the gateway is down", partial(system.gateway_faults, *DOWN)),
        _Step(story.down.until, "the gateway is back", system.gateway_faults),
        _Step(story.unacknowledged, "VNeID acknowledges nothing", partial(system.vneid, "silence=1")),
        _Step(story.caught_up, "the silent hospital hands its visits over", partial(asyncio.sleep, 0)),
    ]


def _looks(system: System, moments: Iterable[datetime], lived: Lived) -> list[_Step]:
    async def look(at: datetime) -> None:
        async with aiohttp.ClientSession() as http:
            lived.pages[at] = {path: await _page(http, f"{system.console}{path}?lang=en") for path in PAGES}

    return [_Step(at, "looked at the console", partial(look, at)) for at in moments]


async def _page(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as answer:
        answer.raise_for_status()
        return await answer.text()


@asynccontextmanager
async def _system(story: Story, home: Path, downloads: Path, start: datetime, *faults: str) -> AsyncIterator[System]:
    with running_clock(start, RATE) as clock:
        async with running(home, downloads, clock, story.certificate_ends, faults) as system:
            yield system


async def _hand_over(system: System, story: Story, part: str) -> None:
    """Until the hospitals have handed everything over. Raises AssertionError when they could not."""
    length = "whole" if story.whole else "short"
    arguments = ("tests.day.his", str(system.home), story.day.isoformat(), length, part)
    await system.start("his", *arguments, clock=Clocks(system.home / "clocks") if part == "habit" else None)
    child = system.children["his"]
    assert await child.wait() == 0, child.last_words()


async def _known(system: System, visits: int) -> bool:
    """Everything that the hospital closed in the weeks before; on the day itself `flow` learns from it."""
    connection = await asyncpg.connect(system.settings.database_url)
    try:
        return bool(await connection.fetchval(_KNOWN, SILENT, visits))
    finally:
        await connection.close()
