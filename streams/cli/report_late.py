"""`healthbook report late`: each visit that missed a promise, who was late, and why."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import click

from streams.adapters.lateness import late_clocks
from streams.cli.output import Exit, emit_json, emit_rows, fail, say
from streams.cli.sheets import SUFFIXES, write_sheet
from streams.cli.visit import with_database
from streams.domain.lateness import Cause
from streams.domain.vietnam import VIETNAM, local
from streams.sla.deadline import Deadline

_DAY = click.DateTime(["%Y-%m-%d"])
COLUMNS = (
    *("clock", "facility", "ma_lk", "revision", "due_at", "stopped_at", "minutes_late"),
    *("side", "code", "cause_vi", "cause_en", "waited_from", "waited_until"),
)
_SHOWN = ("clock", "facility", "ma_lk", "revision", "due (Vietnam)", "minutes late", "side", "cause")


@click.command("late")
@click.option("--from", "first", type=_DAY, help="First day, in Vietnam.  [default: --to]")
@click.option("--to", "last", type=_DAY, help="Last day, in Vietnam.  [default: today]")
@click.option("--facility", help="Only visits of this facility.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Writes a .csv or .xlsx.")
@click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True, help="Of the causes.")
@click.option(
    "--output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How the answer is printed.",
)
def report_late(
    first: datetime | None, last: datetime | None, facility: str | None, out: Path | None, lang: str, output: str
) -> None:
    """Names for each missed deadline the side (HIS, us, gateway, display) and the cause; most urgent first.

    A clock counts for the day on which it started, as in `report sla`. Exit 0 also when nothing was late.
    """
    if out is not None and out.suffix not in SUFFIXES:
        raise click.UsageError(f"--out: the name must end in {' or '.join(SUFFIXES)}")
    now = datetime.now(UTC)
    to = last.replace(tzinfo=UTC) if last else (now + VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    since = first.replace(tzinfo=UTC) if first else to
    if since > to:
        raise click.UsageError(f"--from {since:%Y-%m-%d} is after --to {to:%Y-%m-%d}")

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> list[tuple[Deadline, Cause | None]]:
        return await late_clocks(pool, since - VIETNAM, to + timedelta(days=1) - VIETNAM, facility, now)

    rows = [_row(clock, cause, now) for clock, cause in with_database(ask)]
    sides = Counter(str(row["side"]) for row in rows)
    if out is not None:
        try:
            write_sheet(out, rows, COLUMNS)
        except OSError as error:
            fail(f"{out} cannot be written: {error.strerror}", Exit.NO)
    elif output == "json":
        emit_json({"from": f"{since:%Y-%m-%d}", "to": f"{to:%Y-%m-%d}", "by_side": dict(sides), "late": rows})
    elif output == "csv":
        write_sheet(None, rows, COLUMNS)
    else:
        emit_rows([_shown(row, lang) for row in rows], _SHOWN, output)
    say(", ".join(f"{side} {number}" for side, number in sides.most_common()) or "Nothing was late.")


def _row(clock: Deadline, cause: Cause | None, now: datetime) -> dict[str, Any]:
    late = (clock.stopped_at or now) - clock.due_at
    return {
        "clock": clock.clock,
        "facility": clock.facility,
        "ma_lk": clock.ma_lk,
        "revision": clock.revision,
        "due_at": clock.due_at,
        "stopped_at": clock.stopped_at,
        "minutes_late": round(late.total_seconds() / 60, 1),
        "side": cause and str(cause.side),
        "code": cause and cause.code,
        "cause_vi": cause and cause.text_vi,
        "cause_en": cause and cause.text_en,
        "waited_from": cause and cause.from_at,
        "waited_until": cause and cause.until_at,
    }


def _shown(row: dict[str, Any], lang: str) -> dict[str, Any]:
    return row | {
        "due (Vietnam)": local(row["due_at"]),
        "minutes late": row["minutes_late"],
        "cause": row[f"cause_{lang}"],
    }
