"""Real parts for the tests that need them: the addresses given in HEALTHBOOK_*, else a set started once a session.

A test shares the broker and the registry politely, under names of its own (`unique`); it gets a database for itself.
"""

import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import settings

from infra.embedded.parts import Addresses, Parts

REPOSITORY = Path(__file__).parent.parent
DOWNLOADS = Path(os.environ.get("HEALTHBOOK_PARTS", REPOSITORY / "var" / "parts"))
GIVEN = {
    "kafka": "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS",
    "database": "HEALTHBOOK_DATABASE_URL",
    "schema_registry": "HEALTHBOOK_SCHEMA_REGISTRY_URL",
}
MIGRATIONS = REPOSITORY / "infra" / "postgres"
settings.register_profile("thorough", deadline=None)  # pytest --hypothesis-profile=thorough


@pytest.fixture(scope="session")
def downloads() -> Path:
    """The folder of the jars, shared by all homes that tests make."""
    return DOWNLOADS


@contextmanager
def new_home() -> Iterator[Path]:
    """A home for parts. Not under pytest's folders: PostgreSQL's user must be able to enter it."""
    with tempfile.TemporaryDirectory(prefix="healthbook-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
async def private_parts() -> AsyncIterator[Parts]:
    """Parts of one module alone, for tests that kill and restart one; each test leaves them running.

    Never those of the session: a part that does not come back must fail its own tests and no others.
    """
    with new_home() as home:
        parts = Parts(home, downloads=DOWNLOADS)
        async with parts:
            yield parts


@pytest.fixture(scope="session")
async def session_parts() -> AsyncIterator[Addresses]:
    """Parts of this session, started when a test first needs them."""
    with new_home() as home:
        async with Parts(home, downloads=DOWNLOADS) as addresses:
            yield addresses


@pytest.fixture(scope="session")
def parts(request: pytest.FixtureRequest) -> Addresses:
    """Addresses of Kafka, PostgreSQL and the registry: those of HEALTHBOOK_*, the session's own for the rest."""
    given = {field: os.environ[name] for field, name in GIVEN.items() if os.environ.get(name)}
    if given.keys() == GIVEN.keys():
        return Addresses(**given)
    own: Addresses = request.getfixturevalue("session_parts")
    return replace(own, **given)


@pytest.fixture(scope="session")
def kafka(parts: Addresses) -> str:
    """Bootstrap servers."""
    return parts.kafka


@pytest.fixture(scope="session")
def schema_registry(parts: Addresses) -> str:
    """Base URL of the Confluent-compatible API."""
    return parts.schema_registry


@pytest.fixture
def unique() -> Callable[[str], str]:
    """`unique("visit.closed.v1")` → a topic, group, subject or transactional id that no other test uses."""
    return lambda stem: f"{stem}.{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
async def migrated_database(parts: Addresses) -> AsyncIterator[str]:
    """Name of a database with all migrations applied, to copy from: a copy takes a tenth of running them."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    await _execute(parts.database, f'create database "{name}"')
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        await _execute(_with_database(parts.database, name), migration.read_text(encoding="utf-8"))
    yield name
    await _execute(parts.database, f'drop database "{name}" with (force)')


@pytest.fixture
async def database_url(parts: Addresses, migrated_database: str) -> AsyncIterator[str]:
    """URL of a fresh, migrated database of this test's own."""
    async for url in _database(parts.database, template=migrated_database):
        yield url


@pytest.fixture
async def empty_database_url(parts: Addresses) -> AsyncIterator[str]:
    """URL of a fresh database with nothing in it, for tests of the migrations themselves."""
    async for url in _database(parts.database, template="template0"):
        yield url


async def _database(server: str, *, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await _execute(server, f'create database "{name}" template "{template}"')
    yield _with_database(server, name)
    await _execute(server, f'drop database "{name}" with (force)')


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
