"""record: every event becomes one line of its visit's story. Codes, times and counts; nothing of a person."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import singledispatch
from typing import Any, Protocol

from events.deadline import DeadlineChanged
from events.envelope import Event, event_id, visit_key
from events.health_book import EntryOutcome, HealthBookDisplayed, HealthBookReminder
from events.visit import (
    Finding,
    VisitAccepted,
    VisitClosed,
    VisitHeld,
    VisitLateVerdict,
    VisitRefused,
    VisitRejected,
    VisitSigned,
    VisitValidated,
)
from streams.domain.story import StoryLine

RECORDED = (
    VisitClosed,
    VisitValidated,
    VisitRejected,
    VisitSigned,
    VisitAccepted,
    VisitRefused,
    VisitHeld,
    VisitLateVerdict,
    EntryOutcome,
    HealthBookDisplayed,
    HealthBookReminder,
    DeadlineChanged,
)


class Timeline(Protocol):
    """Where stories are kept."""

    async def add(self, lines: Sequence[StoryLine]) -> None:
        """Keeps each line once, however often it comes."""
        ...


def story_line(event: Event, happened_at: datetime, sent_at: datetime | None = None) -> StoryLine:
    """The line that an event adds to its visit's story; `sent_at`: when its producer put it on the bus."""
    facility, ma_lk = visit_of(event)
    told = detail(event)
    if isinstance(event, VisitClosed) and sent_at is not None:
        told["handed_over_at"] = sent_at.isoformat()  # a spool may have kept it since the visit closed
    return StoryLine(event_id(event), facility, ma_lk, event.revision, event.topic, happened_at, told)


def visit_of(event: Event) -> tuple[str, str]:
    """Facility and MA_LK of the visit that any event of the bus is about."""
    facility, _, ma_lk = visit_key(event).partition("|")
    return facility, ma_lk


@singledispatch
def detail(event: Any) -> dict[str, Any]:
    """What the story tells beside time and type."""
    raise TypeError(f"no story line for {type(event).__name__}")


@detail.register
def _(event: VisitClosed) -> dict[str, Any]:
    return {
        "tables": [table.kind for table in event.tables],
        "bytes": sum(len(table.content) for table in event.tables) + len(event.envelope or b""),
        "handed_over_as": "envelope" if event.envelope else "tables",
    }


@detail.register
def _(event: VisitValidated) -> dict[str, Any]:
    return {
        "standard": event.standard,
        "visit_type": event.visit_type,
        "insured": event.insured,
        "warnings": [_finding(finding) for finding in event.warnings],
        "warnings_omitted": event.warnings_omitted,
    }


@detail.register
def _(event: VisitRejected) -> dict[str, Any]:
    return {
        "standard": event.standard,
        "findings": [_finding(finding) for finding in event.findings],
        "findings_omitted": event.findings_omitted,
    }


@detail.register
def _(event: VisitSigned) -> dict[str, Any]:
    return {
        "certificate_serial": event.certificate_serial,
        "envelope_sha256": event.envelope_sha256,
        "payload_sha256": event.payload_sha256,
        "bytes": len(event.envelope),
    }


@detail.register
def _(event: VisitAccepted) -> dict[str, Any]:
    return {
        "transaction_code": event.transaction_code,
        "received_at": event.received_at.isoformat(),
        "attempts": event.attempts,
    }


@detail.register
def _(event: VisitRefused) -> dict[str, Any]:
    return {
        "code": event.code,
        "result_class": event.result_class,
        "attempts": event.attempts,
        "mend_vi": event.mend_vi,
        "mend_en": event.mend_en,
    }


@detail.register
def _(event: VisitHeld) -> dict[str, Any]:
    return {
        "held_by": event.held_by,
        "reason": event.reason,
        "message_vi": event.message_vi,
        "message_en": event.message_en,
        "mend_vi": event.mend_vi,
        "mend_en": event.mend_en,
    }


@detail.register
def _(event: VisitLateVerdict) -> dict[str, Any]:
    named = ("code", "table", "row", "field")  # the gateway's text may quote the dossier
    return {
        "transaction_code": event.transaction_code,
        "told_at": event.told_at.isoformat(),
        "findings": [
            {name: value for name in named if (value := getattr(item, name)) is not None} for item in event.findings
        ],
    }


@detail.register
def _(event: EntryOutcome) -> dict[str, Any]:
    return {"state": str(event.state), "withheld": sorted({item.rule_id for item in event.withheld})}


@detail.register
def _(event: HealthBookDisplayed) -> dict[str, Any]:
    return {"displayed_at": event.displayed_at.isoformat()}


@detail.register
def _(event: HealthBookReminder) -> dict[str, Any]:
    return {"mark": event.mark, "due_at": event.due_at.isoformat()}


@detail.register
def _(event: DeadlineChanged) -> dict[str, Any]:
    return {
        "clock": event.clock,
        "state": str(event.state),
        "due_at": event.due_at.isoformat(),
        "late": event.late,
        "reason": event.reason,
        "warned": event.warned,
        "provisional": event.provisional,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {name: value for name, value in asdict(finding).items() if value is not None}
