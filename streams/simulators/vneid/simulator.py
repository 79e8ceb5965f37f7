"""The simulator as a whole: book, subscriber, HTTP, and the levers of a test (`/_sim`)."""

import asyncio
import traceback
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog
from aiohttp import web

from streams.simulators.vneid.behaviour import Behaviour, FaultError, Faults
from streams.simulators.vneid.book import Book
from streams.simulators.vneid.metrics import Metrics
from streams.simulators.vneid.subscriber import Channels, Subscriber

log = structlog.get_logger()

MOST_LISTED = 1000


class VneidSimulator:
    """`async with VneidSimulator(...) as vneid: vneid.url`."""

    def __init__(
        self,
        channels: Channels,
        *,
        seed: int = 0,
        median_delay: float = 0.3,
        faults: Faults | None = None,
        state: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._channels = channels
        self._behaviour = Behaviour(seed, median_delay, faults or Faults())
        self._state = state
        self._host, self._port = host, port
        self._metrics = Metrics()
        self._opened = ExitStack()
        self._book = Book()
        self._running: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.ended = asyncio.Event()
        """Set when the subscriber ended by itself, which only a defect makes it do."""

    async def __aenter__(self) -> Self:
        self._start()
        self._runner = web.AppRunner(self._application(), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        await self._stop()

    async def restart(self) -> None:
        """What a restart does: memory is lost, the state file (where there is one) is read again."""
        await self._stop()
        self._start()

    def _start(self) -> None:
        self._opened = ExitStack()
        self._book = self._opened.enter_context(Book(self._state))
        subscriber = Subscriber(self._channels, self._book, lambda: self._behaviour, self._metrics)
        self._running = asyncio.create_task(subscriber.run())
        self._running.add_done_callback(self._note_end)

    def _note_end(self, running: "asyncio.Task[None]") -> None:
        if not running.cancelled():
            log.error("subscriber ended", where=_place(running.exception()))
            self.ended.set()

    async def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        self._opened.close()

    def _application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/entries", self._entries),
                web.get("/entries/{id}", self._entry),
                web.get("/livez", self._livez),
                web.get("/metrics", self._text),
                web.get("/_sim/faults", self._faults),
                web.put("/_sim/faults", self._change_faults),
                web.post("/_sim/restart", self._restart),
            ]
        )
        return application

    async def _entries(self, request: web.Request) -> web.Response:
        facility, ma_lk = request.query.get("facility"), request.query.get("maLk")
        pages = (
            page.as_json()
            for page in self._book.pages.values()
            if facility in (None, page.newest["facility"]) and ma_lk in (None, page.newest["maLk"])
        )
        return web.json_response([page for page, _ in zip(pages, range(MOST_LISTED), strict=False)])

    async def _entry(self, request: web.Request) -> web.Response:
        page = self._book.pages.get(request.match_info["id"])
        if page is None:
            return web.json_response({"error": "no such entry"}, status=404)
        return web.json_response(page.as_json())

    async def _livez(self, _request: web.Request) -> web.Response:
        alive = self._running is not None and not self._running.done()
        return web.Response(text="ok" if alive else "subscriber ended", status=200 if alive else 503)

    async def _text(self, _request: web.Request) -> web.Response:
        self._metrics.entries.set(len(self._book.pages))
        self._metrics.waiting.set(sum(1 for _ in self._book.waiting()))
        return web.Response(body=self._metrics.text(), headers={"content-type": "text/plain; version=0.0.4"})

    async def _faults(self, _request: web.Request) -> web.Response:
        return web.json_response(asdict(self._behaviour.faults))

    async def _change_faults(self, request: web.Request) -> web.Response:
        """The whole set: what is not named has its default. Delays of entries that already wait stay."""
        given: Any = await request.json()
        faults = Faults()
        try:
            for name, value in dict(given).items():
                faults = faults.having(name, value)
        except (FaultError, TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=422)
        self._behaviour = replace(self._behaviour, faults=faults)
        return web.json_response(asdict(faults))

    async def _restart(self, _request: web.Request) -> web.Response:
        await self.restart()
        return web.json_response({"restarted": True})


def _place(error: BaseException | None) -> str:
    """Type and line, never the text: it might quote an entry."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__) if error else []
    return f"{type(error).__name__} at {frames[-1].name}:{frames[-1].lineno}" if frames else type(error).__name__
