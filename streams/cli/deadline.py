"""`healthbook deadline list|show`: the clocks, what they rest on, and the visits that are late or about to be."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import click

from events.deadline import DeadlineState
from streams.adapters.clocks import FolderClocks, Unusable
from streams.adapters.deadline_figures import PostgresFigures
from streams.adapters.lateness import causes
from streams.cli.config import settings_or_fail
from streams.cli.output import emit_json, emit_rows, output_option, say
from streams.cli.visit import with_database
from streams.domain.lateness import Cause
from streams.domain.vietnam import local
from streams.sla.clock import Clock
from streams.sla.clocks import versions
from streams.sla.deadline import Deadline

_CLOCK = (
    *("clock", "lasts", "calendar", "valid_from", "valid_until", "at_risk_at", "warn_at", "offer_again_at"),
    *("basis", "article", "source"),
)
_VISIT = ("clock", "facility", "ma_lk", "revision", "state", "warned", "due (Vietnam)", "provisional")
_NEAREST = 10


@click.command("list")
@click.option("--at-risk", is_flag=True, help="Instead the visits whose clock runs and is at risk.")
@click.option("--breached", is_flag=True, help="Instead the visits whose clock runs and is late.")
@click.option("--clock", "name", help="Only this clock.")
@click.option("--facility", help="Only visits of this facility.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Most visits of each clock.")
@output_option
def deadline_list(
    at_risk: bool, breached: bool, name: str | None, facility: str | None, limit: int, output: str
) -> None:
    """Lists the clocks with their legal basis and validity; or the visits that need someone now, most urgent first."""
    clocks = FolderClocks(settings_or_fail())
    known = [clock for clock in clocks() if name in (None, clock.name)]
    if not known:
        raise click.UsageError(f"there is no clock {name}; known are {', '.join(names(clocks()))}")
    wanted = [DeadlineState.AT_RISK] * at_risk + [DeadlineState.BREACHED] * breached
    if not wanted:
        broken = [each for each in clocks.unusable if name in (None, each.file.parent.name)]
        emit_rows([policy(clock) for clock in known] + [_unusable(each) for each in broken], _CLOCK, output)
        return

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> list[dict[str, Any]]:
        figures = PostgresFigures(pool)
        found = [each for clock in names(known) for each in await figures.listed(clock, wanted, facility, limit)]
        late = await causes(pool, [each for each in found if each.late], datetime.now(UTC))
        cause_of = {each.key: _cause(cause) for each, cause in late if cause is not None}
        return [_running(each) | cause_of.get(each.key, {}) for each in found]

    found = with_database(ask)
    emit_rows(found, (*_VISIT, "side", "cause"), output)
    if len(found) >= limit:
        say(f"At most {limit} of each clock; ask for one --facility, one --clock, or more with --limit.")


@click.command("show")
@click.argument("name", metavar="CLOCK")
@output_option
def deadline_show(name: str, output: str) -> None:
    """Shows one clock: its versions, how many stand where, the nearest due times. Exit 2: there is no such clock."""
    everything = FolderClocks(settings_or_fail())()
    known = versions(name, everything)
    if not known:
        raise click.UsageError(f"there is no clock {name}; known are {', '.join(names(everything))}")

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> dict[str, Any]:
        figures = PostgresFigures(pool)
        everything = [str(state) for state in DeadlineState]
        return {
            "counts": [row for row in await figures.counts() if row["clock"] == name and row["number"]],
            "prediction": await figures.predicted(name),
            "nearest": [_running(each) for each in await figures.listed(name, everything, None, _NEAREST)],
        }

    told = {"clock": name, "versions": [policy(clock) for clock in known], **with_database(ask)}
    if output == "json":
        emit_json(told)
        return
    emit_rows(told["versions"], _CLOCK, output)
    emit_rows(told["counts"], ("state", "running", "number"), output)
    emit_rows(told["nearest"], _VISIT, output)
    if told["prediction"] is not None:
        click.echo(_predicted(**told["prediction"]))


def _predicted(at: datetime, per_second: float, running: int, breaches: int, first_at: datetime | None) -> str:
    rate = f"{local(at)}: {running} run and are not late; at the current drain rate of {per_second * 60:.1f} a minute"
    return (
        f"{rate} {breaches} will be late, the first at {local(first_at)}" if first_at else f"{rate} none will be late"
    )


def names(known: Sequence[Clock]) -> list[str]:
    """Every clock once."""
    return list(dict.fromkeys(clock.name for clock in known))


def policy(clock: Clock) -> dict[str, Any]:
    """What a version of a clock promises, and where it comes from."""
    return {
        "clock": clock.name,
        "subject": clock.subject,
        "starts_on": clock.starts_on,
        "stops_on": clock.stops_on,
        "lasts": f"{clock.duration} working days" if isinstance(clock.duration, int) else str(clock.duration),
        "calendar": clock.calendar,
        "valid_from": clock.valid_from and clock.valid_from.isoformat(),
        "valid_until": clock.valid_until and clock.valid_until.isoformat(),
        "at_risk_at": clock.at_risk,
        "warn_at": list(clock.warn_at),
        "offer_again_at": list(clock.offer_again_at),
        "basis": clock.legal_basis,
        "article": clock.article,
        "source": clock.source,
    }


def _unusable(found: Unusable) -> dict[str, Any]:
    return {"clock": found.file.parent.name, "valid_from": found.file.stem, "source": f"CANNOT BE USED: {found.cause}"}


def _cause(cause: Cause) -> dict[str, str]:
    return {"side": str(cause.side), "code": cause.code, "cause": cause.text_en, "cause_vi": cause.text_vi}


def _running(found: Deadline) -> dict[str, Any]:
    return {
        "clock": found.clock,
        "facility": found.facility,
        "ma_lk": found.ma_lk,
        "revision": found.revision,
        "state": str(found.state),
        "started_at": found.started_at.isoformat(),
        "due_at": found.due_at.isoformat(),
        "due (Vietnam)": local(found.due_at),
        "warned": found.warned,
        "provisional": found.provisional,
    }
