"""The HTTP adapter as a process: its address on one port, metrics and probes on another, as every process has them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from aiohttp import web

from events.his import RefusedError, SharedAdapter, SpoolError, SpoolFullError
from streams.adapter_http.app import VISITS, VisitsApp
from streams.adapters.tokens import Tokens
from streams.config import Settings
from streams.errors import Fatal, RetryLater
from streams.metrics import SPOOL_BYTES, SPOOL_ENTRIES, SPOOL_LIMIT
from streams.runtime.measure import repeated
from streams.runtime.service import Health, Work

log = structlog.get_logger()

NAME = "adapter-http"
_LOOK = 0.5
_FINISH = 30.0
"""Seconds that requests which have begun may take after SIGTERM."""
_WRITE = 2.0
"""Seconds that their answers may then take to go out."""
_FLUSH = 5.0
"""Seconds that the spool may take to empty after that; what is left goes out after the next start."""


def adapter_http_work(settings: Settings, spool: Path, spool_limit: int) -> Work:
    """Takes visits until told to stop."""

    async def work(health: Health, stopping: asyncio.Event) -> None:
        his = SharedAdapter(
            spool,
            settings.kafka_bootstrap_servers,
            settings.schema_registry_url,
            spool_limit=spool_limit,
            name="http",
        )
        SPOOL_LIMIT.set(spool_limit)
        async with _opened(his), repeated(lambda: _show(his)):
            async with _listening(settings, his):
                health.ready = True
                try:
                    await _until(stopping, his)
                finally:
                    health.ready = False
            await _flush(his)

    return work


@asynccontextmanager
async def _opened(his: SharedAdapter) -> AsyncIterator[None]:
    """The spool of a predecessor that still drains is waited for, and so is room on its disk."""
    try:
        await his.__aenter__()
    except SpoolFullError as error:
        raise RetryLater(str(error)) from None
    except SpoolError as error:
        raise (RetryLater if error.code == "SPOOL_IN_USE" else Fatal)(str(error)) from None
    try:
        yield
    finally:
        await his.__aexit__(None, None, None)


@asynccontextmanager
async def _listening(settings: Settings, his: SharedAdapter) -> AsyncIterator[None]:
    """Takes requests inside the block; leaving it takes no new ones and finishes those that have begun."""
    visits = VisitsApp(
        his, Tokens(settings.tokens_dir), most=settings.adapter_max_body, together=settings.adapter_parallel
    )
    runner = web.AppRunner(visits.app(), access_log=None, shutdown_timeout=_WRITE)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.adapter_host, settings.adapter_port)
        try:
            await site.start()
        except OSError as error:
            where = f"{settings.adapter_host}:{settings.adapter_port}"
            raise Fatal(
                f"{where}: {error.strerror}. Set HEALTHBOOK_ADAPTER_HOST and HEALTHBOOK_ADAPTER_PORT."
            ) from None
        host, port = runner.addresses[0][:2]
        log.info("takes visits", url=f"http://{host}:{port}{VISITS}")
        try:
            yield
        finally:
            await site.stop()
            await visits.finish(_FINISH)
    finally:
        await runner.cleanup()


async def _until(stopping: asyncio.Event, his: SharedAdapter) -> None:
    while not stopping.is_set():
        try:
            his.check()
        except SpoolError as error:
            raise Fatal(str(error)) from None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _LOOK)


async def _flush(his: SharedAdapter) -> None:
    try:
        async with asyncio.timeout(_FLUSH):
            await his.flush()
    except TimeoutError:
        left = await his.load()
        log.warning("the spool keeps what the bus did not take in time", entries=left.waiting, trouble=his.trouble)
    except RefusedError as error:
        log.error("the broker will never take some entries: the spool keeps them", code=error.code)


async def _show(his: SharedAdapter) -> None:
    load = await his.load()
    SPOOL_ENTRIES.labels("waiting").set(load.waiting)
    SPOOL_ENTRIES.labels("refused").set(load.refused)
    SPOOL_BYTES.set(load.bytes)
