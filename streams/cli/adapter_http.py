"""`healthbook adapter http`: takes visits by POST, with a token for each facility."""

import sys
from pathlib import Path

import click

from events.his.spool import DEFAULT_LIMIT
from streams.adapter_http.process import NAME, adapter_http_work
from streams.cli.config import settings_or_fail
from streams.runtime.service import serve


@click.command("http")
@click.option("--spool", type=click.Path(file_okay=False, path_type=Path), help="Spool folder.  [default: below home]")
@click.option(
    "--spool-limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Bytes of dossiers that may wait for the bus.",
)
def adapter_http(spool: Path | None, spool_limit: int) -> None:
    """Takes visits at POST /v1/visits until SIGTERM, at HEALTHBOOK_ADAPTER_HOST and HEALTHBOOK_ADAPTER_PORT.

    A visit is durable in the spool when it is answered, also while the bus is away. `healthbook adapter token` issues
    the tokens. It speaks plain HTTP: put a proxy with TLS before it when others than this machine shall reach it.
    """
    settings = settings_or_fail()
    sys.exit(serve(NAME, settings, adapter_http_work(settings, spool or settings.home / "spool" / NAME, spool_limit)))
