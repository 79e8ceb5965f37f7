"""`healthbook verdict import|fetch`: what the gateway says later about dossiers that it took (GATEWAY §6.6)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from events.registry import Registry, RegistryUnreachableError
from events.serde import Serde
from events.visit import VisitLateVerdict
from streams.adapters import postgres
from streams.adapters.feedback_file import FileFeedback
from streams.adapters.feedback_simulator import SimulatorFeedback
from streams.adapters.outbox import Outbox, declare_shards
from streams.adapters.verdicts import PostgresVerdicts
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option
from streams.domain.feedback import About, FeedbackError, GatewayFeedback, ToldFinding
from streams.domain.vietnam import VIETNAM
from streams.errors import RetryLater

_DAY = click.DateTime(["%Y-%m-%d"])
_MEANING = {
    About.ACCEPTED: "late verdicts: to be corrected within 2 working days",
    About.REFUSED: "more about refusals",
    About.UNANSWERED: "about sendings without an answer yet: take the list again later",
    About.FOREIGN: "about dossiers that did not go through here",
    About.KNOWN: "known already",
}


@click.command("import")
@click.argument("files", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True)
@click.option("--facility", help="Whose list it is, where the file does not say.")
@click.option("--dry-run", is_flag=True, help="Only reads the files.")
@output_option
def verdict_import(files: Sequence[Path], facility: str | None, dry_run: bool, output: str) -> None:
    """Takes error lists that were exported from the gateway's portal (CSV, XLSX, XLS, ODS).

    A file is taken whole or not at all; the same file again changes nothing.
    """
    lines: list[ToldFinding] = []
    for path in files:
        try:
            lines += asyncio.run(FileFeedback(path, facility).told())
        except FeedbackError as error:
            fail(f"{path}: {error}", Exit.NO)
        except OSError as error:
            fail(f"{path} cannot be read: {error.strerror}", Exit.NO)
    _take(lines, dry_run, output)


@click.command("fetch")
@click.option("--facility", help="Only of this facility.")
@click.option("--since", type=_DAY, help="First day, in Vietnam.  [default: 7 days ago]")
@click.option("--until", type=_DAY, help="Last day, in Vietnam.  [default: today]")
@click.option("--dry-run", is_flag=True, help="Only asks.")
@output_option
def verdict_fetch(
    facility: str | None, since: datetime | None, until: datetime | None, dry_run: bool, output: str
) -> None:
    """Asks the gateway simulator for its error lists; the real gateway only exports them from its portal."""
    today = (datetime.now(UTC) + VIETNAM).date()
    first = since.date() if since else today - timedelta(days=7)
    feedback: GatewayFeedback = SimulatorFeedback(
        settings_or_fail().gateway_url, facility, first, until.date() if until else today
    )
    try:
        lines = asyncio.run(feedback.told())
    except FeedbackError as error:
        fail(str(error), Exit.NO)
    except RetryLater as trouble:
        fail(str(trouble), Exit.UNREACHABLE)
    _take(lines, dry_run, output)


def _take(lines: Sequence[ToldFinding], dry_run: bool, output: str) -> None:
    try:
        counted = Counter[About]() if dry_run else asyncio.run(_add(lines))
    except RetryLater as trouble:
        fail(str(trouble), Exit.UNREACHABLE)
    if output == "json":
        emit_json({"lines": len(lines), **{str(what): counted[what] for what in About}})
        return
    rows = [{"lines": counted[what], "what": _MEANING[what]} for what in About if counted[what]]
    emit_rows(rows if counted else [{"lines": len(lines), "what": "read"}], ("lines", "what"), output)


async def _add(lines: Sequence[ToldFinding]) -> Counter[About]:
    settings = settings_or_fail()
    pool = await postgres.connect(settings.database_url, 1)
    try:
        async with Registry(settings.schema_registry_url) as registry:
            serde = Serde(registry)
            try:
                await serde.prepare(VisitLateVerdict)
            except (RegistryUnreachableError, LookupError) as error:
                raise RetryLater(f"schema registry: {error}") from None
            async with pool.acquire() as connection:
                await declare_shards(connection)
            return await PostgresVerdicts(pool, Outbox(serde)).add(lines)
    finally:
        await pool.close()
