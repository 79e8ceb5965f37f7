"""Locks 7 in a transaction, then reads without end: frozen_process.py DATABASE IDLE. A test freezes it."""

import asyncio
import sys

from streams.adapters import postgres


async def main(database: str, idle: float) -> None:
    async with (
        await postgres.connect(database, 1, idle, "frozen") as pool,
        pool.acquire() as connection,
        connection.transaction(),
    ):
        await connection.execute("select pg_advisory_xact_lock(7)")
        while True:
            await connection.fetch("select repeat('x', 1000000) from generate_series(1, 100)")


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
