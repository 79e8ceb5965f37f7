"""Does an Avro schema mirror its frozen dataclass: the same fields in the same order, of the same types?"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from events.serde import camel

_WORDS: dict[Any, tuple[str, ...]] = {
    str: ("string",),
    bytes: ("bytes",),
    bool: ("boolean",),
    int: ("long", "int"),
    datetime: ("long timestamp-millis",),
    date: ("int date",),
}
"""A type of Python, and how Avro may say it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`field` is the path in Avro's names, such as `visit.drugs[].day`."""

    field: str
    expected: str
    found: str


def differences(event: type, schema: Any) -> list[Difference]:
    """Where the schema says something else than the dataclass."""
    return [*_Mirror().compare("", event, schema)]


class _Mirror:
    """A named type is spelled out once in a schema and referred to afterwards."""

    def __init__(self) -> None:
        self._named: dict[str, Any] = {}

    def compare(self, path: str, hint: Any, schema: Any) -> Iterator[Difference]:
        schema = self._spelled_out(schema)
        if get_origin(hint) in (Union, UnionType):
            (hint,) = [option for option in get_args(hint) if option is not NoneType]
            if not (isinstance(schema, list) and len(schema) == 2 and schema[0] == "null"):
                yield Difference(path, '["null", …] for what may be None', _word(schema))
                return
            yield from self.compare(path, hint, schema[1])
        elif is_dataclass(hint) and isinstance(hint, type):
            yield from self._record(path, hint, schema)
        elif get_origin(hint) is tuple:
            if _word(schema) != "array":
                yield Difference(path, "array", _word(schema))
                return
            yield from self.compare(f"{path}[]", get_args(hint)[0], schema["items"])
        elif isinstance(hint, type) and issubclass(hint, Enum):
            wanted = f"enum {hint.__name__} of {', '.join(member.value for member in hint)}"
            if _word(schema) != wanted:
                yield Difference(path, wanted, _word(schema))
        elif _word(schema) not in _WORDS[hint]:
            yield Difference(path, " or ".join(_WORDS[hint]), _word(schema))

    def _record(self, path: str, kind: type, schema: Any) -> Iterator[Difference]:
        if _word(schema) != f"record {kind.__name__}":
            yield Difference(path, f"record {kind.__name__}", _word(schema))
            return
        hints = get_type_hints(kind)
        wanted = {camel(item.name): hints[item.name] for item in fields(kind)}
        found = {item["name"]: item for item in schema["fields"]}
        if list(found) != list(wanted):
            missing = f"field {', '.join(wanted.keys() - found.keys())}" if wanted.keys() - found.keys() else ""
            foreign = f"field {', '.join(found.keys() - wanted.keys())}" if found.keys() - wanted.keys() else ""
            order = "" if missing or foreign else f"in this order: {', '.join(wanted)}"
            yield Difference(
                path, missing or order or "no other field", foreign or "another order" if order else foreign
            )
            return
        for name, hint in wanted.items():
            place = f"{path}.{name}" if path else name
            yield from self.compare(place, hint, found[name]["type"])
            if isinstance(found[name]["type"], list) and found[name].get("default", ...) is not None:
                yield Difference(
                    place, '"default": null for what may be None', _word(found[name].get("default", "none"))
                )

    def _spelled_out(self, schema: Any) -> Any:
        if isinstance(schema, dict) and "name" in schema:
            self._named[schema["name"]] = schema
        return self._named.get(schema, schema) if isinstance(schema, str) else schema


def _word(schema: Any) -> str:
    """A type in short: `record Person`, `enum State of A, B`, `long timestamp-millis`."""
    if isinstance(schema, list):
        return f"union of {', '.join(map(_word, schema))}"
    if not isinstance(schema, dict):
        return str(schema)
    kind = str(schema["type"])
    if kind == "enum":
        return f"enum {schema['name']} of {', '.join(schema['symbols'])}"
    extra = schema.get("name") or schema.get("logicalType")
    return f"{kind} {extra}" if extra else kind
