"""`healthbook stop`: ends the system that runs under this home."""

import os
import signal
import time

import click

from infra.embedded.home import supervisor
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, fail, say


@click.command("stop")
@click.option(
    "--wait", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Most seconds until it is down."
)
def stop(wait: float) -> None:
    """Ends `healthbook run` of this home as Ctrl-C would, and waits until it is down. Exit 1 when nothing runs."""
    home = settings_or_fail().home
    pid = supervisor(home)
    if pid is None:
        fail(f"Nothing runs under {home}.", Exit.NO)
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + wait
    while supervisor(home) == pid:
        if time.monotonic() > until:
            fail(f"It still runs after {wait:.0f} s (process {pid}); its logs are in {home / 'log'}.", Exit.NO)
        time.sleep(0.1)
    say("Stopped.")
