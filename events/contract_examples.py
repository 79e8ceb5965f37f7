"""Synthetic examples beside the schemas: written by one version, read by the present one for ever."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any, Self

import fastavro

from events.registry import Schema
from events.serde import from_record, to_record


@dataclass(frozen=True, slots=True)
class Example:
    """A record and the newest version of the schema that writes exactly this text."""

    record: Any
    writer: Schema

    @classmethod
    def read(cls, text: str, versions: Sequence[Schema]) -> Self:
        """`text` is one event in Avro's JSON encoding. Raises LookupError with what the newest version says to it."""
        complaint = "no version of the schema"
        for version in reversed(versions):
            try:
                wanted = json.loads(text)
                record: Any = next(fastavro.json_reader(StringIO(json.dumps(wanted)), version))
                written = StringIO()
                fastavro.json_writer(written, version, [_through(version, version, record)])
            except Exception as error:  # noqa: BLE001 - fastavro raises anything; examples are synthetic, so quote it
                problem = f"{type(error).__name__}: {error}"
            else:
                if json.loads(written.getvalue()) == wanted:
                    return cls(record, version)
                problem = "a field that the schema does not have, or one that is left out"
            complaint = problem if version is versions[-1] else complaint
        raise LookupError(complaint)

    def as_read_by(self, reader: Schema) -> Any:
        """The record after the way over the wire to a reader of another version."""
        return _through(self.writer, reader, self.record)

    def survives(self, event: type, present: Schema) -> bool:
        """Whether it becomes the dataclass, and the dataclass written and read again is the same."""
        first: Any = from_record(event, self.as_read_by(present))
        return bool(from_record(event, _through(present, present, to_record(first))) == first)


def _through(writer: Schema, reader: Schema, record: Any) -> Any:
    body = BytesIO()
    fastavro.schemaless_writer(body, writer, record)
    return fastavro.schemaless_reader(BytesIO(body.getvalue()), writer, reader)


Branch = tuple[str, str]
"""Field as `Record.field`, and `null`, `a value`, `no item` or `an item`: what a reader has to be prepared for."""


def uncovered(schema: Schema, records: Iterable[Any]) -> list[Branch]:
    """Branches of optional fields and lists that no record takes."""
    named: dict[str, Any] = {}
    wanted = dict.fromkeys(branch for branch, _ in _walk(schema, None, named))
    taken = {branch for record in records for branch, is_taken in _walk(schema, record, named) if is_taken}
    return [branch for branch in wanted if branch not in taken]


def _walk(schema: Any, value: Any, named: dict[str, Any]) -> Iterator[tuple[Branch, bool]]:
    """Every branch below a record's schema, and whether this value takes it; with value None, the schema alone."""
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    if not isinstance(schema, dict) or schema["type"] != "record":
        return
    seen = schema["name"] in named
    named[schema["name"]] = schema
    if seen and value is None:
        return
    for field in schema["fields"]:
        yield from _field(f"{schema['name']}.{field['name']}", field, value, named)


def _field(place: str, field: Any, record: Any, named: dict[str, Any]) -> Iterator[tuple[Branch, bool]]:
    known, value, kind = record is not None, record[field["name"]] if record is not None else None, field["type"]
    if isinstance(kind, list):
        kind = kind[1]
        yield (place, "null"), known and value is None
        yield (place, "a value"), value is not None
    if isinstance(kind, dict) and kind["type"] == "array":
        yield (place, "no item"), known and not value
        yield (place, "an item"), bool(value)
        for item in value or [None]:
            yield from _walk(kind["items"], item, named)
    else:
        yield from _walk(kind, value, named)
