"""The client of the schema registry on a real one: what is refused, what is unknown, and what passes by itself."""

import copy
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import schemas
from events.contracts import incompatible, versions
from events.registry import (
    IncompatibleSchemaError,
    Registry,
    RegistryUnreachableError,
    Schema,
    UnknownSchemaError,
    load_schema,
)
from events.topics import TOPICS, Topic, topic_named
from infra.embedded.parts import Parts

ENTRY = topic_named("health-book.entry.v1")


@pytest.fixture
async def registry(schema_registry: str) -> AsyncIterator[Registry]:
    async with Registry(schema_registry) as opened:
        yield opened


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Schema], None]:
    """Declares a schema under a topic of the test's own, as if it lay in schemas/avro."""
    (tmp_path / "avro").mkdir()

    def write(topic: str, schema: Schema) -> None:
        (tmp_path / "avro" / f"{topic}.avsc").write_text(json.dumps(schema), encoding="utf-8")
        monkeypatch.setattr(schemas, "ROOT", tmp_path)

    return write


def add_required(schema: Any) -> None:
    schema["fields"].append({"name": "more", "type": "string"})


def add_optional(schema: Any) -> None:
    schema["fields"].append({"name": "more", "type": ["null", "string"], "default": None})


def remove(schema: Any) -> None:
    del schema["fields"][-2]


def rename(schema: Any) -> None:
    schema["fields"][0]["name"] += "Renamed"


def another_type(schema: Any) -> None:
    schema["fields"][0]["type"] = "long"


CHANGES = [add_required, add_optional, remove, rename, another_type]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
async def test_the_registry_refuses_what_the_offline_check_refuses(
    topic: Topic,
    change: Callable[[Any], None],
    registry: Registry,
    declare: Callable[[str, Schema], None],
    unique: Callable[[str], str],
) -> None:
    releases = versions(topic.name)
    changed = copy.deepcopy(releases[-1])
    change(changed)
    name = unique(topic.name)
    for release in releases:
        declare(name, release)
        await registry.register(name, topic.compatibility)
    declare(name, changed)
    if [*incompatible(topic, [*releases, changed])]:
        with pytest.raises(IncompatibleSchemaError):
            await registry.register(name, topic.compatibility)
    else:
        assert await registry.register(name, topic.compatibility) > 0


async def test_registering_again_gives_the_same_id_and_the_schema_by_its_id(
    registry: Registry, declare: Callable[[str, Schema], None], unique: Callable[[str], str]
) -> None:
    name, schema = unique(ENTRY.name), load_schema(ENTRY.name)
    declare(name, schema)
    first = await registry.register(name, ENTRY.compatibility)
    assert await registry.register(name, ENTRY.compatibility) == first
    assert await registry.id_of(name) == first
    assert await registry.schema(first) == schema


async def test_what_it_does_not_have_is_unknown(
    registry: Registry, declare: Callable[[str, Schema], None], unique: Callable[[str], str]
) -> None:
    name = unique(ENTRY.name)
    declare(name, load_schema(ENTRY.name))
    with pytest.raises(UnknownSchemaError):
        await registry.id_of(name)
    with pytest.raises(UnknownSchemaError):
        await registry.schema(2**31 - 1)


async def test_no_answer_is_no_verdict() -> None:
    async with Registry("http://127.0.0.1:9/apis/ccompat/v7") as registry:
        with pytest.raises(RegistryUnreachableError):
            await registry.id_of(ENTRY.name)


async def test_ids_survive_a_crash_of_the_registry(private_parts: Parts) -> None:
    async with Registry(private_parts.addresses.schema_registry) as before:
        schema_id = await before.register(ENTRY.name, ENTRY.compatibility)
        await private_parts.kill("registry")
        with pytest.raises(RegistryUnreachableError):
            await before.id_of(ENTRY.name)
        await private_parts.restart("registry")
        assert await before.id_of(ENTRY.name) == schema_id
    async with Registry(private_parts.addresses.schema_registry) as after:
        assert await after.schema(schema_id) == load_schema(ENTRY.name)


async def test_the_first_question_after_a_crash_of_its_database_is_answered(private_parts: Parts) -> None:
    """Apicurio answers 500 once for each connection that died with PostgreSQL: our callers see none of them."""
    async with Registry(private_parts.addresses.schema_registry) as registry:
        schema_id = await registry.register(ENTRY.name, ENTRY.compatibility)
        await private_parts.kill("postgres")
        await private_parts.restart("postgres")
        assert await registry.id_of(ENTRY.name) == schema_id


async def test_server_errors_are_asked_again_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that is broken for good, which the real one is not: every answer is 500."""
    asked = 0

    async def broken(_request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=500)

    monkeypatch.setattr("events.registry._PATIENCE", 0.2)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", broken)
    async with TestServer(app) as server, Registry(str(server.make_url("/"))) as registry:
        with pytest.raises(RegistryUnreachableError, match="500"):
            await registry.id_of(ENTRY.name)
    assert asked > 1
