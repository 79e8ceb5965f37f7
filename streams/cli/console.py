"""`healthbook console`: the pages for officers and operators."""

import sys

import click

from streams.cli.config import settings_or_fail
from streams.console.process import console_work
from streams.runtime.service import serve


@click.command("console")
def console() -> None:
    """Serves the console's pages until SIGTERM, at HEALTHBOOK_CONSOLE_HOST and HEALTHBOOK_CONSOLE_PORT.

    They are read-only and hold no personal data, but they have no sign-in of their own: put the one of your house
    before them when others than this machine shall reach them.
    """
    settings = settings_or_fail()
    sys.exit(serve("console", settings, console_work(settings)))
