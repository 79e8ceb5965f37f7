"""`healthbook facility list|show|errors`: who may send, and what each has to mend."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import click

from streams.adapters.facilities import Facility, FacilityError, FacilityRegister
from streams.adapters.facility_errors import COLUMNS, facility_errors
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_fields, emit_rows, fail, output_option, say
from streams.cli.sheets import SUFFIXES, write_sheet
from streams.cli.visit import with_database
from streams.domain.vietnam import VIETNAM

_DAY = click.DateTime(["%Y-%m-%d"])
_SHOWN = ("ma_lk", "revision", "when", "from", "code", "table", "row", "field", "message_vi")


def _register() -> FacilityRegister:
    return FacilityRegister(settings_or_fail().facilities_dir)


def described(facility: Facility) -> dict[str, Any]:
    """What everybody may know about a facility."""
    return {
        "facility": facility.code,
        "name": facility.name,
        "kind": str(facility.kind),
        "valid_from": facility.valid_from.isoformat(),
        "valid_to": facility.valid_to and facility.valid_to.isoformat(),
        "gateway_username": facility.gateway_username,
    }


@click.command("list")
@output_option
def facility_list(output: str) -> None:
    """The facilities of the register."""
    try:
        rows = [described(facility) for facility in _register().all()]
    except FacilityError as error:
        fail(str(error), Exit.NO)
    emit_rows(rows, ("facility", "name", "kind", "valid_from", "valid_to", "gateway_username"), output)


@click.command("show")
@click.argument("code")
@output_option
def facility_show(code: str, output: str) -> None:
    """One facility. Exit code 1 when it is not registered, or its entry cannot be used."""
    try:
        found = _register().get(code)
    except FacilityError as error:
        fail(str(error), Exit.NO)
    if found is None:
        fail(f"facility {code} is not registered; `healthbook facility list` names those that are", Exit.NO)
    emit_fields(described(found), output)


@click.command("errors")
@click.argument("code")
@click.option("--since", type=_DAY, help="First day, in Vietnam.  [default: 7 days ago]")
@click.option("--until", type=_DAY, help="Last day, in Vietnam.  [default: today]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Writes all columns to a .csv or .xlsx.")
@output_option
def facility_errors_(code: str, since: datetime | None, until: datetime | None, out: Path | None, output: str) -> None:
    """What facility CODE has to mend, one row for each: findings of validation, refusals and late verdicts of the
    gateway, visits whose person is unknown.
    """
    if out is not None and out.suffix not in SUFFIXES:
        raise click.UsageError(f"--out: the name must end in {' or '.join(SUFFIXES)}")
    today = (datetime.now(UTC) + VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0)
    first = (since.replace(tzinfo=UTC) if since else today - timedelta(days=7)) - VIETNAM
    end = (until.replace(tzinfo=UTC) if until else today) + timedelta(days=1) - VIETNAM

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> list[dict[str, Any]]:
        return await facility_errors(pool, code, first, end)

    rows = with_database(ask)
    if out is None:
        emit_rows(rows, _SHOWN, output)
        return
    try:
        write_sheet(out, rows, COLUMNS)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}", Exit.NO)
    say(f"{len(rows)} errors of {code} in {out}")
