"""PostgreSQL: the pool, and plain numbered migrations (`infra/postgres/NNNN_name.sql`), each applied once."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncpg

import infra
from streams.errors import RetryLater

T = TypeVar("T")

MIGRATIONS = Path(infra.__file__).parent / "postgres"
_MIGRATION_LOCK = 0x4865616C7468  # any constant: two processes must not migrate at once

UNREACHABLE: tuple[type[BaseException], ...] = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # we were frozen for longer than a transaction may be silent
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last words reached an idle connection, which asyncpg then cannot use
    asyncpg.InsufficientResourcesError,  # disk, memory or connections have run out
    asyncpg.TransactionRollbackError,  # a deadlock, a serialization failure
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # it became a replica: the address will lead to another one
    asyncpg.UndefinedTableError,  # not migrated yet
    asyncpg.UndefinedColumnError,
    TimeoutError,
)
"""What may pass by itself, or by an operator's hand: it says nothing about the record that was being processed."""


async def connect(
    url: str, size: int = 8, idle: float = 30.0, name: str = "healthbook"
) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool of at most `size` connections. Raises RetryLater while the database is away.

    A process that is frozen in a transaction would keep its locks for ever: after `idle` seconds without a word, or of
    an answer that it does not take, the server ends the transaction. `name` is what `pg_stat_activity` shows.
    """
    milliseconds = str(round(idle * 1000))
    settings = {
        "application_name": name,
        "idle_in_transaction_session_timeout": milliseconds,
        "tcp_user_timeout": milliseconds,
        # Our statements read few rows. Beside a long backlog the planner takes them for expensive, and compiling one
        # costs 20 times what running it does.
        "jit": "off",
    }
    return await patiently(
        lambda: asyncpg.create_pool(
            url, min_size=1, max_size=size, command_timeout=60, timeout=10, server_settings=settings
        ),
        "database",
    )


async def patiently(work: Callable[[], Awaitable[T]], what: str) -> T:
    """Does `work`; what only means that the database is away becomes RetryLater."""
    try:
        return await work()
    except UNREACHABLE as error:
        raise RetryLater(f"{what} does not answer: {type(error).__name__}") from error


async def migrate(pool: "asyncpg.Pool[asyncpg.Record]") -> list[str]:
    """Applies the migrations that are missing, in order, each in its transaction; returns their names."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        await connection.execute(
            "create table if not exists migration (name text primary key, applied_at timestamptz default now())"
        )
        done = {row["name"] for row in await connection.fetch("select name from migration")}
        missing = [path for path in sorted(MIGRATIONS.glob("[0-9]*.sql")) if path.stem not in done]
        for path in missing:
            await connection.execute(path.read_text(encoding="utf-8"))
            await connection.execute("insert into migration (name) values ($1)", path.stem)
    return [path.stem for path in missing]
