"""record's stories: a line once however often it comes, and the list of visits by facility, day and state."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import asyncpg
import pytest

from events.contract_examples import Example
from events.contracts import versions
from events.registry import load_schema
from events.serde import from_record
from streams.adapters.timeline import PostgresTimeline
from streams.domain.story import StoryLine, VisitState
from streams.stages.record import RECORDED, story_line

NOON = datetime(2026, 11, 2, 5, tzinfo=UTC)
DAY = (NOON - timedelta(hours=5), NOON + timedelta(hours=19))
EXAMPLES = Path(__file__).parents[2] / "schemas" / "avro" / "examples"


@pytest.fixture
async def timeline(database_url: str) -> AsyncIterator[PostgresTimeline]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        yield PostgresTimeline(pool)


def line(ma_lk: str, type: str, revision: int = 1, minute: int = 0, **detail: Any) -> StoryLine:  # noqa: A002
    event_id = uuid5(NAMESPACE_OID, f"{ma_lk}|{type}|{revision}")
    return StoryLine(event_id, "01999", ma_lk, revision, type, NOON + timedelta(minutes=minute), detail)


STORY = [
    line("V1", "visit.closed.v1"),
    line("V1", "visit.validated.v1", minute=1),
    line("V1", "visit.closed.v1", revision=2, minute=2),
    line("V1", "visit.rejected.v1", revision=2, minute=3),
    line("V2", "visit.closed.v1"),
    line("V2", "visit.accepted.v1", minute=1),
    line("V3", "visit.closed.v1"),
    line("V3", "health-book.entry.v1", minute=1, state="ACTIVE"),
    line("V3", "health-book.displayed.v1", minute=2),
]


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_and_repetition_tells_the_same_story(timeline: PostgresTimeline, seed: int) -> None:
    chance = random.Random(seed)
    lines = [*STORY, *chance.sample(STORY, 4)]
    chance.shuffle(lines)
    for start in range(0, len(lines), 5):
        await timeline.add(lines[start : start + 5])
    assert [(told["revision"], told["type"]) for told in await timeline.story("01999", "V1")] == [
        (1, "visit.closed.v1"),
        (1, "visit.validated.v1"),
        (2, "visit.closed.v1"),
        (2, "visit.rejected.v1"),
    ]
    listed = await timeline.visits(None, *DAY, [], 100)
    assert [(row["ma_lk"], row["revision"], row["state"]) for row in listed] == [
        ("V1", 2, VisitState.REJECTED),
        ("V2", 1, VisitState.ACCEPTED),
        ("V3", 1, VisitState.DISPLAYED),
    ]


async def test_visits_are_found_by_facility_day_and_state(timeline: PostgresTimeline) -> None:
    await timeline.add(STORY)

    async def found(facility: str | None, *states: VisitState, limit: int = 100) -> list[str]:
        return [row["ma_lk"] for row in await timeline.visits(facility, *DAY, states, limit)]

    assert await found("01999") == ["V1", "V2", "V3"]
    assert await found("48999") == []
    assert await found(None, VisitState.DISPLAYED) == ["V3"]
    assert await found(None, VisitState.DISPLAYED, VisitState.REJECTED) == ["V1", "V3"]
    assert await found(None, limit=2) == ["V1", "V2"]
    assert await timeline.visits(None, DAY[1], DAY[1] + timedelta(days=1), [], 100) == []


@pytest.mark.parametrize("event", RECORDED)
async def test_no_line_holds_a_persons_data(event: Any) -> None:
    """Of the examples beside the schemas: no text of theirs that a person is told by."""
    for file in sorted((EXAMPLES / event.topic).glob("*.json")):
        example = Example.read(file.read_text(encoding="utf-8"), versions(event.topic))
        record = example.as_read_by(load_schema(event.topic))
        told = str(story_line(from_record(event, record), NOON).detail)
        assert not [value for value in personal(example.record) if value in told], file.name


def personal(record: Any) -> list[str]:
    """Names, numbers and texts under `person` and `content`, wherever they stand."""
    found: list[str] = []

    def walk(value: Any, inside: bool) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                walk(item, inside or name in ("person", "personKey", "summary", "documents"))
        elif isinstance(value, list):
            for item in value:
                walk(item, inside)
        elif inside and isinstance(value, str) and len(value) > 5:
            found.append(value)

    walk(record, False)
    return found
