"""What has become of a visit, from its story: whatever the order in which the lines stand."""

import itertools
from typing import Any

import pytest

from streams.domain.story import VisitState, state_of


def line(type: str, **detail: Any) -> dict[str, Any]:  # noqa: A002 - the column's name
    return {"type": type, "detail": detail}


CLOSED, VALIDATED, SIGNED = line("visit.closed.v1"), line("visit.validated.v1"), line("visit.signed.v1")
ACCEPTED, HELD = line("visit.accepted.v1"), line("visit.held.v1")
REJECTED, REFUSED = line("visit.rejected.v1"), line("visit.refused.v1")
DISPLAYED = line("health-book.displayed.v1")


def not_due(clock: str, reason: str) -> dict[str, Any]:
    return line("deadline.changed.v1", clock=clock, state="NOT_DUE", reason=reason)


NOBODY, SAME = not_due("receipt-to-shown", "NO_IDENTIFIER"), not_due("closed-to-receipt", "SAME_CONTENT")
AFTER_REJECTION, AFTER_REFUSAL = (not_due("closed-to-receipt", reason) for reason in ("REJECTED", "REFUSED"))


def entry(state: str) -> dict[str, Any]:
    return line("health-book.entry.v1", state=state)


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([CLOSED], VisitState.CLOSED),
        ([CLOSED, REJECTED, AFTER_REJECTION], VisitState.REJECTED),
        ([CLOSED, VALIDATED, SIGNED, DISPLAYED, REJECTED], VisitState.DISPLAYED),
        ([CLOSED, ACCEPTED, line("visit.late-verdict.v1"), DISPLAYED], VisitState.LATE_VERDICT),
        ([CLOSED, VALIDATED, HELD], VisitState.HELD),
        ([CLOSED, VALIDATED, SIGNED, HELD, ACCEPTED], VisitState.ACCEPTED),
        ([CLOSED, VALIDATED, SIGNED, REFUSED, AFTER_REFUSAL], VisitState.REFUSED),
        ([CLOSED, ACCEPTED, NOBODY], VisitState.NOT_DUE),
        ([CLOSED, VALIDATED, SIGNED, SAME], VisitState.NOT_DUE),
        ([CLOSED, ACCEPTED, entry("ACTIVE")], VisitState.PUBLISHED),
        ([CLOSED, ACCEPTED, entry("WITHHELD"), NOBODY], VisitState.WITHHELD),
        ([CLOSED, ACCEPTED, entry("WITHDRAWN")], VisitState.WITHDRAWN),
        ([CLOSED, ACCEPTED, entry("ACTIVE"), DISPLAYED], VisitState.DISPLAYED),
    ],
)
def test_the_state_does_not_depend_on_the_order_of_the_lines(lines: list[dict[str, Any]], state: VisitState) -> None:
    assert {state_of(order) for order in itertools.permutations(lines)} == {state}


def test_lines_that_say_nothing_of_a_state_have_none() -> None:
    assert state_of([AFTER_REJECTION]) is None
