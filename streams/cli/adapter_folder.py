"""`healthbook adapter folder`: hands over what a HIS puts into a folder."""

import asyncio
import contextlib
import signal
from pathlib import Path

import click

from events.his import Adapter, HisError
from events.his.folder import Counts, FolderAdapter
from events.his.report import Report
from streams.cli.output import Exit, emit_json, fail, output_option, say
from streams.cli.visit_close import explain
from streams.config import load


@click.command("folder")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--facility", required=True, help="MA_CSKCB of the facility whose visits these are, 5 characters.")
@click.option("--once", is_flag=True, help="Ends when everything in the inbox is in done/ or failed/.")
@click.option("--poll", type=click.FloatRange(min=0.05), default=1.0, show_default=True, help="Seconds between looks.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=60.0, show_default=True, help="With --once: most seconds."
)
@click.option("--spool", type=click.Path(file_okay=False, path_type=Path), help="Spool folder.  [default: below home]")
@output_option
def adapter_folder(
    folder: Path, facility: str, once: bool, poll: float, wait: float, spool: Path | None, output: str
) -> None:
    """Watches DIR/inbox; each item ends in DIR/done or DIR/failed with a report beside it.

    Exit with --once: 0 everything is in done/, 1 something is in failed/, 3 the broker did not take all in time (the
    rest stays in DIR/work and in the spool, and goes on with the next start).
    """
    settings = load()
    place = spool or settings.home / "spool" / facility
    try:
        his = Adapter(facility, place, settings.kafka_bootstrap_servers, settings.schema_registry_url)
        counts, trouble = asyncio.run(_watch(folder, his, once, poll, wait if once else None))
    except HisError as error:
        fail(explain(error), Exit.NO)
    except OSError as error:
        fail(f"{folder}: {error.strerror}. Name a folder that this user may write.", Exit.NO)
    if output == "json":
        emit_json({"facility": facility, "done": counts.done, "failed": counts.failed, "waiting": counts.waiting})
    else:
        click.echo(f"done {counts.done}, failed {counts.failed}, waiting {counts.waiting}")
    if once and counts.waiting:
        fail(f"not everything is on the bus after {wait:g} s: {trouble or 'BUS_AWAY'}", Exit.UNREACHABLE)
    if once and counts.failed:
        raise SystemExit(int(Exit.NO))


async def _watch(folder: Path, his: Adapter, once: bool, poll: float, wait: float | None) -> tuple[Counts, str | None]:
    async with his:
        watcher = FolderAdapter(folder, his, _tell)
        say(f"watching {folder / 'inbox'} for facility {his.facility}")
        task = asyncio.create_task(watcher.run(poll, once=once))
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers; Ctrl-C works there as well
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        done, _ = await asyncio.wait([task], timeout=wait)
        task.cancel()
        await asyncio.wait([task])
        if done and not task.cancelled():
            task.result()
        return watcher.counts, his.trouble


def _tell(report: Report) -> None:
    if report.error is not None:
        say(f"failed: {report.error.code}")
    else:
        say(f"on the bus: {report.facility}|{report.ma_lk} revision {report.revision}")
