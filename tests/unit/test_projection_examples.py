"""The examples beside the schemas are promises to subscribers: they are read by the present schema for ever."""

from io import StringIO
from pathlib import Path
from typing import Any

import fastavro
import pytest

import schemas
from events.health_book import EntryState, HealthBookDisplayed, HealthBookEntry, HealthBookReminder
from events.serde import from_record, parsed_schema

EXAMPLES = sorted((schemas.ROOT / "avro" / "examples").glob("health-book.*/*.json"))
EVENTS = {event.topic: event for event in (HealthBookEntry, HealthBookDisplayed, HealthBookReminder)}


def read(path: Path) -> Any:
    """An example is one record in Avro's JSON encoding."""
    schema = parsed_schema(path.parent.name)
    record: Any = next(fastavro.json_reader(StringIO(path.read_text(encoding="utf-8").replace("\n", " ")), schema))
    return from_record(EVENTS[path.parent.name], record)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_example_is_read_by_the_present_schema(path: Path) -> None:
    assert read(path).key == "01999|TEST-1"


def test_there_is_an_example_of_every_state_that_is_published() -> None:
    found = {read(path).state for path in EXAMPLES if path.parent.name == HealthBookEntry.topic}
    assert found == {EntryState.ACTIVE, EntryState.WITHHELD, EntryState.WITHDRAWN}
