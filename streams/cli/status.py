"""`healthbook status`: what runs under this home, as it is now."""

from dataclasses import asdict

import click

from infra.embedded.home import read_addresses, supervisor
from infra.embedded.process import states
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, output_option, say


@click.command("status")
@output_option
def status(output: str) -> None:
    """Tells the addresses and the state of each process. Exit 1 when the system does not run or a process ended."""
    home = settings_or_fail().home
    running = supervisor(home) is not None
    processes = [asdict(state) | {"log": str(state.log)} for state in states(home).values()]
    if output == "json":
        emit_json({"running": running, **read_addresses(home), "processes": processes})
    else:
        say("The system runs." if running else "The system does not run under this home.")
        emit_rows(processes, ("name", "running", "pid", "exit_code", "started_at"), output)
    well = running and all(state["running"] for state in processes)
    raise SystemExit(int(Exit.DONE if well else Exit.NO))
