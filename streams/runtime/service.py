"""What every process has: JSON logs, /metrics, /livez and /readyz, and a drain on SIGTERM."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

import structlog
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from streams import garbage, tracing
from streams.config import Settings
from streams.errors import Fatal, RetryLater
from streams.metrics import BUILD_INFO, PROGRESS_AGE
from streams.runtime import logs, measure, reach

log = structlog.get_logger()

STUCK_SECONDS = 120.0
EXIT_FATAL = 70  # EX_SOFTWARE of sysexits.h


class Health:
    """What the probes answer. Ready: it has its parts (the gateway is none of them). Live: it made progress lately."""

    def __init__(self) -> None:
        self.ready = False
        self.progress: Callable[[], float] = time.monotonic

    @property
    def progress_age(self) -> float:
        """Seconds since the loop last came round; 0 while it is not ready."""
        return time.monotonic() - self.progress() if self.ready else 0.0

    @property
    def live(self) -> bool:
        """False when the loop has not come round for STUCK_SECONDS: a restart is the cure."""
        return self.progress_age < STUCK_SECONDS


Work = Callable[[Health, asyncio.Event], Awaitable[None]]
"""The process's own work: sets `health.ready`, returns after the event is set and what it held is finished."""


def serve(name: str, settings: Settings, work: Work) -> int:
    """Runs one process until SIGTERM or SIGINT; returns its exit status (0, or 70 after Fatal)."""
    import uvloop  # only where an event loop is run: commands do not pay for it

    garbage.seldom()
    logs.configure(name, settings.log_level)
    tracing.configure(name, settings)
    BUILD_INFO.labels(version("healthbook")).set(1)
    try:
        return uvloop.run(_serve(name, settings, work))
    finally:
        tracing.shutdown()


async def _serve(name: str, settings: Settings, work: Work) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    health = Health()
    PROGRESS_AGE.set_function(lambda: health.progress_age)
    measure.show_disks(settings.watched_folders)
    runner = web.AppRunner(_app(health), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, settings.http_host, settings.http_port)
    await site.start()
    _announce(name, settings, runner)
    try:
        async with measure.repeated(partial(reach.show_reachable, settings)):
            await _until_done(work, health, stopping)
    except Fatal as trouble:
        log.error("stopped: a person must look", cause=str(trouble))
        return EXIT_FATAL
    finally:
        await runner.cleanup()
    log.info("drained")
    return 0


async def _until_done(work: Work, health: Health, stopping: asyncio.Event) -> None:
    """A part that is away at the start is waited for; the process stays unready until it is there."""
    wait = 0.5
    while not stopping.is_set():
        try:
            return await work(health, stopping)
        except* RetryLater as group:
            health.ready = False
            log.warning("waiting for a part", cause="; ".join(str(trouble) for trouble in _leaves(group)), seconds=wait)
        except* Fatal as group:
            raise next(_leaves(group)) from None
        try:
            await asyncio.wait_for(stopping.wait(), wait)
        except TimeoutError:
            wait = min(wait * 2, 15)
    return None


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    """The exceptions in a group of groups: a task group within a task group."""
    for item in group.exceptions:
        if isinstance(item, BaseExceptionGroup):
            yield from _leaves(item)
        else:
            yield item


def _app(health: Health) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"live": health.live}, status=200 if health.live else 503)

    async def readyz(_request: web.Request) -> web.Response:
        return web.json_response({"ready": health.ready}, status=200 if health.ready else 503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/livez", livez), web.get("/readyz", readyz)])
    return app


def _announce(name: str, settings: Settings, runner: web.AppRunner) -> None:
    """Writes where this process listens, so that `status` and Prometheus find it although the port is free-chosen."""
    host, port = runner.addresses[0][:2]
    name = settings.worker or name
    folder = settings.home / "run" / "http"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    draft = Path(f"{file}.{os.getpid()}")
    draft.write_text(json.dumps({"name": name, "pid": os.getpid(), "url": f"http://{host}:{port}"}), encoding="utf-8")
    draft.rename(file)
    log.info("listening", url=f"http://{host}:{port}")
