"""`healthbook simulate his`: a pretended HIS of several facilities in the foreground."""

import asyncio
import contextlib
import signal
from dataclasses import asdict
from pathlib import Path

import click

from events.his import HisError
from streams.cli.output import Exit, emit_json, fail, output_option, say
from streams.cli.visit_close import explain
from streams.config import load
from streams.domain.dossier.sample import FACILITIES, Size
from streams.simulators.his import Plan, Tally, simulate

_SHARE = click.FloatRange(0, 1)


@click.command("his")
@click.option("--facilities", default=",".join(FACILITIES), show_default=True, help="MA_CSKCB, separated by commas.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same visits.")
@click.option(
    "--rate", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Visits a second; 0: all out."
)
@click.option("--count", type=click.IntRange(min=1), help="Ends after so many closings.  [default: never]")
@click.option("--corrections", type=_SHARE, default=0.05, show_default=True, help="Share of closings that correct.")
@click.option("--defects", type=_SHARE, default=0.05, show_default=True, help="Share of closings with one defect.")
@click.option("--size", type=click.IntRange(min=1), default=int(Size.STANDARD), show_default=True, help="Rows a visit.")
@click.option(
    "--pool", type=click.IntRange(min=0), default=0, help="Different dossiers to make, for load.  [default: all]"
)
@click.option("--closed", type=click.Path(dir_okay=False, path_type=Path), help="File that lists what was closed.")
@click.option("--spool", type=click.Path(file_okay=False, path_type=Path), help="Spool folders.  [default: below home]")
@output_option
def his(
    facilities: str,
    seed: int,
    rate: float,
    count: int | None,
    corrections: float,
    defects: float,
    size: int,
    pool: int,
    closed: Path | None,
    spool: Path | None,
    output: str,
) -> None:
    """Closes invented visits of several facilities, until --count or Ctrl-C; all people are invented."""
    settings = load()
    codes = tuple(code.strip() for code in facilities.split(",") if code.strip())
    if not codes:
        raise click.UsageError("--facilities names none")
    plan = Plan(codes, seed, rate or None, count, corrections, defects, size, pool)
    place = spool or settings.home / "spool" / "simulate-his"
    tally = Tally()

    async def run() -> None:
        work = asyncio.create_task(
            simulate(plan, place, closed, settings.kafka_bootstrap_servers, settings.schema_registry_url, tally)
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        say(f"closing visits of {', '.join(codes)}")
        with contextlib.suppress(asyncio.CancelledError):
            await work

    try:
        asyncio.run(run())
    except HisError as error:
        fail(explain(error), Exit.NO)
    if output == "json":
        emit_json(asdict(tally))
    else:
        click.echo(", ".join(f"{name} {value}" for name, value in asdict(tally).items()))
