"""`healthbook person show|reissue`: the visits of a person, by any number that was ever used.

A number is never an argument: the shell's history and the process list would keep it.
"""

import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import TypeVar

import asyncpg
import click

from streams.adapters.identities import Linked, PostgresIdentities
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.cli.visit import with_database
from streams.domain.identifiers import Identifier, identifier
from streams.domain.vietnam import VIETNAM

T = TypeVar("T")
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("show")
@click.option("--on", "day", type=_DAY, help="Who had the number on this day.  [default: today]")
@output_option
def person_show(day: datetime | None, output: str) -> None:
    """Lists the visits of a person, and since when which papers are known. Exit 1 when nobody is found.

    Asks for the number, or reads it from a pipe: citizen number, insurance card or its last 10 digits, passport; an old
    one too.
    """
    number = _number()
    on = day.date() if day else _today()

    async def ask(identities: PostgresIdentities) -> Linked:
        return await identities.person(number, on)

    found = _with(ask)
    if not found.visits:
        fail(f"No accepted visit names this number as of {on}.", Exit.NO)
    visits = [{"facility": facility, "ma_lk": ma_lk, "day": day} for facility, ma_lk, day in found.visits]
    numbers = [{"number": kind, "first seen": first, "last seen": last} for kind, first, last in found.numbers]
    if output == "json":
        emit_json({"visits": visits, "numbers": numbers})
        return
    emit_rows(numbers, ("number", "first seen", "last seen"), output)
    emit_rows(visits, ("facility", "ma_lk", "day"), output)


@click.command("reissue")
@click.option("--from", "day", type=_DAY, required=True, help="Day from which the number is another person's.")
@click.option("--reason", required=True, help="By which notice.")
@click.option("--actor", default=getpass.getuser, help="Who decides.  [default: you]")
@click.option("--undo", is_flag=True, help="Takes such a decision back.")
def person_reissue(day: datetime, reason: str, actor: str, undo: bool) -> None:
    """Says that a number was cancelled and given to another person: visits before and after that day are not one's."""
    number = _number()

    async def decide(identities: PostgresIdentities) -> bool:
        if undo:
            return await identities.undo_reissue(number, day.date())
        return await identities.reissue(number, day.date(), actor, reason)

    if not _with(decide):
        fail("nothing was decided for this number and day" if undo else "that is decided already", Exit.NO)
    say("taken back" if undo else f"from {day.date()} on this number is another person's")


def _number() -> Identifier:
    text = click.get_text_stream("stdin")
    given = click.prompt("Number", hide_input=True, err=True) if text.isatty() else text.readline()
    if not given.strip():
        raise click.UsageError("no number was given: type it when asked, or pass it on standard input")
    return identifier(given)


def _today() -> date:
    return (datetime.now(UTC) + VIETNAM).date()


def _with(ask: Callable[[PostgresIdentities], Awaitable[T]]) -> T:
    async def run(pool: "asyncpg.Pool[asyncpg.Record]") -> T:
        return await ask(PostgresIdentities(pool))

    return with_database(run)
