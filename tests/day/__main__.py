"""`python -m tests.day`: the bad day (docs/bad-day.md)."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.conftest import DOWNLOADS
from tests.day.report import told
from tests.day.run import past_working_day, run


@click.command()
@click.option("--short", is_flag=True, help="The same troubles in two hours and a half, as `make test` has them.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="A working day in the past.  [default: a Wednesday]")
@click.option("--pages", type=click.Path(file_okay=False, path_type=Path), help="Keeps the console's pages there.")
def main(*, short: bool, day: datetime | None, pages: Path | None) -> None:
    """Exit 0 only when each trouble of the day is found, and each late visit is told with who was late and why."""
    on = day.date() if day else past_working_day(datetime.now(UTC).date())
    judged = asyncio.run(run(on, DOWNLOADS, click.echo, whole=not short))
    click.echo(told(judged.lived, judged.troubles, judged.alerts, judged.complaints))
    if pages:
        for at, shown in judged.lived.pages.items():
            for path, page in shown.items():
                file = pages / f"{at:%H%M}-{path.strip('/') or 'overview'}.html"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(page, encoding="utf-8")
    sys.exit(1 if judged.complaints else 0)


if __name__ == "__main__":
    main()
