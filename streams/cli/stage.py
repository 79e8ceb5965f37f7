"""`healthbook stage NAME`: one process of the bus in the foreground."""

import sys

import click

from streams.cli.config import settings_or_fail
from streams.runtime.processes import PROCESSES
from streams.runtime.service import serve


@click.command("stage")
@click.argument("name", type=click.Choice(sorted(PROCESSES)))
def stage(name: str) -> None:
    """Runs the stage or processor NAME until SIGTERM; drains before it ends."""
    settings = settings_or_fail()
    sys.exit(serve(name, settings, PROCESSES[name](settings)))
