"""`healthbook outage open|close|list|show`: who was out, and which visits waited for it."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import click

from streams.adapters import outages
from streams.cli.acts import act_options
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.cli.visit import with_database
from streams.domain.held import RefusedError
from streams.domain.outage import Outage, Side, Told
from streams.domain.vietnam import VIETNAM, local

_LISTED = ("outage", "subject", "facility", "phase", "from (Vietnam)", "until (Vietnam)", "found by", "cause")
_PROOF = ("result", "code", "http_status", "attempts", "visits", "first (Vietnam)", "last (Vietnam)")
_VISITS = ("facility", "ma_lk", "revision", "clock", "state", "due (Vietnam)", "late")


class Moment(click.ParamType):
    """An instant; without a zone it is Vietnamese time."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no moment; write it like 2026-11-28T22:00 (Vietnam) or with a zone", param, ctx)
        return (at if at.tzinfo else at.replace(tzinfo=timezone(VIETNAM))).astimezone(UTC)


@click.command("open")
@click.option("--subject", type=click.Choice([str(subject) for subject in Side]), required=True, help="Who is out.")
@click.option("--facility", help="Whose HIS it is (with --subject his).")
@click.option(
    "--from", "from_at", type=Moment(), help="When it begins, Vietnamese time or with a zone.  [default: now]"
)
@click.option("--until", "until_at", type=Moment(), help="When it ends; without it, it lasts until it is closed.")
@click.option(
    "--announced", is_flag=True, help="A maintenance, told beforehand: nothing is sent to the gateway meanwhile."
)
@act_options
@output_option
def outage_open(
    subject: str,
    facility: str | None,
    from_at: datetime | None,
    until_at: datetime | None,
    announced: bool,
    reason: str,
    actor: str,
    dry_run: bool,
    output: str,
) -> None:
    """Writes an outage down: one that lasts, one that is over (--from, --until), or a maintenance (--announced).

    Outages of the gateway are found without a hand too. Exit 1 when the ledger says so already.
    """
    now = datetime.now(UTC)
    told = Told(Side(subject), facility, from_at or now, until_at, announced)
    if wrong := told.wrong(now):
        raise click.UsageError(wrong[0].upper() + wrong[1:] + ".")

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> Outage:
        return await outages.open_outage(pool, told, actor, reason, dry_run=dry_run)

    _did(_or_refused(ask), output, dry_run=dry_run)


@click.command("close")
@click.argument("number", type=click.IntRange(min=1), metavar="OUTAGE")
@click.option("--at", type=Moment(), help="When it was over, Vietnamese time or with a zone.  [default: now]")
@act_options
@output_option
def outage_close(number: int, at: datetime | None, reason: str, actor: str, dry_run: bool, output: str) -> None:
    """Ends an outage; a maintenance ends early, or is cancelled before it began. Exit 1 when it is over already.

    One that attempts show comes back while they go on to fail.
    """

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> Outage:
        return await outages.close_outage(pool, number, at, actor, reason, dry_run=dry_run)

    _did(_or_refused(ask), output, dry_run=dry_run)


@click.command("list")
@click.option("--subject", type=click.Choice([str(subject) for subject in Side]), help="Only who is out.")
@click.option("--since", type=Moment(), help="Only what was not over then.  [default: 30 days ago]")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@output_option
def outage_list(subject: str | None, since: datetime | None, limit: int, output: str) -> None:
    """Lists outages and maintenances, the newest first."""
    begin = since or datetime.now(UTC) - timedelta(days=30)

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> list[Outage]:
        return await outages.listed(pool, Side(subject) if subject else None, begin, limit)

    found = with_database(ask)
    emit_rows([_told(outage) if output == "json" else _row(outage) for outage in found], _LISTED, output)
    if len(found) == limit:
        say(f"The first {limit}; ask for one --subject, or more with --limit.")


@click.command("show")
@click.argument("number", type=click.IntRange(min=1), metavar="OUTAGE")
@click.option("--limit", type=click.IntRange(min=0), default=100, show_default=True, help="Most visits to name.")
@output_option
def outage_show(number: int, limit: int, output: str) -> None:
    """Tells one outage: its proof, who did what about it, and the visits that waited for it. Exit 1 when unknown."""

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> dict[str, Any] | None:
        found = await outages.one(pool, number)
        if found is None:
            return None
        count, visits = await outages.delayed(pool, found, limit)
        return {"outage": found, "acts": await outages.acts(pool, number), "count": count, "visits": visits}

    told = with_database(ask)
    if told is None:
        fail(f"There is no outage {number}. `healthbook outage list` tells them.", Exit.NO)
    if output == "json":
        emit_json(_told(told["outage"]) | {"acts": told["acts"], **told["count"], "visits": told["visits"]})
        return
    emit_rows([_row(told["outage"])], _LISTED, output)
    emit_rows([_proof(item) for item in _told(told["outage"])["proof"]], _PROOF, output)
    acts = [act | {"when (Vietnam)": local(act["acted_at"])} for act in told["acts"]]
    emit_rows(acts, ("act", "when (Vietnam)", "actor", "reason"), output)
    emit_rows([visit | {"due (Vietnam)": local(visit["due_at"])} for visit in told["visits"]], _VISITS, output)
    click.echo(f"{told['count']['waited']} clocks were at risk or late because of it, {told['count']['late']} late.")


def _or_refused(ask: "Callable[[asyncpg.Pool[asyncpg.Record]], Awaitable[Outage]]") -> Outage:
    try:
        return with_database(ask)
    except RefusedError as refused:
        fail(f"Nothing was done: {refused}.", Exit.NO)


def _did(outage: Outage, output: str, *, dry_run: bool) -> None:
    if output == "json":
        emit_json(_told(outage) | {"dry_run": dry_run})
    else:
        emit_rows([_row(outage)], _LISTED, output)
    if dry_run:
        say("Dry run: nothing was done.")


def _told(outage: Outage) -> dict[str, Any]:
    return {
        "outage": outage.id,
        "subject": str(outage.subject),
        "facility": outage.facility,
        "phase": str(outage.phase(datetime.now(UTC))),
        "announced": outage.announced,
        "from_at": outage.from_at,
        "until_at": outage.until_at,
        "found_by": str(outage.found_by),
        "cause": outage.cause,
        "proof": [asdict(item) for item in outage.proof],
    }


def _row(outage: Outage) -> dict[str, Any]:
    return _told(outage) | {
        "phase": f"{outage.phase(datetime.now(UTC))}{', announced' if outage.announced else ''}",
        "from (Vietnam)": local(outage.from_at),
        "until (Vietnam)": outage.until_at and local(outage.until_at),
        "found by": str(outage.found_by),
    }


def _proof(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"first (Vietnam)": local(item["first_at"]), "last (Vietnam)": local(item["last_at"])}
