"""`healthbook visit close`: hands one dossier over and waits until the broker has it."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from events.his import Adapter, HisError, Receipt
from events.his.source import read_dossier, visit_key
from streams.cli.output import Exit, emit_json, fail, output_option, say
from streams.config import load

FIELDS = ("event_id", "facility", "ma_lk", "revision", "repeated")


@click.command("close")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--facility", required=True, help="MA_CSKCB of the facility that closed the visit, 5 characters.")
@click.option("--revision", type=click.IntRange(1, 2**62), help="The HIS's own rising number.  [default: given]")
@click.option(
    "--closed-at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]),
    help="When the visit closed, with zone.  [default: now]",
)
@click.option("--again", is_flag=True, help="Send it once more although the bus had it: after a reason outside of it.")
@click.option("--spool", type=click.Path(file_okay=False, path_type=Path), help="Spool folder.  [default: below home]")
@click.option("--wait", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds for the broker.")
@click.option("--dry-run", is_flag=True, help="Reads the dossier, hands nothing over.")
@output_option
def visit_close(
    path: Path,
    facility: str,
    revision: int | None,
    closed_at: datetime | None,
    again: bool,
    spool: Path | None,
    wait: float,
    dry_run: bool,
    output: str,
) -> None:
    """Hands the dossier at PATH over: a folder of table files, an envelope, or a zip.

    Exit 1: it cannot be handed over; 3: the broker does not answer in time (the spool keeps it and sends it with the
    next `visit close` of this facility).
    """
    settings = load()
    # Not the folder adapter's spool: that one belongs to a process which may be running.
    folder = spool or settings.home / "spool" / "visit-close" / facility
    try:
        if dry_run:
            _answer({"facility": facility, "ma_lk": visit_key(read_dossier(path)), "dry_run": True}, output)
            return
        adapter = Adapter(facility, folder, settings.kafka_bootstrap_servers, settings.schema_registry_url)
        receipt, arrived = asyncio.run(_close(adapter, path, revision, closed_at, wait, again=again))
    except HisError as error:
        fail(explain(error), Exit.NO)
    _answer(
        {
            "event_id": str(receipt.event_id),
            "facility": facility,
            "ma_lk": receipt.ma_lk,
            "revision": receipt.revision,
            "repeated": receipt.repeated,
            "sent_again": receipt.repeated and again,
            "on_bus": arrived,
        },
        output,
    )
    if not arrived:
        fail(
            f"the broker did not answer in {wait:g} s ({adapter.trouble or 'BUS_AWAY'}); the spool keeps the visit and"
            " sends it with the next `visit close` of this facility",
            Exit.UNREACHABLE,
        )


async def _close(
    adapter: Adapter, path: Path, revision: int | None, closed_at: datetime | None, wait: float, *, again: bool
) -> tuple[Receipt, bool]:
    async with adapter:
        receipt = await adapter.close_visit(path, revision=revision, closed_at=closed_at, again=again)
        try:
            async with asyncio.timeout(wait):
                await adapter.flush()
        except TimeoutError:
            return receipt, False
        return receipt, True


def explain(error: HisError) -> str:
    """The error for the person at the terminal, in both languages."""
    where = f" ({error.where})" if error.where else ""
    return f"{error.code}{where}\n{error.message_vi} {error.mend_vi}\n{error.message_en} {error.mend_en}"


def _answer(document: dict[str, Any], output: str) -> None:
    if output == "json":
        emit_json(document)
        return
    for name, value in document.items():
        click.echo(f"{name}: {str(value).lower() if isinstance(value, bool) else value}")
    if document.get("repeated") and not document["sent_again"]:
        say("handed over before with exactly these bytes: nothing new was sent")
