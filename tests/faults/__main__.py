"""`python -m tests.faults`: runs of the fault harness (docs/reliability.md)."""

import asyncio
import sys
from dataclasses import replace

import click

from tests.conftest import DOWNLOADS
from tests.faults.planted import PLANTED
from tests.faults.report import Totals, tell_run
from tests.faults.run import Plan, Report, run

PLANTED_STUCK_AFTER = 30.0
"""Seconds: with a bug in it, waiting longer for what will never come shows nothing more."""


@click.command()
@click.option("--runs", default=1, show_default=True, help="How many; each has the next seed.")
@click.option("--seconds", default=30.0, show_default=True, help="How long the faults last.")
@click.option("--seed", type=int, help="Of the first run.  [default: 1]")
@click.option("--rate", default=8.0, show_default=True, help="Hand-overs a second.")
@click.option(
    "--plant", type=click.Choice(list(PLANTED)), help="Switch this bug on; the seed is then one that shows it."
)
@click.option("--planted", is_flag=True, help="One run for each planted bug: is it caught?")
@click.option("--keep", is_flag=True, help="Keep the folder of each run: logs, the gateway's journal, the HIS's lists.")
@click.option("--quiet", is_flag=True, help="Do not tell each fault.")
def main(
    runs: int, seconds: float, seed: int | None, rate: float, plant: str | None, planted: bool, keep: bool, quiet: bool
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

    if planted:
        caught = [_caught(one(_with_bug(name, seed, seconds, rate, keep)), name) for name in PLANTED]
        click.echo(f"{sum(caught)} of {len(caught)} planted bugs caught")
        sys.exit(0 if all(caught) else 1)
    totals = Totals()
    for number in range(runs):
        first = 1 if seed is None else seed
        plan = _with_bug(plant, seed, seconds, rate, keep) if plant else Plan(first, seconds, rate, keep=keep)
        totals.add(one(replace(plan, seed=plan.seed + number)))
    click.echo(totals)
    sys.exit(0 if totals.clean else 1)


def _with_bug(name: str, seed: int | None, seconds: float, rate: float, keep: bool) -> Plan:
    bug = PLANTED[name]
    return Plan(bug.seed if seed is None else seed, seconds, rate, name, bug.focus, PLANTED_STUCK_AFTER, keep)


def _caught(report: Report, name: str) -> bool:
    bug = PLANTED[name]
    caught = any(defect.wrong in bug.shows_as for defect in report.defects)
    click.echo(f"{name} ({bug.what}): {'caught' if caught else 'NOT caught'}")
    return caught


if __name__ == "__main__":
    main()
