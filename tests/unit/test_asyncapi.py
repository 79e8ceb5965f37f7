"""asyncapi.yaml tells what the code does: topics, settings, schemas and headers (`make check` asks if it is valid)."""

import re
from datetime import UTC, datetime
from pathlib import Path

from events.deadline import DeadlineChanged, DeadlineState
from events.envelope import headers
from events.topics import TOPICS, topic_named

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "asyncapi.yaml").read_text(encoding="utf-8")


def channels() -> dict[str, dict[str, str]]:
    """Channel → its scalars, from the page's own layout: two blanks before a channel, deeper for what it says."""
    section = re.search(r"^channels:\n(.*?)^\S", TEXT, re.DOTALL | re.MULTILINE)
    assert section is not None
    parts = re.split(r"^  (\w+):\n", section.group(1), flags=re.MULTILINE)[1:]
    return {
        name: dict(re.findall(r"^ +([\w.]+): (\S+)$", body, re.MULTILINE))
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def test_asyncapi_describes_every_public_topic_and_where_hospitals_write() -> None:
    described = {channel["address"] for channel in channels().values()}
    assert described == {topic.name for topic in TOPICS if topic.public} | {"visit.closed.v1"}


def test_asyncapi_says_of_each_topic_what_is_declared() -> None:
    for channel in channels().values():
        topic = topic_named(channel["address"])
        retention = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
        assert int(channel["partitions"]) == topic.partitions
        assert channel["cleanup.policy"] == ("[compact]" if topic.compacted else "[delete]")
        assert int(channel["retention.ms"]) == retention
        assert int(channel["max.message.bytes"]) == topic.max_bytes


def test_asyncapi_refers_to_the_schema_of_each_topic() -> None:
    referred = re.findall(r'"(\./schemas/[^"]+)"', TEXT)
    assert sorted(referred) == sorted(f"./schemas/avro/{channel['address']}.avsc" for channel in channels().values())
    assert all((REPOSITORY / path).is_file() for path in referred)


def test_asyncapi_tells_the_headers_that_are_written() -> None:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    event = DeadlineChanged("closed-to-receipt", "01999", "T", 1, DeadlineState.RUNNING, at, at, None, False, None)
    section = re.search(r"^    cloudEventHeaders:\n(.*)", TEXT, re.DOTALL | re.MULTILINE)
    assert section is not None
    described = set(re.findall(r"^        ([\w-]+):$", section.group(1), re.MULTILINE))
    assert described == dict(headers(event, at)).keys()
    required = re.search(r"required: \[(.*)\]", section.group(1))
    assert required is not None
    assert set(required.group(1).split(", ")) <= dict(headers(event, at)).keys()


def test_asyncapi_tells_the_form_of_a_clock_s_key() -> None:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    event = DeadlineChanged("<clock>", "<MA_CSKCB>", "<MA_LK>", 1, DeadlineState.RUNNING, at, at, None, False, None)
    assert f"`{event.key}`" in TEXT
