"""Traces as a real Zipkin shows them, and what an OTLP receiver is sent."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from events.envelope import Event, Meta, event_id, traceparent
from events.visit import PersonKeyKind, VisitAccepted, VisitClosed, VisitSigned, VisitValidated
from streams import tracing
from streams.config import Settings
from streams.domain.gateway_result import Reply, ResultClass
from streams.domain.submission import Later, Result, Submission
from tests.conftest import new_home
from tests.support.eventually import eventually
from tests.support.traces import otlp_receiver, trace_of, zipkin

NOW = datetime.now(UTC)


def closed_visit(ma_lk: str) -> VisitClosed:
    return VisitClosed("01999", ma_lk, 7, NOW, tables=())


def validated_visit(ma_lk: str) -> VisitValidated:
    return VisitValidated("01999", ma_lk, 7, NOW, "3176", "01", True, PersonKeyKind.CCCD, (), None, False, (), 0)


CLOSED, VALIDATED = closed_visit("TRACED"), validated_visit("TRACED")
SIGNED = VisitSigned("01999", "TRACED", 7, NOW, "3176", "01", True, PersonKeyKind.CCCD, b"", "", "", "")
ACCEPTED = VisitAccepted(
    "01999", "TRACED", 7, NOW, "3176", "01", True, PersonKeyKind.CCCD, "x", NOW, NOW, 2, "", "", ""
)  # fmt: skip
TRACE = traceparent(CLOSED).split("-")[1]


@pytest.fixture
def exporting() -> Iterator[Callable[..., None]]:
    """Starts exporting as a process does; ended after the test whatever came."""
    yield lambda name, **settings: tracing.configure(name, Settings(**settings))
    tracing.shutdown()


def received(event: Event, trace: str | None = None) -> Any:
    meta = Meta(str(event_id(event)), "/his", event.topic, event.key, NOW, trace or traceparent(event))
    return SimpleNamespace(event=event, meta=meta, record=SimpleNamespace(topic=event.topic, partition=3, offset=42))


def attempt(number: int, reply: Reply) -> Result:
    submission = Submission(1, SIGNED, number, 0, NOW, NOW, NOW + timedelta(days=1))
    return Result(submission, reply, Later())


def the_flow_of_one_visit() -> None:
    began = time.time_ns()
    tracing.processed("validate", [(received(CLOSED), VALIDATED)], began)
    tracing.processed("sign", [(received(VALIDATED), SIGNED)], began)
    tracing.processed("forward", [(received(SIGNED), None)], began)
    tracing.attempted(attempt(1, Reply(ResultClass.UNKNOWN, "TIMEOUT", duration=timedelta(seconds=1))))
    tracing.created([ACCEPTED])
    tracing.sent(ACCEPTED.topic, 3, [traceparent(ACCEPTED)], began)
    tracing.processed("publish", [(received(ACCEPTED), None)], began)


@pytest.mark.timeout(400)
async def test_zipkin_shows_a_visit_as_one_trace_and_a_repeated_step_as_one_span(
    downloads: Path, exporting: Callable[..., None]
) -> None:
    with new_home() as home:
        async with zipkin(home, downloads) as base:
            exporting("bus", traces_zipkin_url=f"{base}/api/v2/spans")
            the_flow_of_one_visit()
            tracing.processed("validate", [(received(CLOSED), VALIDATED)], time.time_ns())  # after a crash, say
            tracing.shutdown()
            spans = await eventually(lambda: trace_of(base, TRACE), timeout=30, message="Zipkin has the trace")
    by_id = {span["id"]: span for span in spans}

    def path(event: Event) -> list[str]:
        """Names of spans from an event's own up to the first that Zipkin does not have."""
        found, at = [], traceparent(event).split("-")[2]
        while at in by_id:
            found.append(by_id[at]["name"])
            at = by_id[at].get("parentId", "")
        assert at == traceparent(CLOSED).split("-")[2], "the hand-over in the hospital is the root"
        return found

    assert path(ACCEPTED) == [
        "create visit.accepted.v1", "process visit.validated.v1", "process visit.closed.v1"
    ]  # fmt: skip
    (tried,) = [span for span in spans if span["name"] == "post dossier"]
    assert (tried["kind"], tried["tags"]["error.type"]) == ("CLIENT", "UNKNOWN")
    assert tried["parentId"] == traceparent(SIGNED).split("-")[2]
    again = [span for span in spans if span["name"] == "process visit.closed.v1"]
    assert (len(again), len({(span["id"], span["parentId"]) for span in again})) == (2, 1), "two reports of one span"


async def test_an_otlp_receiver_is_sent_names_of_the_conventions_and_links_for_batches(
    exporting: Callable[..., None],
) -> None:
    with otlp_receiver() as receiver:
        exporting("validate", traces_otlp_url=receiver.url)
        others = [closed_visit(f"OTHER{number}") for number in range(200)]
        theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        batch: Sequence[tuple[Any, Event | None]] = [(received(CLOSED, theirs), VALIDATED)]
        tracing.processed("validate", [*batch, *((received(other), None) for other in others)], time.time_ns())
        tracing.shutdown()
    (poll,) = [span for service, span in receiver.spans if span.name == "poll validate"]
    assert len(poll.links) == tracing.MOST_LINKS
    assert poll.links[0].trace_id.hex() == TRACE
    ((service, span),) = receiver.of(TRACE)
    told = {item.key: item.value.string_value or item.value.int_value for item in span.attributes}
    assert service == "validate"
    assert told == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "visit.closed.v1",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 42,
        "messaging.consumer.group.name": "validate",
        "healthbook.visit": CLOSED.key,
        "healthbook.revision": 7,
        "healthbook.outcome": "visit.validated.v1",
    }
    assert [link.trace_id.hex() for link in span.links] == [theirs.split("-")[1]], "a HIS's own trace is linked"


async def test_a_share_of_the_visits_is_traced_whole(exporting: Callable[..., None]) -> None:
    with otlp_receiver() as receiver:
        exporting("sign", traces_otlp_url=receiver.url, traces_share=0.25)
        for number in range(400):
            closed = closed_visit(f"SHARE{number}")
            validated = validated_visit(f"SHARE{number}")
            tracing.processed("validate", [(received(closed), validated)], time.time_ns())
            tracing.processed("sign", [(received(validated), None)], time.time_ns())
        tracing.shutdown()
    traces = [span.trace_id for _, span in receiver.spans]
    assert {traces.count(trace) for trace in traces} == {2}, "all of a visit or nothing"
    assert 50 < len(set(traces)) < 150


async def test_without_an_address_nothing_is_exported() -> None:
    tracing.configure("validate", Settings())
    the_flow_of_one_visit()
    assert tracing._tracer is None
