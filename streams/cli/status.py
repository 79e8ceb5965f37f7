"""`healthbook status`: what runs under this home, as it is now."""

import asyncio
from contextlib import suppress
from dataclasses import asdict
from typing import NoReturn

import click

from infra.embedded.home import read_addresses, supervisor
from infra.embedded.process import states
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.config import Settings

_TO_LOOK_AT = ("console", "prometheus", "alertmanager", "gateway", "kafka", "schema_registry")


@click.command("status")
@click.option("--watch", is_flag=True, help="Draws the flow and its deadlines anew, until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(min=0.5), default=2.0, show_default=True, help="Seconds between two pictures."
)
@output_option
def status(watch: bool, every: float, output: str) -> None:
    """Tells the addresses and the state of each process. Exit 1 when the system does not run or a process ended."""
    settings = settings_or_fail()
    if watch:
        _watch(settings, every, output)
    home = settings.home
    running = supervisor(home) is not None
    processes = [asdict(state) | {"log": str(state.log)} for state in states(home).values()]
    addresses = read_addresses(home)
    if output == "json":
        emit_json({"running": running, **addresses, "processes": processes})
    else:
        say("The system runs." if running else "The system does not run under this home.")
        for name in _TO_LOOK_AT:
            if address := addresses.get(name):
                say(f"{name:<13} {address}")
        emit_rows(processes, ("name", "running", "pid", "exit_code", "started_at"), output)
    well = running and all(state["running"] for state in processes)
    raise SystemExit(int(Exit.DONE if well else Exit.NO))


def _watch(settings: Settings, every: float, output: str) -> NoReturn:
    if output == "json":
        raise click.UsageError("--watch is for a terminal; ask `healthbook status --output json` again instead")
    if not settings.database_url:
        fail("The system does not run under this home: there is nothing to watch.", Exit.NO)
    from streams.cli.watch import watch  # rich and the database: only for those who watch

    with suppress(KeyboardInterrupt):
        asyncio.run(watch(settings, every))
    raise SystemExit(int(Exit.DONE))
