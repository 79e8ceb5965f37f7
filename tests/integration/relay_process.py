"""A relay in a process of its own, so that a test can kill it: relay_process.py DATABASE KAFKA TOPIC PARTITIONS."""

import asyncio
import sys

import asyncpg

from events.topics import Topic
from events.visit import VisitHeld
from streams.adapters import relay


async def main(database: str, kafka: str, name: str, partitions: int) -> None:
    topic = Topic(name, VisitHeld, "forward", partitions, None, 1024 * 1024, outbox=True)
    setattr(relay, "OUTBOX_TOPICS", (topic,))  # noqa: B010 - the test's own topic in place of the product's
    async with asyncpg.create_pool(database, min_size=1, max_size=12) as pool:
        await relay.Relay(pool, kafka).run()


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
