"""The console as a process: its pages on one address, metrics and probes on another, as every process has them."""

import asyncio

from aiohttp import web

from streams.adapters import postgres
from streams.config import Settings
from streams.console.app import Console
from streams.runtime.service import Health, Work


def console_work(settings: Settings) -> Work:
    """Serves the pages until told to stop."""

    async def work(health: Health, stopping: asyncio.Event) -> None:
        async with await postgres.connect(settings.database_url, 4) as pool:
            runner = web.AppRunner(Console(settings, pool).app(), access_log=None)
            await runner.setup()
            try:
                await web.TCPSite(runner, settings.console_host, settings.console_port).start()
                health.ready = True
                await stopping.wait()
            finally:
                await runner.cleanup()

    return work
