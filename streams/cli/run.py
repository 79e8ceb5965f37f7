"""`healthbook run`: the whole system on this machine, until Ctrl-C."""

import asyncio
import signal

import click

from infra.embedded.failure import HomeBusy, PartFailed
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, fail, say
from streams.runtime.system import running


@click.command("run")
def run() -> None:
    """Starts Kafka, PostgreSQL, the registry and every process of the bus; ends them on Ctrl-C or SIGTERM."""
    try:
        asyncio.run(_run())
    except (PartFailed, HomeBusy) as failure:
        fail(str(failure), Exit.UNREACHABLE)


async def _run() -> None:
    work = asyncio.create_task(_until_cancelled())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        say("Stopped.")


async def _until_cancelled() -> None:
    async with running(settings_or_fail()) as system:
        say(f"Kafka {system.settings.kafka_bootstrap_servers}")
        say(f"Registry {system.settings.schema_registry_url}")
        say(f"Running: {', '.join(system.children)}. Logs in {system.settings.home / 'log'}. Ctrl-C ends it.")
        await asyncio.Event().wait()
