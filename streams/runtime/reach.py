"""Whether Kafka, PostgreSQL and the registry can be reached from this process: a total stop is seen although the queues
that one could look at stand still with it.
"""

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

from streams.config import Settings
from streams.metrics import PART_REACHABLE

PATIENCE = 3.0
_DEFAULT_PORTS = {"postgres": 5432, "postgresql": 5432, "http": 80, "https": 443}

Address = tuple[str, int]


def parts_of(settings: Settings) -> dict[str, list[Address]]:
    """Where each part listens; of several addresses one is enough."""
    return {
        "kafka": [_split(f"kafka://{one}") for one in settings.kafka_bootstrap_servers.split(",") if one],
        "postgres": [_split(settings.database_url)] if settings.database_url else [],
        "registry": [_split(settings.schema_registry_url)] if settings.schema_registry_url else [],
    }


async def show_reachable(settings: Settings) -> None:
    """Knocks at each part and sets the metric: a connection says that it listens, and gives away nothing."""
    for part, addresses in parts_of(settings).items():
        PART_REACHABLE.labels(part).set(await _any_answers(addresses))


async def _any_answers(addresses: Iterable[Address]) -> bool:
    return any(await asyncio.gather(*(_answers(*address) for address in addresses)))


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return True


def _split(url: str) -> Address:
    found = urlsplit(url)
    return found.hostname or "localhost", found.port or _DEFAULT_PORTS.get(found.scheme, 9092)
