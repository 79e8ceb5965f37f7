"""`healthbook simulate gateway`: the BHXH gateway simulator in the foreground."""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import click
import uvloop

from streams.cli.output import Exit, fail, say
from streams.simulators.gateway.faults import KINDS, FaultError
from streams.simulators.gateway.journal import JournalError
from streams.simulators.gateway.registry import RegistryError
from streams.simulators.gateway.rules import PROFILES, RuleError
from streams.simulators.gateway.server import GatewaySimulator

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("gateway")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--seed", default=0, show_default=True, help="The same seed and order of requests give the same behaviour."
)
@click.option("--profile", type=click.Choice(list(PROFILES)), default="strict", show_default=True)
@click.option("--fault", "faults", multiple=True, metavar="NAME[=...]", help=f"Repeatable. Known: {', '.join(KINDS)}.")
@click.option(
    "--rule", "rules", multiple=True, metavar="NAME=VALUE", help="A switch, such as window=month+5. Repeatable."
)
@click.option("--accounts", type=_FOLDER, required=True, help="Folder with accounts.json and certificates.")
@click.option("--state", type=_FILE, help="File that keeps what was acknowledged over a restart.")
@click.option("--keep-bytes", type=_FOLDER, help="Folder that keeps the bytes received.")
@click.option("--ready-file", type=_FILE, help='Gets {"url": ...} once the gateway listens.')
@click.option("--test-mode/--no-test-mode", default=True, show_default=True, help="Serve /_sim.")
def gateway(
    host: str,
    port: int,
    seed: int,
    profile: str,
    faults: tuple[str, ...],
    rules: tuple[str, ...],
    accounts: Path,
    state: Path | None,
    keep_bytes: Path | None,
    ready_file: Path | None,
    test_mode: bool,
) -> None:
    """The BHXH gateway as far as it is known: judges signature, envelope and content, answers with its codes."""

    async def serve() -> None:
        simulator = GatewaySimulator(
            accounts,
            seed=seed,
            profile=profile,
            faults=faults,
            rules=_switches(rules),
            host=host,
            port=port,
            state=state,
            keep_bytes=keep_bytes,
            test_mode=test_mode,
        )
        await _until_told_to_stop(simulator, ready_file)

    try:
        uvloop.run(serve())
    except (RuleError, FaultError) as error:
        fail(str(error), Exit.USAGE)
    except (RegistryError, JournalError, OSError) as error:
        fail(str(error), Exit.NO)


def _switches(rules: Sequence[str]) -> dict[str, str]:
    return {name: value for name, _, value in (rule.partition("=") for rule in rules)}


async def _until_told_to_stop(simulator: GatewaySimulator, ready_file: Path | None) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with simulator:
        if ready_file:
            await asyncio.to_thread(_announce, ready_file, simulator.url)
        say(f"gateway simulator at {simulator.url}")
        await told.wait()


def _announce(path: Path, url: str) -> None:
    """In one step: whoever waits for the file never reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"url": url}))
    draft.replace(path)
