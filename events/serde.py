"""Bytes ⇄ event: Avro in Confluent's wire format (magic 0, schema id of 4 bytes, Avro body).

Written that way only; read also with the schema id in the header `__value_schema_id`, as newer Confluent clients
write it. A field `ma_lk` of a dataclass is `maLk` in Avro.
"""

import struct
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from io import BytesIO
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import fastavro

from events.registry import Registry, Schema, UnknownSchemaError, load_schema

T = TypeVar("T")

MAGIC = 0
SCHEMA_ID_HEADER = "__value_schema_id"
_PREFIX = struct.Struct(">bI")


class UndecodableError(ValueError):
    """The bytes are no event: `reason` is `NO_VALUE`, `NOT_AVRO` or `UNKNOWN_SCHEMA_ID`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Serde:
    """Encodes and decodes the events of the bus; knows the registry only to look ids up."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._ids: dict[str, int] = {}
        self._writers: dict[int, Any] = {}
        self._readers: dict[tuple[int, type], Any] = {}

    async def prepare(self, *events: type) -> None:
        """Looks up the schema ids of the events that this process will write. Raises UnknownSchemaError."""
        for event in events:
            topic = _topic(event)
            self._ids[topic] = await self._registry.id_of(topic)

    def encode(self, event: Any) -> bytes:
        """Value of the record. `prepare` must have seen the event's type. The same event gives the same bytes."""
        topic = _topic(type(event))
        body = BytesIO()
        body.write(_PREFIX.pack(MAGIC, self._ids[topic]))
        fastavro.schemaless_writer(body, parsed_schema(topic), to_record(event))
        return body.getvalue()

    async def decode(self, event: type[T], value: bytes | None, headers: Iterable[tuple[str, bytes | None]] = ()) -> T:
        """The event in a record. Raises UndecodableError, RegistryUnreachableError.

        A class that knows fewer fields than its topic has (`EntryVersion`) costs less: the others are skipped.
        """
        if not value:
            raise UndecodableError("NO_VALUE")
        schema_id, body = _split(value, headers)
        writer = await self._writer(schema_id)
        if (schema_id, event) not in self._readers:
            reader = _reader_schema(event)
            self._readers[schema_id, event] = None if writer == reader else reader
        try:
            record: Any = fastavro.schemaless_reader(BytesIO(body), writer, self._readers[schema_id, event])
            return from_record(event, record)
        except Exception:  # noqa: BLE001 - fastavro raises anything on foreign bytes; none of it may quote them
            raise UndecodableError("NOT_AVRO") from None

    async def _writer(self, schema_id: int) -> Any:
        if schema_id not in self._writers:
            try:
                schema = await self._registry.schema(schema_id)
            except UnknownSchemaError:
                raise UndecodableError("UNKNOWN_SCHEMA_ID") from None
            self._writers[schema_id] = fastavro.parse_schema(schema)
        return self._writers[schema_id]


def _split(value: bytes, headers: Iterable[tuple[str, bytes | None]]) -> tuple[int, bytes]:
    for name, content in headers:
        if name == SCHEMA_ID_HEADER and content is not None and len(content) == _PREFIX.size and content[0] == MAGIC:
            return int.from_bytes(content[1:]), value
    if len(value) < _PREFIX.size or value[0] != MAGIC:
        raise UndecodableError("NOT_AVRO")
    return int.from_bytes(value[1 : _PREFIX.size]), value[_PREFIX.size :]


def _topic(event: type) -> str:
    return str(event.topic)  # type: ignore[attr-defined]


@cache
def parsed_schema(topic: str) -> Schema:
    """The declared schema of a topic, ready for fastavro."""
    return cast(Schema, fastavro.parse_schema(load_schema(topic)))


def _reader_schema(event: type) -> Schema:
    """The topic's schema without the fields that the class does not know."""
    schema = load_schema(_topic(event))
    known = {name for _, name in _names(event)}
    kept = [field for field in schema["fields"] if field["name"] in known]
    return cast(Schema, fastavro.parse_schema({**schema, "fields": kept}))


def camel(name: str) -> str:
    """`ma_lk` → `maLk`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def to_record(value: Any) -> Any:
    """A dataclass as Avro sees it: a dict with camelCase names, tuples as lists, enums as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: to_record(getattr(value, attribute)) for attribute, name in _names(type(value))}
    if isinstance(value, tuple):
        return [to_record(item) for item in value]
    return value.value if isinstance(value, Enum) else value


@cache
def _names(kind: type) -> tuple[tuple[str, str], ...]:
    return tuple((item.name, camel(item.name)) for item in fields(kind))


def from_record(kind: type[T], record: Mapping[str, Any]) -> T:
    """The dataclass of an Avro record; the types of its fields say how to read each."""
    return kind(**{attribute: read(record[name]) for attribute, name, read in _readers(cast(Hashable, kind))})


@cache
def _readers(kind: Any) -> tuple[tuple[str, str, Callable[[Any], Any]], ...]:
    hints = get_type_hints(kind)
    return tuple((attribute, name, _reader(hints[attribute])) for attribute, name in _names(kind))


def _reader(hint: Any) -> Callable[[Any], Any]:
    if get_origin(hint) in (Union, UnionType):
        (inner,) = [_reader(option) for option in get_args(hint) if option is not NoneType]
        return lambda value: None if value is None else inner(value)
    if get_origin(hint) is tuple:
        item = _reader(get_args(hint)[0])
        return lambda value: tuple(item(element) for element in value)
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda value: from_record(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return _same


def _same(value: Any) -> Any:
    return value
