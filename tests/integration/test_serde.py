"""Bytes ⇄ event with schema ids from a real registry, in the wire format that any Confluent client reads."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from io import StringIO
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import fastavro
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.contracts import ROOT
from events.envelope import Event, event_id, headers, read_headers, traceparent, visit_key
from events.health_book import EntryOutcome
from events.registry import Registry
from events.serde import SCHEMA_ID_HEADER, Serde, UndecodableError, from_record, parsed_schema, to_record
from events.topics import TOPICS, Topic, topic_named
from events.visit import VisitAccepted, VisitClosed, VisitHeld, VisitSigned

EXAMPLES = sorted((ROOT / "examples").glob("*/*.json"))
UNKNOWN_ID = 2**31 - 1


def example(path: str) -> Any:
    """The event of `schemas/avro/examples/<path>.json`."""
    file = ROOT / "examples" / f"{path}.json"
    topic = file.parent.name
    line = json.dumps(json.loads(file.read_text(encoding="utf-8")))
    record: Any = next(fastavro.json_reader(StringIO(line), parsed_schema(topic)))
    return from_record(topic_named(topic).event, record)


HELD = example("visit.held.v1/window")


@pytest.fixture(scope="module")
async def registry(schema_registry: str) -> AsyncIterator[Registry]:
    async with Registry(schema_registry) as registry:
        for topic in TOPICS:
            await registry.register(topic.name, topic.compatibility)
        yield registry


@pytest.fixture(scope="module")
async def serde(registry: Registry) -> Serde:
    serde = Serde(registry)
    await serde.prepare(*(topic.event for topic in TOPICS))
    return serde


async def reason(serde: Serde, event: type, value: bytes | None, *pairs: tuple[str, bytes]) -> str:
    with pytest.raises(UndecodableError) as caught:
        await serde.decode(event, value, pairs)
    return caught.value.reason


async def test_a_value_begins_with_magic_0_and_the_schema_id_of_its_subject(serde: Serde, registry: Registry) -> None:
    value = serde.encode(HELD)
    assert value[0] == 0
    assert int.from_bytes(value[1:5]) == await registry.id_of("visit.held.v1")


async def test_the_same_event_gives_the_same_bytes(serde: Serde) -> None:
    assert serde.encode(HELD) == serde.encode(example("visit.held.v1/window"))


async def test_the_id_in_front_and_the_id_in_the_header_are_both_read(serde: Serde) -> None:
    value = serde.encode(HELD)
    assert await serde.decode(VisitHeld, value) == HELD
    assert await serde.decode(VisitHeld, value[5:], [("ce_id", b"x"), (SCHEMA_ID_HEADER, value[:5])]) == HELD


async def test_a_header_of_another_form_is_not_taken_for_an_id(serde: Serde) -> None:
    """Confluent's GUID form has magic 1: the value's own prefix decides then."""
    value = serde.encode(HELD)
    assert await serde.decode(VisitHeld, value, [(SCHEMA_ID_HEADER, b"\x01" + bytes(16))]) == HELD


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_client_that_is_not_ours_reads_every_event(path: Any, serde: Serde, schema_registry: str) -> None:
    event = example(f"{path.parent.name}/{path.stem}")
    decode = AvroDeserializer(SchemaRegistryClient({"url": schema_registry}))
    assert decode(serde.encode(event), SerializationContext(event.topic, MessageField.VALUE)) == to_record(event)


@pytest.mark.parametrize("value", [None, b""])
async def test_no_value(serde: Serde, value: bytes | None) -> None:
    assert await reason(serde, VisitHeld, value) == "NO_VALUE"


@pytest.mark.parametrize("value", [b"\x00", b"\x00\x00\x00\x01", b"{}", b"\x01\x00\x00\x00\x01\x02", b"\xff" * 64])
async def test_foreign_bytes(serde: Serde, value: bytes) -> None:
    assert await reason(serde, VisitHeld, value) == "NOT_AVRO"


async def test_every_truncation_is_found(serde: Serde) -> None:
    value = serde.encode(HELD)
    assert {await reason(serde, VisitHeld, value[:length]) for length in range(1, len(value))} == {"NOT_AVRO"}


async def test_a_schema_id_that_the_registry_does_not_have(serde: Serde) -> None:
    value = serde.encode(HELD)
    unknown = b"\x00" + UNKNOWN_ID.to_bytes(4)
    assert await reason(serde, VisitHeld, unknown + value[5:]) == "UNKNOWN_SCHEMA_ID"
    assert await reason(serde, VisitHeld, value[5:], (SCHEMA_ID_HEADER, unknown)) == "UNKNOWN_SCHEMA_ID"


async def test_an_event_of_another_topic_is_not_misread(serde: Serde) -> None:
    value = serde.encode(example("visit.accepted.v1/accepted"))
    assert await reason(serde, VisitSigned, value) == "NOT_AVRO"
    assert await reason(serde, VisitClosed, value) == "NOT_AVRO"
    assert (await serde.decode(VisitAccepted, value)).topic == "visit.accepted.v1"


async def test_an_error_quotes_nothing_of_the_value(serde: Serde) -> None:
    with pytest.raises(UndecodableError) as caught:
        await serde.decode(VisitSigned, serde.encode(HELD))
    assert str(caught.value) == "NOT_AVRO"
    assert caught.value.__suppress_context__


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of the contract, within what Avro can say: milliseconds, 32 bits, Unicode scalar values."""
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([st.none() if option is NoneType else strategy(option) for option in get_args(hint)])
    if get_origin(hint) is tuple:
        return st.lists(strategy(get_args(hint)[0]), max_size=2).map(tuple)
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        return st.builds(hint, **{item.name: strategy(hints[item.name]) for item in fields(hint)})
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return SIMPLE[hint]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    bool: st.booleans(),
    int: st.integers(-(2**31), 2**31 - 1),
    date: st.dates(),
    datetime: st.integers(-(10**13), 10**14).map(lambda number: EPOCH + timedelta(milliseconds=number)),
}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
async def test_reading_gives_back_what_was_written(topic: Topic, serde: Serde) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy(topic.event))
    def generate(event: Any) -> None:
        written.append(event)

    written: list[Any] = []
    generate()
    for event in written:
        assert await serde.decode(topic.event, serde.encode(event)) == event


# What an event is called for ever: a change here would make every old event a new one on replay.
GOLDEN_IDS = {
    "day.counted.v1/all-sent": "5d575874-51cd-53b5-86e0-b77233c42ce2",
    "day.counted.v1/waiting": "ff3e06f0-6216-5573-a844-fec84b65c9ef",
    "deadline.changed.v1/at-risk-provisional": "8f375cf2-77e2-5a91-bd0c-569d6778db46",
    "deadline.changed.v1/not-due": "7f11b130-03c4-5bf7-affb-a110df2ff3ea",
    "deadline.changed.v1/running": "95cff868-cb38-59f8-9d41-24fe4032d25d",
    "deadline.changed.v1/shown-late": "9359306a-c0c3-54f8-92f9-523191be4521",
    "health-book.displayed.v1/displayed": "7fb31854-f013-5055-a37f-74bdfc558164",
    "health-book.entry.v1/active-birth": "5f19a9f1-c1b6-5e8a-af5a-325d8172f56f",
    "health-book.entry.v1/active-item-withheld": "9e5dc4a5-0db6-5ec8-a44d-e35ff7eb1a7b",
    "health-book.entry.v1/active-sparse": "8629dbbc-da9b-56fe-a3f5-add87f6eaaa4",
    "health-book.entry.v1/active": "9e5dc4a5-0db6-5ec8-a44d-e35ff7eb1a7b",
    "health-book.entry.v1/withdrawn": "5f19a9f1-c1b6-5e8a-af5a-325d8172f56f",
    "health-book.entry.v1/withheld": "9e5dc4a5-0db6-5ec8-a44d-e35ff7eb1a7b",
    "health-book.reminder.v1/half": "5937c359-e50e-5e93-a574-7f47b41be8cb",
    "visit.accepted.v1/accepted": "98ca0e4b-03cc-5049-9f78-0a5784b14c1e",
    "visit.closed.v1/envelope": "02d99fe5-2a63-5de2-98a9-0c6560bb2d6b",
    "visit.closed.v1/tables": "02d99fe5-2a63-5de2-98a9-0c6560bb2d6b",
    "visit.held.v1/certificate": "621c2030-b346-5e10-8244-5025fd719c3b",
    "visit.held.v1/window": "b49f790e-ef97-5d0d-a5fc-ab3039ea46dd",
    "visit.late-verdict.v1/findings": "b7c44765-aa22-5d66-aa48-d13afd8e0c8e",
    "visit.late-verdict.v1/without-findings": "52eb05f6-f9f0-5b21-91eb-10ebb6089772",
    "visit.refused.v1/data": "2ec2bfdc-ab1a-5bb3-905c-ca5edd912563",
    "visit.rejected.v1/findings": "93319aee-7a68-56f7-93a6-7bff55d7629d",
    "visit.rejected.v1/without-findings": "25287b01-a935-5b23-9eb5-0d7857f8a610",
    "visit.signed.v1/signed": "e75a82d5-a5e6-5a10-acb1-74204825dacf",
    "visit.validated.v1/signed-envelope-with-warnings": "7c5c0358-1465-54bb-a636-b565b1feedc5",
    "visit.validated.v1/tables": "7c5c0358-1465-54bb-a636-b565b1feedc5",
}


def test_event_ids_never_change() -> None:
    found = {f"{path.parent.name}/{path.stem}": example(f"{path.parent.name}/{path.stem}") for path in EXAMPLES}
    assert {name: str(event_id(event)) for name, event in found.items()} == GOLDEN_IDS


@pytest.mark.parametrize("change", [{"message_vi": "khác"}, {"closed_at": EPOCH}, {"held_at": EPOCH}, {"reason": "R"}])
def test_doing_it_again_gives_the_same_id(change: dict[str, Any]) -> None:
    assert event_id(replace(HELD, **change)) == event_id(HELD)


@pytest.mark.parametrize(
    "change", [{"facility": "01998"}, {"ma_lk": "T"}, {"revision": 1}, {"hold": 3}, {"held_by": "x"}]
)
def test_another_visit_revision_or_occurrence_is_another_event(change: dict[str, Any]) -> None:
    assert event_id(replace(HELD, **change)) != event_id(HELD)


def test_two_outcomes_of_one_revision_are_two_events() -> None:
    validated, rejected = example("visit.validated.v1/tables"), example("visit.rejected.v1/findings")
    assert (validated.key, validated.revision) == (rejected.key, rejected.revision)
    assert event_id(validated) != event_id(rejected)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_cloudevents_headers_are_all_there_and_right(path: Any) -> None:
    """CloudEvents 1.0.2, Kafka binding §3.2, binary mode."""
    event: Event = example(f"{path.parent.name}/{path.stem}")
    hanoi = datetime(2026, 11, 2, 10, 10, 0, 123456, tzinfo=timezone(timedelta(hours=7)))
    found = {name: value.decode() for name, value in headers(event, hanoi)}
    assert found == {
        "content-type": "application/avro",
        "ce_specversion": "1.0",
        "ce_id": str(event_id(event)),
        "ce_source": f"/healthbook/{event.stage}",
        "ce_type": path.parent.name,
        "ce_time": "2026-11-02T03:10:00.123Z",
        "ce_subject": event.key,
        "ce_dataschema": f"urn:healthbook:schema:{path.parent.name}",
        "traceparent": traceparent(event),
    }


def test_the_events_of_one_revision_are_one_trace_and_each_is_its_span() -> None:
    """W3C Trace Context §3.2: version 00, 16 and 8 bytes, sampled."""
    told: dict[str, set[str]] = {}
    for path in EXAMPLES:
        event: Event = example(f"{path.parent.name}/{path.stem}")
        found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", traceparent(event))
        assert found is not None
        visit = f"{visit_key(event)} {event.revision}"
        told.setdefault(visit, set()).add(found[1])
        assert found[2] != "0" * 16
    assert {len(traces) for traces in told.values()} == {1}
    assert len({trace for traces in told.values() for trace in traces}) == len(told)


def test_headers_are_read_back_and_a_foreign_producer_may_omit_them() -> None:
    at = datetime(2026, 11, 2, 3, 10, tzinfo=UTC)
    meta = read_headers(headers(HELD, at))
    assert meta is not None
    assert (meta.id, meta.type, meta.subject, meta.time) == (str(event_id(HELD)), "visit.held.v1", HELD.key, at)
    assert read_headers([]) is None
    assert read_headers([("ce_id", b"1"), ("ce_source", b"s"), ("ce_type", b"t"), ("ce_time", b"yesterday")]) is None


async def test_a_class_that_knows_fewer_fields_reads_those_and_skips_the_others(serde: Serde) -> None:
    entry = example("health-book.entry.v1/active")
    told = await serde.decode(EntryOutcome, serde.encode(entry))
    assert told == EntryOutcome(
        entry.entry_id, entry.facility, entry.ma_lk, entry.version, entry.state, withheld=entry.withheld
    )
    assert event_id(told) == event_id(entry)
