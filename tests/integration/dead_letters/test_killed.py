"""`dlq redrive` killed between its writes: who and why are known of everything that happened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from events.topics import VISIT_CLOSED
from streams.adapters.dead_letters import DeadLetterTopics
from tests.support.commands import started
from tests.support.dead_letters import WHY, Bench, Command, at, closed, listed
from tests.support.eventually import eventually


@asynccontextmanager
async def killed_at(
    pool: "asyncpg.Pool[asyncpg.Record]", write: str, *command: object, **settings: str
) -> AsyncIterator[None]:
    """Runs a command that hangs in its `write` to dead_letter_act; it is killed when the block is left."""
    await pool.execute(
        "create or replace function stall() returns trigger language plpgsql as"
        " $$ begin perform pg_advisory_xact_lock(7); return new; end $$;"
        f"create trigger stall before {write} on dead_letter_act for each row execute function stall()"
    )
    async with pool.acquire() as other:
        await other.execute("select pg_advisory_lock(7)")
        process = await started(*command, **settings)

        async def hangs() -> bool:
            assert process.returncode is None
            return bool(await pool.fetchval("select 1 from pg_locks where locktype = 'advisory' and not granted"))

        await eventually(hangs, timeout=30)
        yield
        process.kill()
        await process.wait()
        # The server would finish the statement that it has already: the network is gone with the process.
        await other.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and not granted"
        )
        await other.execute("select pg_advisory_unlock_all()")
    await pool.execute("drop trigger stall on dead_letter_act")

    async def alone() -> bool:
        return not await pool.fetchval("select count(*) from pg_locks where locktype = 'advisory'")

    await eventually(alone, timeout=30)


async def test_killed_before_who_and_why_are_written_nothing_has_happened(
    bench: Bench,
    command: Command,
    kafka: str,
    database_url: str,
    visit: str,
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    event = closed(visit)
    letter = await bench.fall(event)
    parts = {"database_url": database_url, "kafka_bootstrap_servers": kafka}
    async with killed_at(pool, "insert", "dlq", "redrive", *at(letter), *WHY, **parts):
        async with DeadLetterTopics(kafka, [VISIT_CLOSED.name]) as topics:
            records = [item for item in await topics.letters() if item.key == event.key.encode()]
        assert len(records) == 1, "it is on its topic before anybody answers for it"
    (row,) = await listed(command, visit)
    assert (row["open"], row["done"]) == (True, [])


async def test_killed_before_it_is_known_that_the_broker_has_it_the_act_stands_there_and_may_be_repeated(
    bench: Bench,
    command: Command,
    kafka: str,
    database_url: str,
    visit: str,
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    letter = await bench.fall(closed(visit))
    bench.reader.broken.clear()
    parts = {"database_url": database_url, "kafka_bootstrap_servers": kafka}
    async with killed_at(pool, "update", "dlq", "redrive", *at(letter), *WHY, **parts):
        await bench.handles((visit, 1))  # it is on its topic
        beside = await command("dlq", "redrive", *at(letter), *WHY)
        assert (beside.code, "Somebody else" in beside.stderr) == (1, True)
    (row,) = await listed(command, visit)
    assert row["open"]
    assert [(act["actor"], act["confirmed"]) for act in row["done"]] == [("ngoc", False)]
    assert "not confirmed" in (await command("dlq", "list", "--topic", VISIT_CLOSED.name)).stdout
    assert (await command("dlq", "redrive", *at(letter), *WHY)).code == 0
    await bench.handles((visit, 1), (visit, 1))
