"""`healthbook simulate vneid`: the display side of the health book in the foreground."""

import asyncio
import json
import os
import signal
from pathlib import Path

import click
import uvloop

from streams.cli.output import Exit, fail, say
from streams.config import ConfigError, load
from streams.simulators.vneid.behaviour import KINDS, FaultError, parse_faults
from streams.simulators.vneid.simulator import VneidSimulator
from streams.simulators.vneid.subscriber import Channels

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("vneid")
@click.option("--bootstrap", help="Kafka; default: the settings, else the system that runs in this home.")
@click.option("--registry", help="Schema registry, Confluent's REST interface; default likewise.")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same delays and faults.")
@click.option(
    "--delay", type=click.FloatRange(min=0), default=0.3, show_default=True, help="Median seconds until it is shown."
)
@click.option("--fault", "faults", multiple=True, metavar="NAME[=VALUE]", help=f"Repeatable: {', '.join(KINDS)}.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--state", type=_FILE, help="File that keeps what arrived and what was shown over a restart.")
@click.option("--ready-file", type=_FILE, help='Gets {"url": ...} once the simulator listens.')
def vneid(
    bootstrap: str | None,
    registry: str | None,
    seed: int,
    delay: float,
    faults: tuple[str, ...],
    host: str,
    port: int,
    state: Path | None,
    ready_file: Path | None,
) -> None:
    """VNeID as a subscriber sees the contract: shows each entry and acknowledges it."""
    try:
        settings = load()
        chosen = parse_faults(faults)
    except ConfigError as error:
        fail(str(error), Exit.USAGE)
    except FaultError as error:
        fail(str(error), Exit.USAGE)
    channels = Channels(bootstrap or settings.kafka_bootstrap_servers, registry or settings.schema_registry_url)
    if not channels.bootstrap or not channels.registry:
        fail("No system runs in this home: give --bootstrap and --registry, or `healthbook run`.", Exit.USAGE)

    async def serve() -> bool:
        simulator = VneidSimulator(
            channels, seed=seed, median_delay=delay, faults=chosen, state=state, host=host, port=port
        )
        return await _until_told_to_stop(simulator, ready_file)

    try:
        told = uvloop.run(serve())
    except OSError as error:
        fail(f"VNeID simulator: {error.strerror}", Exit.NO)
    if not told:
        fail("VNeID simulator: its subscriber ended unexpectedly; see the log above.", Exit.NO)


async def _until_told_to_stop(simulator: VneidSimulator, ready_file: Path | None) -> bool:
    """True when told; False when the subscriber ended by itself."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with simulator:
        if ready_file:
            await asyncio.to_thread(_announce, ready_file, simulator.url)
        say(f"VNeID simulator at {simulator.url}")
        waits = [asyncio.create_task(event.wait()) for event in (told, simulator.ended)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    return told.is_set()


def _announce(path: Path, url: str) -> None:
    """In one step: whoever waits for the file never reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"url": url}), encoding="utf-8")
    draft.replace(path)
