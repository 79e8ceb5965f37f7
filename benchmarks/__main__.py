"""What the flow costs on this machine: `make bench`, or `python -m benchmarks` with `--help`.

Everything is real and on the one machine: `healthbook run` with Kafka, PostgreSQL, registry and simulators, and a
subscriber that is not ours. Figures are printed, never asserted: they belong to the machine they were taken on.
"""

import asyncio
import tempfile
from pathlib import Path

import click

from benchmarks.flow import Phase, measure
from benchmarks.machine import describe
from benchmarks.report import as_markdown

REPOSITORY = Path(__file__).parent.parent


@click.command()
@click.option("--rate", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Visits a second, steady.")
@click.option(
    "--seconds", type=click.IntRange(min=5), default=60, show_default=True, help="How long the steady part is."
)
@click.option("--burst", type=click.IntRange(min=0), default=3000, show_default=True, help="Visits closed all at once.")
@click.option("--rows", type=click.IntRange(min=1), default=60, show_default=True, help="Rows of tables 2–5 a visit.")
@click.option("--parts", type=click.Path(path_type=Path), default=REPOSITORY / "var" / "parts", help="Downloaded jars.")
def main(rate: float, seconds: int, burst: int, rows: int, parts: Path) -> None:
    """Prints, in Markdown: CPU of each process a visit, visits a second, closed → entry, seconds to start."""
    phases = [Phase("steady", round(rate * seconds), rate)]
    if burst:
        phases.append(Phase("burst", burst, None))
    with tempfile.TemporaryDirectory(prefix="healthbook-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user must be able to enter it
        result = asyncio.run(measure(Path(folder), parts, phases, rows))
    click.echo(as_markdown(describe(), result))


if __name__ == "__main__":
    main()
