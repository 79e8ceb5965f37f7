"""Schema registry: the REST interface of Confluent, as Apicurio's `/apis/ccompat/v7` speaks it too.

Only what the bus needs (register, read by id, compatibility) on the HTTP client that every process has anyway.
"""

import asyncio
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

import schemas

Schema = dict[str, Any]
_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)

# After a crash of its database Apicurio answers 500 once for each dead connection of its pool (20, measured), and each
# such answer drops one. So the cure is to ask again at once, for as long as dropping them all may take.
_PATIENCE = 5.0
_PAUSE = 0.05


class RegistryUnreachableError(Exception):
    """No answer, or a server error: try again later."""


class UnknownSchemaError(LookupError):
    """The registry answered that it has no such schema."""


class IncompatibleSchemaError(Exception):
    """The registry refused a schema because readers of an earlier version could no longer read (error 409)."""


def schema_file(topic: str) -> Path:
    """The Avro file of a topic: `schemas/avro/<topic>.avsc`."""
    return schemas.ROOT / "avro" / f"{topic}.avsc"


def load_schema(topic: str) -> Schema:
    """The declared Avro schema of a topic."""
    schema: Schema = json.loads(schema_file(topic).read_text(encoding="utf-8"))
    return schema


def canonical(schema: Schema) -> str:
    """The one string under which a schema is registered: other spacing would get another id."""
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


class Registry:
    """Client for one registry; caches what can never change (a schema by its id)."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._by_id: dict[int, Schema] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def schema(self, schema_id: int) -> Schema:
        """The schema with this id. Raises UnknownSchemaError, RegistryUnreachableError."""
        if schema_id not in self._by_id:
            answer = await self._call("GET", f"/schemas/ids/{schema_id}")
            self._by_id[schema_id] = json.loads(answer["schema"])
        return self._by_id[schema_id]

    async def id_of(self, topic: str) -> int:
        """The id under which the declared schema of `topic` is registered. Raises UnknownSchemaError."""
        answer = await self._call("POST", f"/subjects/{topic}-value", {"schema": canonical(load_schema(topic))})
        return int(answer["id"])

    async def register(self, topic: str, compatibility: str) -> int:
        """Registers the declared schema and sets the rule for later ones. Raises IncompatibleSchemaError."""
        subject = f"{topic}-value"
        await self._call("PUT", f"/config/{subject}", {"compatibility": compatibility})
        answer = await self._call("POST", f"/subjects/{subject}/versions", {"schema": canonical(load_schema(topic))})
        return int(answer["id"])

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        """Asks again while the registry fails; all calls are idempotent."""
        patience = time.monotonic() + _PATIENCE
        while True:
            status, content = await self._answer(method, path, body)
            if status < 500 or time.monotonic() > patience:
                break
            await asyncio.sleep(_PAUSE)
        if status == 404:
            raise UnknownSchemaError(f"schema registry has nothing at {path}")
        if status in (409, 422):
            raise IncompatibleSchemaError(f"schema registry refused {method} {path} with {status}")
        if status >= 400:
            raise RegistryUnreachableError(f"schema registry answered {status} to {method} {path}")
        return json.loads(content)

    async def _answer(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        if self._session is None:
            raise RuntimeError("use `async with Registry(...)`")
        try:
            async with self._session.request(method, self._url + path, json=body) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RegistryUnreachableError(f"schema registry does not answer: {type(error).__name__}") from error
