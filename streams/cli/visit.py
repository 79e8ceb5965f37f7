"""`healthbook visit show|list`: what happened to my visits?"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import click

from streams.adapters import postgres
from streams.adapters.dead_letters import every_letter
from streams.adapters.timeline import PostgresTimeline
from streams.adapters.visit_story import visit_story
from streams.cli import letter
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.domain.story import VisitState
from streams.domain.submission import CLAIMABLE
from streams.domain.vietnam import VIETNAM, local
from streams.errors import RetryLater

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds for reading dead letters: the rest of a story does not wait for a Kafka that is away."""


@click.command("show")
@click.argument("facility")
@click.argument("ma_lk", metavar="MA_LK")
@output_option
def visit_show(facility: str, ma_lk: str, output: str) -> None:
    """Tells the whole story of one visit: every revision, stage, answer and clock, its dead letters, and what people
    decided about it.

    Exit 1 when it is not known. Dead letters lie in Kafka: while that is away, all else is told.
    """

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> dict[str, Any] | None:
        return await visit_story(pool, facility, ma_lk, await _letters(pool))

    told = with_database(ask)
    if told is None:
        fail(f"No visit {ma_lk} of facility {facility} is known. Look for it with `healthbook visit list`.", Exit.NO)
    if output == "json":
        emit_json(told)
        return
    lines = [*map(_line, told["story"]), *map(_decided, told["decisions"])]
    lines.sort(key=lambda line: (line["revision"], line["when (Vietnam)"]))
    emit_rows(lines, ("revision", "when (Vietnam)", "what", "detail"), output)
    emit_rows([_stands(item) for item in told["standing"]], _STANDING, output)
    emit_rows([_attempt(attempt) for attempt in told["attempts"]], _ATTEMPT, output)
    emit_rows(
        [
            clock
            | {"due (Vietnam)": local(clock["due_at"]), "stopped": clock["stopped_at"] and local(clock["stopped_at"])}
            for clock in told["clocks"]
        ],
        ("revision", "clock", "state", "due (Vietnam)", "stopped", "provisional", "reason"),
        output,
    )
    if told["dead_letters"]:
        click.echo("Dead letters:")
        emit_rows(list(map(letter.row, told["dead_letters"])), letter.COLUMNS, output)
    for clock in told["clocks"]:
        if clock["cause"]:
            click.echo(f"Revision {clock['revision']}, {clock['clock']}: {_cause(clock['cause'])}")
    for waited in told["outages"]:
        click.echo(f"Revision {waited['revision']} waited for {_outage(waited)}: {waited['clock']}")


@click.command("list")
@click.option("--facility", help="Only visits of this facility.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="A day in Vietnam.  [default: the last 24 hours]")
@click.option(
    "--state",
    "states",
    type=click.Choice([str(state) for state in VisitState]),
    multiple=True,
    help="Only visits in this state; may be given several times.",
)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@output_option
def visit_list(facility: str | None, day: datetime | None, states: tuple[str, ...], limit: int, output: str) -> None:
    """Lists visits with the state of the newest revision and the last thing that happened to it."""
    since = day.replace(tzinfo=UTC) - VIETNAM if day else datetime.now(UTC) - timedelta(days=1)

    async def ask(pool: "asyncpg.Pool[asyncpg.Record]") -> list[dict[str, Any]]:
        wanted = [VisitState(state) for state in states]
        return await PostgresTimeline(pool).visits(facility, since, since + timedelta(days=1), wanted, limit)

    rows = with_database(ask)
    if output == "table":
        rows = [row | {"last event": row["last_event"], "when (Vietnam)": local(row["happened_at"])} for row in rows]
    emit_rows(rows, ("facility", "ma_lk", "revision", "state", "last event", "when (Vietnam)"), output)
    if len(rows) == limit:
        say(f"The first {limit}; ask for one --facility, one --state, or more with --limit.")


def with_database(ask: "Callable[[asyncpg.Pool[asyncpg.Record]], Awaitable[T]]") -> T:
    async def run(url: str) -> T:
        pool = await postgres.connect(url, 1)
        try:
            return await ask(pool)
        finally:
            await pool.close()

    try:
        return asyncio.run(run(settings_or_fail().database_url))
    except RetryLater as trouble:
        fail(str(trouble), Exit.UNREACHABLE)


async def _letters(pool: "asyncpg.Pool[asyncpg.Record]") -> list[dict[str, Any]] | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await every_letter(settings_or_fail().kafka_bootstrap_servers, pool)
    except (RetryLater, TimeoutError):
        say("Dead letters are not told: Kafka does not answer.")
        return None


def _line(line: dict[str, Any]) -> dict[str, Any]:
    detail = line["detail"]
    findings = [item["code"] for item in detail.get("findings", [])]
    told = {name: value for name, value in detail.items() if name != "findings" and value not in (None, [], 0)}
    if findings:
        told["findings"] = ", ".join(findings)
    return {
        "revision": line["revision"],
        "when (Vietnam)": local(line["happened_at"]),
        "what": line["type"],
        "detail": "; ".join(f"{name}: {value}" for name, value in told.items()),
    }


def _decided(decision: dict[str, Any]) -> dict[str, Any]:
    return {
        "revision": decision["revision"],
        "when (Vietnam)": local(decision["decided_at"]),
        "what": f"{decision['act'].lower()} by {decision['actor']}",
        "detail": f"held_by: {decision['stage']}; reason: {decision['reason']}",
    }


def _cause(cause: dict[str, Any]) -> str:
    return f"late by {cause['side']}, {cause['text_en']} ({local(cause['from_at'])} to {local(cause['until_at'])})"


_STANDING = ("revision", "stage", "state", "reason", "since (Vietnam)", "next attempt (Vietnam)", "waits for")


def _stands(standing: dict[str, Any]) -> dict[str, Any]:
    sent_again = standing["next_attempt_at"] if standing["state"] in CLAIMABLE else None
    return standing | {
        "since (Vietnam)": local(standing["since"]),
        "next attempt (Vietnam)": sent_again and local(sent_again),
        "waits for": standing["waits_for"],
    }


def _outage(told: dict[str, Any]) -> str:
    until = told["until_at"]
    kind = "announced outage" if told["announced"] else "outage"
    end = local(until) if until else "now"
    return f"{kind} #{told['outage']} ({told['subject']}, {local(told['from_at'])} to {end}, Vietnam)"


_ATTEMPT = ("revision", "attempt", "sent (Vietnam)", "answer", "code", "receipt", "received (Vietnam)", "seconds")


def _attempt(attempt: dict[str, Any]) -> dict[str, Any]:
    received = attempt["received_at"]
    return {
        "revision": attempt["revision"],
        "attempt": attempt["attempt"],
        "sent (Vietnam)": local(attempt["started_at"]),
        "answer": attempt["result"] or "none yet",
        "code": attempt["code"],
        "receipt": attempt["transaction_code"],
        "received (Vietnam)": received and local(received),
        "seconds": None if attempt["seconds"] is None else f"{attempt['seconds']:.2f}",
    }
