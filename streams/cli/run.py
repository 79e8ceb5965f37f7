"""`healthbook run`: the whole system on this machine, until Ctrl-C."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence

import asyncpg
import click

from infra.embedded.failure import HomeBusy, PartFailed
from infra.embedded.home import read_addresses
from streams.adapters.topic_admin import TopicRefusedError
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_rows, fail, say
from streams.config import Settings
from streams.runtime.system import System, running
from streams.simulators import demonstration
from streams.simulators.demonstration import HandedOver, Progress

_COLUMNS = ("#", "facility", "visit", "handed over as", "should end", "ended", "receipt", "seconds")


@click.command("run")
@click.option("--once", is_flag=True, help="Ends after the summary: exit 0 when every sample ended as it should.")
@click.option("--samples/--no-samples", default=True, show_default=True, help="Hand invented visits over.")
@click.option(
    "--wait",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Most seconds until every sample has its outcome.",
)
def run(once: bool, samples: bool, wait: float) -> None:
    """Starts Kafka, PostgreSQL, the registry, the simulators and every process of the bus; hands samples over.

    With HEALTHBOOK_GATEWAY_URL set there are no simulators and no samples: invented visits are not for a real gateway.
    Exit 1 when a sample did not end as it should, 3 when a part cannot run.
    """
    settings = settings_or_fail()
    if once and not samples:
        raise click.UsageError("--once ends after the samples: it cannot go with --no-samples")
    if settings.gateway_url and once:
        fail(
            "--once hands invented visits over, and HEALTHBOOK_GATEWAY_URL names a gateway that is not ours.",
            Exit.USAGE,
        )
    try:
        well = asyncio.run(_run(settings, once=once, samples=samples and not settings.gateway_url, wait=wait))
    except (PartFailed, HomeBusy, TopicRefusedError) as failure:
        fail(str(failure), Exit.UNREACHABLE)
    raise SystemExit(int(Exit.DONE if well else Exit.NO))


async def _run(settings: Settings, *, once: bool, samples: bool, wait: float) -> bool:
    work = asyncio.create_task(_until_stopped(settings, once=once, samples=samples, wait=wait))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        say("Stopped.")
        return not once


async def _until_stopped(settings: Settings, *, once: bool, samples: bool, wait: float) -> bool:
    started = time.monotonic()
    others = {} if settings.gateway_url else demonstration.prepare(settings)
    say("Starting; the first time on a machine this downloads Kafka and the registry.")
    async with running(settings, others) as system:
        say(f"Everything runs after {time.monotonic() - started:.0f} s.")
        well = await _demonstrate(system, wait) if samples else True
        if not once:
            _tell_addresses(system)
            await asyncio.Event().wait()
    return well


async def _demonstrate(system: System, wait: float) -> bool:
    handed = await asyncio.to_thread(demonstration.hand_over, system.home)
    say(f"{len(handed)} visits of {len({item.sample.facility for item in handed})} invented facilities handed over.")
    seen: list[Progress] = [Progress(item) for item in handed]

    def tell(found: Sequence[Progress]) -> None:
        seen[:] = found
        counts = Counter(item.stage for item in found)
        say("  " + " · ".join(f"{number} {stage}" for stage, number in sorted(counts.items())))

    async with asyncpg.create_pool(system.settings.database_url, min_size=1, max_size=2) as pool:
        try:
            async with asyncio.timeout(wait):
                await demonstration.follow(pool, handed, tell)
        except TimeoutError:
            say(f"Not every visit had its outcome after {wait:.0f} s: `healthbook visit show` tells where it is.")
    emit_rows([_row(item) for item in seen], _COLUMNS, "table")
    wrong = [item for item in seen if not item.as_expected]
    say(f"{len(seen) - len(wrong)} of {len(seen)} visits ended as they should.")
    return not wrong


def _row(item: Progress) -> dict[str, object]:
    handed: HandedOver = item.handed_over
    return {
        "#": handed.number,
        "facility": handed.sample.facility,
        "visit": handed.sample.ma_lk,
        "handed over as": handed.name,
        "should end": str(handed.sample.expected),
        "ended": item.outcome or f"not yet ({item.stage})",
        "receipt": item.receipt,
        "seconds": None if item.seconds is None else f"{item.seconds:.1f}",
    }


def _tell_addresses(system: System) -> None:
    running = read_addresses(system.home)
    addresses = {
        "Kafka": system.settings.kafka_bootstrap_servers,
        "Registry": system.settings.schema_registry_url,
        "Gateway": system.settings.gateway_url,
        "Console": f"http://{system.settings.console_host}:{system.settings.console_port}/",
        "Prometheus": running.get("prometheus"),
        "Alertmanager": running.get("alertmanager"),
    }
    for name, address in addresses.items():
        say(f"{name:<13} {address or 'not there yet; `healthbook status` tells'}")
    say(f"All addresses and processes: healthbook status. Logs: {system.home / 'log'}.")
    inboxes = demonstration.inbox(system.home, "FACILITY")
    say(f"Put dossiers of your own into {inboxes}; `healthbook dossier new` makes some.")
    say("Ctrl-C ends it.")
