"""`healthbook held list|show|release|abandon`: what waits for a person."""

from datetime import timedelta
from typing import Any

import asyncpg
import click

from streams.adapters import held
from streams.adapters.held import Decision
from streams.adapters.signer import OTHER, TEXTS
from streams.cli.acts import act_options
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.cli.visit import with_database
from streams.domain.held import RefusedError, Standing, waits_for
from streams.domain.submission import Happening, Hold, State
from streams.domain.vietnam import local
from streams.stages.forward import HOLDS
from streams.stages.publish import POLICY

_LISTED = ("facility", "ma_lk", "revision", "stage", "reason", "held (Vietnam)", "times", "waits for")
_DONE = ("facility", "ma_lk", "revision", "stage", "act", "state", "actor", "reason", "gives up (Vietnam)")


@click.command("list")
@click.option("--facility", help="Only visits of this facility.")
@click.option("--reason", help="Only holds with this code (docs/codes.md).")
@click.option("--stage", type=click.Choice(["sign", "forward", "publish"]), help="Only what this stage holds.")
@output_option
def held_list(facility: str | None, reason: str | None, stage: str | None, output: str) -> None:
    """Lists what is held, the longest first, and what each waits for."""

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> list[dict[str, Any]]:
        return [
            {"facility": visit[0], "ma_lk": visit[1], **_told(item, waits_for(item, standings))}
            for visit, standings in await held.held_visits(pool, facility)
            for item in standings
            if item.state is State.HELD and reason in (None, item.reason) and stage in (None, item.stage)
        ]

    rows = sorted(with_database(ask), key=lambda row: row["held_at"])
    emit_rows(rows if output == "json" else list(map(_row, rows)), _LISTED, output)


@click.command("show")
@click.argument("facility")
@click.argument("ma_lk", metavar="MA_LK")
@output_option
def held_show(facility: str, ma_lk: str, output: str) -> None:
    """Says why a visit is held, how to mend it, and what was decided about it. Exit 1 when nothing of it is held."""

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> tuple[list[Standing], list[dict[str, Any]]]:
        return await held.standings(pool, facility, ma_lk), await held.decisions(pool, facility, ma_lk)

    standings, decided = with_database(ask)
    found = [
        _told(item, waits_for(item, standings)) | _explained(item.reason)
        for item in standings
        if item.state is State.HELD
    ]
    if not found:
        fail(
            f"Nothing of visit {ma_lk} of facility {facility} is held; `healthbook visit show` tells where it stands.",
            Exit.NO,
        )
    if output == "json":
        emit_json({"facility": facility, "ma_lk": ma_lk, "held": found, "decisions": decided})
        return
    for item in found:
        shown = item | {"held_at": f"{local(item['held_at'])} (Vietnam)"}
        click.echo("\n".join(f"{name}: {value}" for name, value in shown.items() if value is not None) + "\n")
    if decided:
        rows = [item | {"when (Vietnam)": local(item["decided_at"])} for item in decided]
        emit_rows(rows, ("revision", "stage", "act", "when (Vietnam)", "actor", "reason"), output)


@click.command("release")
@click.argument("facility")
@click.argument("ma_lk", metavar="MA_LK")
@click.option("--revision", type=click.IntRange(min=0), help="Which one.  [default: the newest that is held]")
@act_options
@output_option
def held_release(**given: Any) -> None:
    """Lets a held visit go on: the same bytes, with a new time limit for the gateway's answer.

    With --revision also what was abandoned, or not sent because the gateway has the same content. Exit 1 when a newer
    revision took its place, or it is not held.
    """
    _decide(Happening.RELEASED, **given)


@click.command("abandon")
@click.argument("facility")
@click.argument("ma_lk", metavar="MA_LK")
@click.option("--revision", type=click.IntRange(min=0), help="Which one.  [default: the newest that is held]")
@act_options
@output_option
def held_abandon(**given: Any) -> None:
    """Gives a held visit up: it is not due (ABANDONED), and its clocks end. Exit 1 when it is not held."""
    _decide(Happening.ABANDONED, **given)


def _decide(
    act: Happening,
    facility: str,
    ma_lk: str,
    revision: int | None,
    reason: str,
    actor: str,
    dry_run: bool,
    output: str,
) -> None:
    horizon = timedelta(seconds=settings_or_fail().send_horizon)

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> dict[str, Any]:
        decision = Decision(act, actor, reason)
        return await held.decide(pool, (facility, ma_lk), revision, decision, horizon, dry_run=dry_run)

    try:
        done = with_database(ask)
    except RefusedError as refused:
        fail(f"Visit {ma_lk} of facility {facility}: {refused}.", Exit.NO)
    if output == "json":
        emit_json(done | {"dry_run": dry_run})
    else:
        limit = done["give_up_at"]
        emit_rows([done | {"gives up (Vietnam)": limit and local(limit)}], _DONE, output)
    if dry_run:
        say("Dry run: nothing was done.")


def _told(item: Standing, waits: str | None) -> dict[str, Any]:
    return {
        "revision": item.revision,
        "stage": item.stage,
        "reason": item.reason,
        "held_at": item.since,
        "holds": item.holds,
        "waits_for": waits,
    }


def _row(told: dict[str, Any]) -> dict[str, Any]:
    return told | {
        "held (Vietnam)": local(told["held_at"]),
        "times": told["holds"],
        "waits for": told["waits_for"],
    }


def _explained(reason: str | None) -> dict[str, str]:
    known = {hold.reason: hold for hold in (*HOLDS, POLICY)} | {code: Hold(code, *text) for code, text in TEXTS.items()}
    hold = known.get(reason or "", Hold("", *OTHER))
    return {name: getattr(hold, name) for name in ("message_vi", "mend_vi", "message_en", "mend_en")}
