"""Beside each duration of the promise stands the trace of the visit that took so long."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Exemplar

from events.deadline import DeadlineState
from events.envelope import traceparent
from events.visit import VisitClosed
from streams.adapters.deadlines import Change
from streams.runtime.deadline_counts import count
from streams.sla.clocks import CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN
from streams.sla.deadline import Deadline

T = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TOOK = timedelta(seconds=77)


def clock(name: str, state: DeadlineState, stopped_at: datetime | None) -> Deadline:
    return Deadline(name, "01999", "V1", 3, T, T + timedelta(hours=1), state, stopped_at, False, None, None)


def exemplars(family: str) -> Iterator[Exemplar]:
    """As Prometheus reads them."""
    for metric in text_string_to_metric_families(generate_latest(REGISTRY).decode()):  # type: ignore[no-untyped-call]
        if metric.name == family:
            yield from (sample.exemplar for sample in metric.samples if sample.exemplar)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        (CLOSED_TO_RECEIPT, "healthbook_close_to_receipt_seconds"),
        (RECEIPT_TO_SHOWN, "healthbook_receipt_to_display_seconds"),
    ],
)
def test_how_long_a_visit_took_has_its_trace_beside_it(name: str, family: str) -> None:
    running, met = clock(name, DeadlineState.RUNNING, None), clock(name, DeadlineState.MET, T + TOOK)
    count([Change(None, running), Change(running, met)])
    closed = VisitClosed(facility="01999", ma_lk="V1", revision=3, closed_at=T, tables=())
    trace = traceparent(closed).split("-")[1]
    assert [found.value for found in exemplars(family) if found.labels == {"trace_id": trace}] == [77.0]


def test_a_clock_that_was_counted_is_not_counted_again() -> None:
    met = clock(CLOSED_TO_RECEIPT, DeadlineState.MET, T + TOOK)
    before = REGISTRY.get_sample_value("healthbook_close_to_receipt_seconds_count") or 0
    count([Change(None, met), Change(met, met)])
    assert REGISTRY.get_sample_value("healthbook_close_to_receipt_seconds_count") == before + 1
