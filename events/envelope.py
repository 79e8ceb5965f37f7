"""CloudEvents 1.0.2 headers in Kafka binary mode: who says what about which visit, readable without the schema."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

CONTENT_TYPE = "application/avro"
SPEC_VERSION = "1.0"
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:healthbook:event")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

Headers = list[tuple[str, bytes]]


class Event(Protocol):
    """What every event of the bus can tell about itself (see `events/visit.py`)."""

    @property
    def topic(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def occurrence(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Meta:
    """The headers of one record. `time` is when the event happened, aware UTC."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    traceparent: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace that the event belongs to (W3C Trace Context); None for none, and for what is not one."""
        found = _TRACEPARENT.fullmatch(self.traceparent or "")
        return found[1] if found else None


def event_id(event: Event) -> UUID:
    """The same cause gives the same id, so that doing it twice changes nothing (RFC 4122 §4.3).

    The topic stands for stage and outcome: `validate` may accept a dossier and reject other bytes of its revision.
    """
    return uuid5(_NAMESPACE, "\x1f".join((event.topic, str(event.revision), event.occurrence, event.key)))


def visit_key(event: Event) -> str:
    """Key of the visit that an event is about; a clock's change has one of its own beside it."""
    return str(getattr(event, "visit_key", event.key))


def traceparent(event: Event) -> str:
    """W3C trace context of an event: the trace is its visit's revision, the span is the event itself.

    Computed, as `event_id` is: whoever tells the event again says the same, so nothing has to be carried through ledger
    and outbox (docs/decisions/0022).
    """
    trace = trace_id(visit_key(event), event.revision)
    return f"00-{trace}-{sha256(event_id(event).bytes).hexdigest()[:16]}-01"


def trace_id(visit: str, revision: int) -> str:
    """The trace of a visit's revision; `visit` is its key."""
    return sha256(f"urn:healthbook:trace\x1f{revision}\x1f{visit}".encode()).hexdigest()[:32]


def headers(event: Event, time: datetime) -> Headers:
    """Headers for a record that carries `event`; `time` must be aware."""
    pairs = [
        ("content-type", CONTENT_TYPE),
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", str(event_id(event))),
        ("ce_source", f"/healthbook/{event.stage}"),
        ("ce_type", event.topic),
        ("ce_time", time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")),
        ("ce_subject", event.key),
        ("ce_dataschema", f"urn:healthbook:schema:{event.topic}"),
        ("traceparent", traceparent(event)),
    ]
    return [(name, value.encode()) for name, value in pairs]


def read_headers(pairs: Iterable[tuple[str, bytes | None]]) -> Meta | None:
    """The headers of a record, or None when it is not a CloudEvent of ours (a foreign producer may omit them)."""
    found = {name: value.decode("utf-8", "replace") for name, value in pairs if value is not None}
    try:
        return Meta(
            id=found["ce_id"],
            source=found["ce_source"],
            type=found["ce_type"],
            subject=found.get("ce_subject", ""),
            time=datetime.fromisoformat(found["ce_time"]),
            traceparent=found.get("traceparent"),
        )
    except (KeyError, ValueError):
        return None
