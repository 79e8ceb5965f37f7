"""`healthbook database migrate`: brings the tables up to date."""

import asyncio

import click

from streams.adapters import postgres
from streams.adapters.outbox import declare_shards
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, fail, output_option, say
from streams.errors import RetryLater


@click.command("migrate")
@output_option
def database_migrate(output: str) -> None:
    """Applies the migrations that are missing, each in its own order, once."""
    try:
        applied = asyncio.run(_migrate(settings_or_fail().database_url))
    except RetryLater as trouble:
        fail(str(trouble), Exit.UNREACHABLE)
    if output == "json":
        emit_json({"applied": applied})
    else:
        say("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")


async def _migrate(url: str) -> list[str]:
    pool = await postgres.connect(url, 2)
    try:
        applied = await postgres.migrate(pool)
        async with pool.acquire() as connection:
            await declare_shards(connection)
        return applied
    finally:
        await pool.close()
