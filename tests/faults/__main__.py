"""`python -m tests.faults`: runs of the fault harness (docs/reliability.md)."""

import asyncio
import sys
from collections.abc import Iterable

import click

from tests.conftest import DOWNLOADS
from tests.faults.planted import PLANTED
from tests.faults.report import Totals, tell_run
from tests.faults.run import Plan, Report, run

TRIES = 3
"""Runs, with one seed after the other, in which a planted bug has to show: which processes meet when is chance."""


@click.command()
@click.option("--runs", default=1, show_default=True, help="How many; each has the next seed.")
@click.option("--seconds", default=30.0, show_default=True, help="How long the faults last.")
@click.option("--seed", default=1, show_default=True, help="Of the first run.")
@click.option("--rate", default=6.0, show_default=True, help="Hand-overs a second.")
@click.option("--plant", type=click.Choice(list(PLANTED)), help="Switch this bug on.")
@click.option("--planted", is_flag=True, help=f"Each planted bug, in {TRIES} runs at most: is it caught?")
@click.option("--keep", is_flag=True, help="Keep the folder of each run: logs, the gateway's journal, the HIS's lists.")
@click.option("--quiet", is_flag=True, help="Do not tell each fault.")
def main(
    runs: int, seconds: float, seed: int, rate: float, plant: str | None, planted: bool, keep: bool, quiet: bool
) -> None:
    """Exit 0 only when nothing was lost, nothing came twice, and nothing else went wrong; with --planted, when every
    bug was caught."""
    tell = (lambda _: None) if quiet else click.echo

    def one(plan: Plan) -> Report:
        report = asyncio.run(run(plan, DOWNLOADS, tell))
        click.echo(tell_run(report))
        if keep:
            click.echo(f"  kept: {report.home}")
        return report

    plans = [Plan(number, seconds, rate, plant, keep) for number in range(seed, seed + runs)]
    if planted:
        tries = {name: [Plan(seed + n, seconds, rate, name, keep) for n in range(TRIES)] for name in PLANTED}
        sys.exit(0 if all([_caught(name, map(one, tries[name])) for name in PLANTED]) else 1)  # noqa: C419 - every one
    totals = Totals()
    for plan in plans:
        totals.add(one(plan))
    click.echo(totals)
    sys.exit(0 if totals.clean else 1)


def _caught(name: str, reports: Iterable[Report]) -> bool:
    """Says whether, and by which seed; runs no more than it takes."""
    found = next((report for report in reports if report.caught), None)
    verdict = f"caught by seed {found.plan.seed}" if found else "NOT caught"
    click.echo(f"{name} ({PLANTED[name].what}): {verdict}")
    return found is not None


if __name__ == "__main__":
    main()
