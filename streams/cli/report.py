"""`healthbook report sla`: how the promises were kept over a period."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import click

from streams.adapters.promise_report import Figures, Grouping, promise_report
from streams.cli.output import Exit, emit_json, emit_rows, fail, say
from streams.cli.sheets import SUFFIXES, write_sheet
from streams.cli.visit import with_database
from streams.domain.vietnam import VIETNAM

_DAY = click.DateTime(["%Y-%m-%d"])
_HTML = ".html"
COLUMNS = (
    *("clock", "grouping", "value", "owed", "in_time", "late", "late_and_open", "running", "superseded", "not_due"),
    *("share_percent", "p50_seconds", "p95_seconds", "p99_seconds"),
)
_SHOWN = (
    *("clock", "by", "value", "owed", "in time", "late", "running", "superseded", "not due"),
    *("share", "p50", "p95", "p99"),
)


@click.command("sla")
@click.option("--from", "first", type=_DAY, help="First day, in Vietnam.  [default: 6 days before --to]")
@click.option("--to", "last", type=_DAY, help="Last day, in Vietnam.  [default: today]")
@click.option("--facility", help="Only clocks of this facility.")
@click.option(
    "--by",
    "groupings",
    type=click.Choice([str(item) for item in Grouping]),
    multiple=True,
    help="Only these groupings; may be given several times.  [default: every one]",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes the report to a .html (with plots), .csv or .xlsx.",
)
@click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True, help="Of the HTML.")
@click.option(
    "--output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How the answer is printed.",
)
def report_sla(
    first: datetime | None,
    last: datetime | None,
    facility: str | None,
    groupings: Sequence[str],
    out: Path | None,
    lang: str,
    output: str,
) -> None:
    """Share in time and percentiles of each promise: in all, by day, facility, visit type, insured or not.

    A clock counts for the day on which it started. Exit 1 when none did.
    """
    if out is not None and out.suffix not in (_HTML, *SUFFIXES):
        raise click.UsageError(f"--out: the name must end in {_HTML} or {' or '.join(SUFFIXES)}")
    today = (datetime.now(UTC) + VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    to = last.replace(tzinfo=UTC) if last else today
    since = first.replace(tzinfo=UTC) if first else to - timedelta(days=6)
    if since > to:
        raise click.UsageError(f"--from {since:%Y-%m-%d} is after --to {to:%Y-%m-%d}")
    wanted = [Grouping(item) for item in groupings] or list(Grouping)

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> list[Figures]:
        return await promise_report(pool, since - VIETNAM, to + timedelta(days=1) - VIETNAM, facility, wanted)

    found = with_database(ask)
    if not found:
        fail(f"No clock started from {since:%Y-%m-%d} to {to:%Y-%m-%d}{_of(facility)}.", Exit.NO)
    if out is not None:
        _write(out, found, since, to, lang)
        say(f"{sum(item.owed for item in found if item.grouping is Grouping.ALL)} clocks in {out}")
    elif output == "json":
        emit_json({"from": f"{since:%Y-%m-%d}", "to": f"{to:%Y-%m-%d}", "figures": [row_of(item) for item in found]})
    elif output == "csv":
        write_sheet(None, [row_of(item) for item in found], COLUMNS)
    else:
        emit_rows([_shown(item) for item in found], _SHOWN, output)


def row_of(item: Figures) -> dict[str, Any]:
    """Figures as a program reads them: seconds, percent."""
    return {
        **{name: getattr(item, name) for name in COLUMNS if hasattr(item, name)},
        "grouping": str(item.grouping),
        "share_percent": None if item.share is None else round(100 * item.share, 2),
        **{
            f"{name}_seconds": None if (took := getattr(item, name)) is None else round(took.total_seconds(), 3)
            for name in ("p50", "p95", "p99")
        },
    }


def _shown(item: Figures) -> dict[str, Any]:
    return {
        **{name.replace("_", " "): getattr(item, name) for name in COLUMNS if hasattr(item, name)},
        "by": item.grouping,
        "share": None if item.share is None else f"{100 * item.share:.2f} %",
        **{name: span(getattr(item, name)) for name in ("p50", "p95", "p99")},
    }


def span(took: timedelta | None) -> str:
    """A span as people read it: `0:04:12`, `1 day, 2:00:00`."""
    return "" if took is None else str(timedelta(seconds=round(took.total_seconds())))


def _write(out: Path, found: Sequence[Figures], since: datetime, to: datetime, lang: str) -> None:
    try:
        if out.suffix == _HTML:
            from streams.cli.report_page import report_page  # plots and templates: only for those who want them

            out.write_text(report_page(found, since.date(), to.date(), lang), encoding="utf-8")
        else:
            write_sheet(out, [row_of(item) for item in found], COLUMNS)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}", Exit.NO)


def _of(facility: str | None) -> str:
    return f" for facility {facility}" if facility else ""
