"""Schemas from the registry, and Avro in Confluent's wire format, as any client would do it."""

import asyncio
import io
import json
import struct
from collections.abc import Sequence
from typing import Any

import aiohttp
import fastavro
import structlog

log = structlog.get_logger()

_PREFIX = struct.Struct(">bI")
_ID_HEADER = "__value_schema_id"
_PAUSE = 0.5


class ForeignValueError(ValueError):
    """Bytes that are not Avro with a schema of this registry."""


class Registry:
    """Waits while the registry is away: without schemas nothing can be shown, and nothing must be skipped."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._schemas: dict[int, Any] = {}

    async def decode(self, value: bytes, headers: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
        """A record's value by the schema its writer registered. Raises ForeignValueError."""
        schema_id, body = _split(value, headers)
        if schema_id not in self._schemas:
            answer = await self._get(f"/schemas/ids/{schema_id}")
            if answer is None:
                raise ForeignValueError("unknown schema id")
            self._schemas[schema_id] = fastavro.parse_schema(json.loads(answer["schema"]))
        try:
            record: Any = fastavro.schemaless_reader(io.BytesIO(body), self._schemas[schema_id], None)
        except Exception:  # noqa: BLE001 - fastavro raises anything on foreign bytes
            raise ForeignValueError("not Avro of that schema") from None
        if not isinstance(record, dict):
            raise ForeignValueError("not a record")
        return record

    async def latest(self, subject: str) -> "Writer":
        """A writer by the newest schema of a subject; waits until there is one."""
        while (answer := await self._get(f"/subjects/{subject}/versions/latest")) is None:
            log.info("no schema yet", subject=subject)
            await asyncio.sleep(_PAUSE)
        return Writer(int(answer["id"]), fastavro.parse_schema(json.loads(answer["schema"])))

    async def _get(self, path: str) -> Any:
        """The answer; None when the registry has nothing there."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                try:
                    async with session.get(self._url + path) as answer:
                        if answer.status == 404:
                            return None
                        answer.raise_for_status()
                        return json.loads(await answer.read())
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    log.warning("registry away", error=type(error).__name__)
                    await asyncio.sleep(_PAUSE)


class Writer:
    """Writes values of one schema."""

    def __init__(self, schema_id: int, schema: Any) -> None:
        self._prefix = _PREFIX.pack(0, schema_id)
        self._schema = schema

    def encode(self, record: dict[str, Any]) -> bytes:
        body = io.BytesIO()
        body.write(self._prefix)
        fastavro.schemaless_writer(body, self._schema, record)
        return body.getvalue()


def _split(value: bytes, headers: Sequence[tuple[str, bytes]]) -> tuple[int, bytes]:
    for name, content in headers:
        if name == _ID_HEADER and len(content) == _PREFIX.size:
            return int(_PREFIX.unpack(content)[1]), value
    if len(value) < _PREFIX.size or value[0] != 0:
        raise ForeignValueError("no schema id")
    return int(_PREFIX.unpack_from(value)[1]), value[_PREFIX.size :]
