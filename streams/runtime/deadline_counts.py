"""What the metrics of the promise learn from changes of clocks: kept, broken, how long it took."""

from collections.abc import Iterable

from events.deadline import DeadlineState
from events.envelope import trace_id
from streams.adapters.deadlines import Change
from streams.metrics import CLOSE_TO_RECEIPT, DEADLINE_BREACHES, DEADLINE_KEPT, RECEIPT_TO_DISPLAY
from streams.sla.clocks import CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN
from streams.sla.deadline import Deadline

_HISTOGRAMS = {CLOSED_TO_RECEIPT: CLOSE_TO_RECEIPT, RECEIPT_TO_SHOWN: RECEIPT_TO_DISPLAY}


def count(changes: Iterable[Change]) -> None:
    """Each clock counts once where it ended; how long it took has the visit's trace beside it."""
    for change in changes:
        before, after = change.before, change.after
        if _broken(after) and (before is None or not _broken(before)):
            DEADLINE_BREACHES.labels(after.clock).inc()
        if after.state is DeadlineState.MET and (before is None or before.state is not DeadlineState.MET):
            DEADLINE_KEPT.labels(after.clock).inc()
        stopped = after.stopped_at if before is None or before.stopped_at is None else None
        histogram = _HISTOGRAMS.get(after.clock)
        if histogram and stopped is not None and after.state in (DeadlineState.MET, DeadlineState.BREACHED):
            trace = trace_id(f"{after.facility}|{after.ma_lk}", after.revision)
            histogram.observe((stopped - after.started_at).total_seconds(), {"trace_id": trace})


def _broken(deadline: Deadline) -> bool:
    """A provisional one may still turn out to be in time."""
    return deadline.late and not deadline.provisional
