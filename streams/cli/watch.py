"""`healthbook status --watch`: the flow in a terminal, drawn anew every few seconds."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from infra.embedded.process import states
from streams.adapters import postgres
from streams.adapters.overview import Overview, Promise, Waiting
from streams.config import Settings
from streams.domain.vietnam import VIETNAM, local, midnight
from streams.errors import RetryLater
from streams.runtime.system import listening

_NEAREST = 8
_COLOURS = {"MET": "green", "RUNNING": "blue", "AT_RISK": "yellow", "BREACHED": "bold red"}
BREAKER = "healthbook_gateway_breaker_open"


@dataclass(frozen=True)
class Picture:
    """One look at everything. `breaker_open` is None when `forward` does not answer; `trouble` says what is away."""

    at: datetime
    ended: Sequence[str] = ()
    breaker_open: bool | None = None
    promises: Sequence[Promise] = ()
    waiting: Sequence[Waiting] = ()
    nearest: Sequence[dict[str, Any]] = field(default_factory=list)
    trouble: str | None = None


async def watch(settings: Settings, seconds: float) -> None:
    """Draws until it is interrupted."""
    console = Console()
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            live.update(drawn(await look(settings)), refresh=True)
            await asyncio.sleep(seconds)


async def look(settings: Settings) -> Picture:
    """Asks the database, and `forward` for its breaker; never raises for what is away."""
    now = datetime.now(UTC)
    ended = [state.name for state in states(settings.home).values() if not state.running]
    breaker = await _breaker(settings.home)
    since = midnight(now)
    try:
        pool = await postgres.connect(settings.database_url, 1)
        try:
            overview = Overview(pool)
            return Picture(
                now,
                ended,
                breaker,
                await overview.promises(since, since + timedelta(days=1)),
                await overview.waiting(60),
                await overview.nearest(_NEAREST, datetime.now(UTC)),
            )
        finally:
            await pool.close()
    except RetryLater as trouble:
        return Picture(now, ended, breaker, trouble=str(trouble))


def drawn(picture: Picture) -> RenderableType:
    """The picture for a terminal."""
    parts: list[RenderableType] = [_headline(picture)]
    if picture.trouble:
        return Group(*parts, Text(picture.trouble, style="bold red"))
    promise = Table("today's promise", title_justify="left")
    for name, colour in _COLOURS.items():
        promise.add_column(name.lower().replace("_", " "), justify="right", style=colour)
    for item in picture.promises:
        promise.add_row(item.clock, *(str(item.numbers.get(name, 0)) for name in _COLOURS))
    flow = Table("waits for", "waiting", "oldest", "arrived a minute")
    for stage in picture.waiting:
        number = "" if stage.stage == "shown" else str(stage.number)
        flow.add_row(stage.stage, number, _age(picture.at, stage.oldest), f"{stage.a_minute:.0f}")
    nearest = Table("nearest deadlines", "visit", "clock", "due (Vietnam)", "left")
    for row in picture.nearest:
        left = row["due_at"] - picture.at
        style = "bold red" if row["late"] else None
        due = f"{row['due_at'] + VIETNAM:%m-%d %H:%M:%S}"
        nearest.add_row(row["facility"], row["ma_lk"], row["clock"], due, _span(left), style=style)
    return Group(*parts, promise, flow, nearest if picture.nearest else Text("No clock runs."))


def _headline(picture: Picture) -> Text:
    line = Text(f"{local(picture.at)} (Vietnam)   ")
    breaker = {None: ("forward does not answer", "yellow"), True: ("OPEN", "bold red"), False: ("closed", "green")}
    text, colour = breaker[picture.breaker_open]
    line.append("gateway breaker: ").append(text, style=colour)
    if picture.ended:
        line.append(f"   ended: {', '.join(picture.ended)}", style="bold red")
    return line


async def _breaker(home: Path) -> bool | None:
    """Whether any process that forwards has its breaker for the whole gateway open; None while none answers."""
    found: list[bool] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        for name, told in listening(home).items():
            if name.partition("-")[0] != "forward":
                continue
            try:
                async with http.get(f"{told['url']}/metrics") as answer:
                    text = await answer.text()
            except (aiohttp.ClientError, TimeoutError):
                continue
            families = text_string_to_metric_families(text)
            found += [bool(sample.value) for item in families if item.name == BREAKER for sample in item.samples]
    return any(found) if found else None


def _age(now: datetime, since: datetime | None) -> str:
    return "" if since is None else _span(now - since)


def _span(span: timedelta) -> str:
    whole = timedelta(seconds=int(abs(span.total_seconds())))
    return f"-{whole}" if span < timedelta() else str(whole)
