"""`healthbook facility reconcile`: closed = sum of outcomes, by name."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import click

from streams.adapters import reconciliation
from streams.adapters.closed_list import ClosedList, ClosedListError, read_closed_list
from streams.adapters.day_counts import Counted, counted
from streams.adapters.dead_letters import DeadLetterTopics
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.cli.sheets import SUFFIXES, write_sheet
from streams.cli.visit import with_database
from streams.domain.outcome import Outcome
from streams.domain.reconciliation import Reconciliation, Row
from streams.domain.vietnam import local

COLUMNS = ("ma_lk", "revision", "closed_at", "outcome", "stage", "reason", "waits_for", "listed")
_SHOWN = ("ma_lk", "revision", "closed (Vietnam)", "outcome", "stage", "reason", "waits for", "in the list")
_WORST_FIRST = [*reversed(Outcome)]


@click.command("reconcile")
@click.argument("facility")
@click.option("--day", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Of closing, in Vietnam.")
@click.option(
    "--closed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The HIS's own list: one MA_LK a line, or a CSV with MA_LK (and REVISION, CLOSED_AT).  [default: what its"
    " adapters counted]",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Writes all columns to a .csv or .xlsx.")
@output_option
def facility_reconcile(facility: str, day: datetime, closed: Path | None, out: Path | None, output: str) -> None:
    """What became of every visit that FACILITY closed on a day, by name; what is missing on either side.

    Exit 1 when something is missing: closed and never seen on the bus, or seen and not in the list.
    """
    if out is not None and out.suffix not in SUFFIXES:
        raise click.UsageError(f"--out: the name must end in {' or '.join(SUFFIXES)}")
    of_day = day.date()
    listed = None if closed is None else _read(closed, facility, of_day)
    found, told = _reconcile(facility, of_day, listed)
    if found is None:
        fail(
            f"Nobody has said what {facility} closed on {of_day}: no adapter of it has counted that day. Give the HIS's"
            " own list with --closed.",
            Exit.NO,
        )
    rows = [_row(row) for row in sorted(found.rows, key=_order)]
    if output == "json":
        emit_json(_document(facility, of_day, found, told, rows))
    elif out is None:
        emit_rows([_shown(row) for row in rows], _SHOWN, output)
    if out is not None:
        try:
            write_sheet(out, rows, COLUMNS)
        except OSError as error:
            fail(f"{out} cannot be written: {error.strerror}", Exit.NO)
    _summarise(facility, of_day, found, listed, told)
    if not found.balanced:
        raise SystemExit(int(Exit.NO))


def _read(path: Path, facility: str, day: date) -> ClosedList:
    try:
        listed = read_closed_list(path, facility, day)
    except ClosedListError as error:
        fail(str(error), Exit.NO)
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}", Exit.NO)
    if listed.repeated:
        say(f"{listed.repeated} lines of {path.name} say again what another one says")
    if listed.elsewhere:
        say(f"{listed.elsewhere} lines of {path.name} are about another facility or another day")
    return listed


def _reconcile(facility: str, day: date, listed: ClosedList | None) -> tuple[Reconciliation | None, Counted | None]:
    bootstrap = settings_or_fail().kafka_bootstrap_servers

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> tuple[Reconciliation | None, Counted | None]:
        told = await counted(pool, facility, day)
        if listed is None and told is None:
            return None, None
        topics = [topic.dlq for topic in reconciliation.WAY]
        async with DeadLetterTopics(bootstrap, topics) as letters, pool.acquire() as connection:
            dead = await reconciliation.open_letters(connection, letters, facility)
        names = {line.ma_lk for line in listed.closed} if listed else set()
        spooled = told.spooled if told else ()
        known = await reconciliation.day(pool, dead, facility, day, named=names, spooled=spooled)
        if listed is not None:
            return known.by_list(listed.closed), told
        assert told is not None  # noqa: S101 - one of them says what was closed
        return known.by_count(told.closed), told

    try:
        return with_database(ask)
    except LookupError as error:
        fail(str(error), Exit.NO)


def _order(row: Row) -> tuple[int, str, int]:
    return _WORST_FIRST.index(row.explained.outcome), row.ma_lk, row.revision or 0


def _row(row: Row) -> dict[str, Any]:
    explained = row.explained
    return {
        "ma_lk": row.ma_lk,
        "revision": row.revision,
        "closed_at": row.closed_at,
        "outcome": str(explained.outcome),
        "stage": explained.stage,
        "reason": explained.reason,
        "waits_for": explained.waits_for,
        "listed": row.listed,
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "closed (Vietnam)": row["closed_at"] and local(row["closed_at"]),
        "waits for": row["waits_for"],
        "in the list": "yes" if row["listed"] else "no",
    }


def _document(
    facility: str, day: date, found: Reconciliation, told: Counted | None, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "facility": facility,
        "day": day.isoformat(),
        "closed": found.closed,
        "outcomes": {str(outcome): number for outcome in Outcome if (number := found.outcomes[outcome])},
        "unlisted": found.unlisted,
        "nameless": found.nameless,
        "balanced": found.balanced,
        "adapters": told
        and {"closed": told.closed, "told_at": told.told_at, "in_spool": len(told.spooled) + told.omitted},
        "visits": rows,
    }


def _summarise(
    facility: str, day: date, found: Reconciliation, listed: ClosedList | None, told: Counted | None
) -> None:
    by = "its own list" if listed else f"its adapters, told {local(told.told_at)} (Vietnam)" if told else ""
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in found.outcomes.most_common())
    say(f"{facility} closed {found.closed} on {day} by {by}: {outcomes or 'nothing known'}")
    if found.nameless:
        say(
            f"{found.nameless} were handed to an adapter, never came, and do not wait in its spool; give the HIS's own"
            " list with --closed to know which"
        )
    if found.unlisted:
        say(f"{found.unlisted} are known here beyond that")
