"""Traces: one for each revision of a visit, one span for each step. Off until the settings name where they go.

Ids are computed from the events (`events.envelope.traceparent`), so a span knows its parent without being told, also
behind ledger and outbox, and a step that is done twice is the same span again. All names of spans and attributes are
here: OpenTelemetry's conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/) and HTTP, and
`healthbook.*` for what they do not know. Attributes hold codes and keys, never anything of a person.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, Tracer

from events.envelope import Event, traceparent, visit_key
from events.health_book import HealthBookEntry, HealthBookReminder
from events.visit import VisitAccepted, VisitClosed, VisitHeld, VisitLateVerdict, VisitRefused, VisitSigned
from streams.config import Settings
from streams.domain.submission import Result

KAFKA = {"messaging.system": "kafka"}
MOST_LINKS = 128  # of one span, the SDK's own limit: a batch names that many of its messages

_CAUSES: dict[str, type[Any]] = {
    VisitAccepted.topic: VisitSigned,
    VisitRefused.topic: VisitSigned,
    VisitLateVerdict.topic: VisitAccepted,
    HealthBookEntry.topic: VisitAccepted,
    HealthBookReminder.topic: HealthBookEntry,
}
"""What the events of outbox and clocks come from, else the close of the visit; a stage on the loop knows it itself."""
_HELD_BY: dict[str, type[Any]] = {"forward": VisitSigned, "publish": VisitAccepted}

_tracer: Tracer | None = None
_stop: Callable[[], None] = lambda: None  # noqa: E731 - nothing was started
_next_span: ContextVar[int] = ContextVar("next_span", default=0)


def configure(process: str, settings: Settings) -> None:
    """Starts exporting when the settings name where to; the exporters' libraries are loaded only then."""
    global _tracer, _stop
    if not (settings.traces_otlp_url or settings.traces_zipkin_url):
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    class Given(RandomIdGenerator):
        """The id that the next span is to have, else a random one."""

        def generate_span_id(self) -> int:
            return _next_span.get() or super().generate_span_id()

    resource = Resource.create(
        {"service.namespace": "healthbook", "service.name": process, "service.version": version("healthbook")}
    )
    # By the trace's id: all processes keep the same share of the visits, whole.
    provider = TracerProvider(
        sampler=TraceIdRatioBased(settings.traces_share),
        resource=resource,
        id_generator=Given(),
        shutdown_on_exit=False,
    )
    if settings.traces_otlp_url:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.traces_otlp_url)))
    if settings.traces_zipkin_url:
        from opentelemetry.exporter.zipkin.json import ZipkinExporter

        provider.add_span_processor(BatchSpanProcessor(ZipkinExporter(endpoint=settings.traces_zipkin_url)))
    _tracer, _stop = provider.get_tracer("healthbook"), provider.shutdown


def shutdown() -> None:
    """Exports what is left."""
    global _tracer
    _tracer = None
    _stop()


def processed(stage: str, batch: Iterable[tuple[Any, Event | None]], started: int) -> None:
    """A stage handled a batch of `Received`, and answered each; since `started` (`time.time_ns()`).

    The step that led to an event is that event's span. A foreign producer's own trace is linked, not continued.
    """
    if _tracer is None:
        return
    pairs, ended = list(batch), time.time_ns()
    if len(pairs) > 1:
        links = [Link(_context(traceparent(received.event))) for received, _ in pairs[:MOST_LINKS]]
        many: dict[str, Any] = {
            **KAFKA,
            "messaging.operation.name": "poll",
            "messaging.operation.type": "receive",
            "messaging.consumer.group.name": stage,
            "messaging.batch.message_count": len(pairs),
        }
        _span(f"poll {stage}", SpanKind.CONSUMER, many, started, ended, links=links)
    for received, answer in pairs:
        record = received.record
        told = {
            **_message("process", "process", record.topic, received.event),
            "messaging.consumer.group.name": stage,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "healthbook.outcome": answer.topic if answer is not None else "stored",
        }
        parent = computed = traceparent(received.event)
        theirs = received.meta.traceparent if received.meta is not None else None
        links = []
        if theirs and theirs != computed and _valid(theirs):
            if _context(theirs).trace_id == _context(computed).trace_id:
                parent = theirs  # VNeID continued our trace
            else:
                links = [Link(_context(theirs))]
        own = traceparent(answer) if answer is not None else None
        _span(f"process {record.topic}", SpanKind.CONSUMER, told, started, ended, parent=parent, own=own, links=links)


def created(events: Sequence[Event]) -> None:
    """Events were written to the outbox, or announced by a processor: each is a span below its cause."""
    if _tracer is None:
        return
    now = time.time_ns()
    for event in events:
        told = _message("create", "create", event.topic, event)
        parent, own = _cause(event), traceparent(event)
        _span(f"create {event.topic}", SpanKind.PRODUCER, told, now, now, parent=parent, own=own)


def sent(topic: str, partition: int, traceparents: Sequence[str], started: int) -> None:
    """The relay committed one transaction: a span of its own that links the events in it."""
    if _tracer is None:
        return
    told = {
        **KAFKA,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
        "messaging.batch.message_count": len(traceparents),
    }
    links = [Link(_context(item)) for item in traceparents[:MOST_LINKS]]
    _span(f"send {topic}", SpanKind.PRODUCER, told, started, time.time_ns(), links=links)


def attempted(result: Result) -> None:
    """The gateway was asked; just now it answered, or did not."""
    if _tracer is None:
        return
    visit, reply = result.submission.visit, result.reply
    told: dict[str, Any] = {
        "http.request.method": "POST",
        "healthbook.visit": visit.key,
        "healthbook.revision": visit.revision,
        "healthbook.attempt": result.submission.attempt,
        "healthbook.result": str(reply.result),
        "healthbook.code": reply.code,
    }
    if reply.http_status is not None:
        told["http.response.status_code"] = reply.http_status
    if reply.receipt is None:
        told["error.type"] = str(reply.result)
    ended = time.time_ns()
    started = ended - int(reply.duration.total_seconds() * 1e9)
    _span("POST dossier", SpanKind.CLIENT, told, started, ended, parent=traceparent(visit))


def _message(name: str, kind: str, topic: str, event: Event) -> dict[str, Any]:
    return {
        **KAFKA,
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": topic,
        "healthbook.visit": visit_key(event),
        "healthbook.revision": event.revision,
    }


def _cause(event: Event) -> str:
    """The span of what came before; a cause happens once for a revision, so its id follows from the revision."""
    cause = (
        _HELD_BY.get(event.held_by, VisitClosed)
        if isinstance(event, VisitHeld)
        else _CAUSES.get(event.topic, VisitClosed)
    )
    return traceparent(_Cause(cause.topic, cause.stage, visit_key(event), event.revision))


class _Cause:
    """As much of an event as its ids are computed from."""

    occurrence = ""

    def __init__(self, topic: str, stage: str, key: str, revision: int) -> None:
        self.topic, self.stage, self.key, self.revision = topic, stage, key, revision


def _span(
    name: str,
    kind: SpanKind,
    attributes: dict[str, Any],
    started: int,
    ended: int,
    *,
    parent: str | None = None,
    own: str | None = None,
    links: Sequence[Link] = (),
) -> None:
    assert _tracer is not None  # noqa: S101 - every caller looked
    context = trace.set_span_in_context(NonRecordingSpan(_context(parent))) if parent else None
    token = _next_span.set(int(own.split("-")[2], 16) if own else 0)
    try:
        span = _tracer.start_span(
            name, context=context, kind=kind, attributes=attributes, links=links, start_time=started
        )
    finally:
        _next_span.reset(token)
    span.end(end_time=ended)


def _context(text: str) -> SpanContext:
    _, trace_id, span_id, flags = text.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def _valid(text: str) -> bool:
    try:
        return _context(text).is_valid
    except ValueError:
        return False
