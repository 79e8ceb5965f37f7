"""Clocks: exact boundaries, supersession, and the same states from any order and repetition of events."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.deadline import DeadlineState
from streams.sla import clocks
from streams.sla.clock import Clock
from streams.sla.deadline import Deadline, deadlines
from streams.sla.facts import Facts, merge

CLOCKS = clocks.shipped()
(CLOSED_TO_RECEIPT,) = clocks.versions(clocks.CLOSED_TO_RECEIPT, CLOCKS)
(RECEIPT_TO_SHOWN,) = clocks.versions(clocks.RECEIPT_TO_SHOWN, CLOCKS)
(VERDICT_TO_CORRECTION,) = clocks.versions(clocks.LATE_VERDICT_TO_CORRECTION, CLOCKS)

T = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(hours=24)


def facts(revision: int = 1, **known: object) -> Facts:
    return Facts("01999", "V1", revision, **known)  # type: ignore[arg-type]


def one(clock: Clock, *visit: Facts, now: datetime, revision: int = 1) -> Deadline:
    (found,) = [item for item in deadlines(visit, [clock], now) if item.revision == revision]
    return found


@pytest.mark.parametrize(
    ("shown_after", "state"),
    [
        (DAY - SECOND, DeadlineState.MET),
        (DAY, DeadlineState.MET),
        (DAY + SECOND, DeadlineState.BREACHED),
    ],
)
def test_exactly_24_hours_is_in_time_and_a_second_more_is_not(shown_after: timedelta, state: DeadlineState) -> None:
    found = one(RECEIPT_TO_SHOWN, facts(received_at=T, displayed_at=T + shown_after), now=T + 3 * DAY)
    assert (found.state, found.due_at, found.late) == (state, T + DAY, state is DeadlineState.BREACHED)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (T, DeadlineState.RUNNING),
        (T + timedelta(hours=18) - SECOND, DeadlineState.RUNNING),
        (T + timedelta(hours=18), DeadlineState.AT_RISK),
        (T + DAY, DeadlineState.AT_RISK),
        (T + DAY + SECOND, DeadlineState.BREACHED),
    ],
)
def test_a_running_clock_is_at_risk_after_18_hours_and_breached_after_24(now: datetime, state: DeadlineState) -> None:
    assert one(RECEIPT_TO_SHOWN, facts(received_at=T), now=now).state is state


def test_a_higher_version_on_the_screen_stops_the_clock_of_the_lower_one() -> None:
    lower, higher = facts(1, received_at=T), facts(2, displayed_at=T + SECOND)
    assert one(RECEIPT_TO_SHOWN, lower, higher, now=T + 2 * DAY).state is DeadlineState.MET


def test_superseded_before_its_due_time_closes_as_superseded() -> None:
    lower, higher = facts(1, received_at=T), facts(2, received_at=T + SECOND)
    found = one(RECEIPT_TO_SHOWN, lower, higher, now=T + 3 * DAY)
    assert (found.state, found.stopped_at) == (DeadlineState.SUPERSEDED, T + SECOND)


@pytest.mark.parametrize(
    ("fate", "state"), [("REJECTED", DeadlineState.AT_RISK), ("REFUSED", DeadlineState.SUPERSEDED)]
)
def test_a_correction_that_was_rejected_does_not_stop_the_clock_of_what_is_still_to_be_sent(
    fate: str, state: DeadlineState
) -> None:
    first, second = facts(1, closed_at=T), facts(2, closed_at=T + SECOND, stopped_by=fate)
    assert one(CLOSED_TO_RECEIPT, first, second, now=T + timedelta(minutes=14)).state is state


def test_superseded_after_its_due_time_stays_a_breach() -> None:
    lower, higher = facts(1, received_at=T), facts(2, received_at=T + DAY + SECOND)
    assert one(RECEIPT_TO_SHOWN, lower, higher, now=T + 3 * DAY).state is DeadlineState.BREACHED


@pytest.mark.parametrize("reason", ["NO_IDENTIFIER", "WITHHELD"])
def test_what_will_not_be_shown_is_not_due_with_its_reason(reason: str) -> None:
    found = one(RECEIPT_TO_SHOWN, facts(received_at=T, not_due_because=reason), now=T + 3 * DAY)
    assert (found.state, found.reason, found.late) == (DeadlineState.NOT_DUE, reason, False)


def test_a_rejected_dossier_has_no_receipt_to_wait_for() -> None:
    found = one(CLOSED_TO_RECEIPT, facts(closed_at=T, stopped_by="REJECTED"), now=T + DAY)
    assert found.state is DeadlineState.NOT_DUE


def test_our_clock_runs_from_the_close_and_the_laws_from_the_receipt() -> None:
    visit = [facts(closed_at=T, received_at=T + timedelta(minutes=15))]
    ours, law = deadlines(visit, [CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN], T + timedelta(minutes=16))
    assert (ours.state, law.started_at) == (DeadlineState.MET, T + timedelta(minutes=15))


TOLD = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)  # a Friday; Tuesday 24 November is a public holiday
DUE = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)  # Monday, Wednesday: 24:00 in Vietnam


@pytest.mark.parametrize(
    ("corrected", "now", "state"),
    [
        (None, TOLD, DeadlineState.RUNNING),
        (None, DUE, DeadlineState.AT_RISK),
        (None, DUE + SECOND, DeadlineState.BREACHED),
        (DUE, DUE + DAY, DeadlineState.MET),
        (DUE + SECOND, DUE + DAY, DeadlineState.BREACHED),
        (TOLD - DAY, TOLD + DAY, DeadlineState.MET),  # the correction was quicker than the verdict
    ],
)
def test_a_late_verdict_is_corrected_within_two_working_days(
    corrected: datetime | None, now: datetime, state: DeadlineState
) -> None:
    visit = facts(1, received_at=T, late_verdict_at=TOLD), facts(2, received_at=corrected)
    found = one(VERDICT_TO_CORRECTION, *visit, now=now)
    assert (found.state, found.due_at) == (state, DUE)


def test_a_client_clock_that_is_two_hours_wrong_changes_nothing() -> None:
    """S003-13: what our own machines believe enters nowhere, only what the gateway wrote on its receipt."""
    right, wrong = facts(closed_at=T, received_at=T), facts(closed_at=T + timedelta(hours=2), received_at=T)
    now = T + timedelta(hours=20)
    assert one(RECEIPT_TO_SHOWN, wrong, now=now) == one(RECEIPT_TO_SHOWN, right, now=now)


def test_weekends_and_holidays_count_for_the_24_hours() -> None:
    saturday = datetime(2026, 8, 29, 3, 0, tzinfo=UTC)
    assert one(RECEIPT_TO_SHOWN, facts(received_at=saturday), now=saturday).due_at == saturday + DAY


@pytest.mark.parametrize(
    ("gone", "warned"), [(0, 0), (11.999, 0), (12, 50), (17.999, 50), (18, 75), (21.599, 75), (21.6, 90), (24, 90)]
)
def test_it_warns_exactly_at_half_three_quarters_and_nine_tenths(gone: float, warned: int) -> None:
    assert one(RECEIPT_TO_SHOWN, facts(received_at=T), now=T + timedelta(hours=gone)).warned == warned


def test_until_the_receipt_is_known_the_clock_runs_from_the_sending_whose_answer_was_lost() -> None:
    found = one(RECEIPT_TO_SHOWN, facts(closed_at=T, lost_since=T), now=T + timedelta(hours=19))
    assert (found.state, found.provisional, found.due_at) == (DeadlineState.AT_RISK, True, T + DAY)


def test_the_receipt_corrects_a_provisional_clock_even_when_it_was_late() -> None:
    lost, known = facts(lost_since=T), facts(lost_since=T, received_at=T + timedelta(hours=2))
    now = T + timedelta(hours=25)
    assert one(RECEIPT_TO_SHOWN, lost, now=now).late
    found = one(RECEIPT_TO_SHOWN, known, now=now)
    assert (found.state, found.provisional, found.late, found.due_at) == (
        DeadlineState.AT_RISK,
        False,
        False,
        T + timedelta(hours=26),
    )


@pytest.mark.parametrize("fate", ["REFUSED", "ABANDONED"])
def test_a_clear_no_ends_a_provisional_clock_with_its_reason(fate: str) -> None:
    found = one(RECEIPT_TO_SHOWN, facts(lost_since=T, stopped_by=fate), now=T + 3 * DAY)
    assert (found.state, found.reason, found.late) == (DeadlineState.NOT_DUE, fate, False)


def test_a_newer_receipt_takes_the_place_of_a_lost_answer() -> None:
    visit = facts(1, lost_since=T), facts(2, received_at=T + SECOND)
    assert one(RECEIPT_TO_SHOWN, *visit, now=T + 3 * DAY).state is DeadlineState.SUPERSEDED


@pytest.mark.parametrize(("hours", "mark"), [(11.9, 0), (12, 50), (18, 75), (23, 75), (30, 75)])
def test_an_entry_without_acknowledgement_is_offered_again_at_half_and_three_quarters(hours: float, mark: int) -> None:
    now = T + timedelta(hours=hours)
    assert one(RECEIPT_TO_SHOWN, facts(received_at=T, entry_offset=7), now=now).offer_again == mark
    assert one(RECEIPT_TO_SHOWN, facts(received_at=T), now=now).offer_again == 0, "there is nothing to offer yet"
    shown = facts(received_at=T, entry_offset=7, displayed_at=T + SECOND)
    assert one(RECEIPT_TO_SHOWN, shown, now=now).offer_again == 0


instants = st.none() | st.integers(0, 60 * 60 * 50).map(lambda seconds: T + timedelta(seconds=seconds))
any_facts = st.builds(
    facts,
    st.integers(1, 3),
    closed_at=instants,
    received_at=instants,
    displayed_at=instants,
    stopped_by=st.sampled_from([None, "REJECTED", "REFUSED"]),
    not_due_because=st.sampled_from([None, "NO_IDENTIFIER", "WITHHELD"]),
    late_verdict_at=instants,
    entry_offset=st.sampled_from([None, 7]),
    lost_since=instants,
)


def learnt(told: list[Facts]) -> list[Facts]:
    revisions = sorted({item.revision for item in told})
    return [reduce(merge, [item for item in told if item.revision == revision]) for revision in revisions]


@given(st.lists(any_facts, min_size=1, max_size=8), st.randoms())
def test_order_and_repetition_of_events_do_not_change_the_states(told: list[Facts], chance: object) -> None:
    again = told + told[::2]
    chance.shuffle(again)  # type: ignore[attr-defined]
    now = T + timedelta(hours=30)
    assert deadlines(learnt(told), CLOCKS, now) == deadlines(learnt(again), CLOCKS, now)


@given(st.lists(any_facts, min_size=1, max_size=8), st.integers(0, 60 * 60 * 50))
def test_a_clock_that_still_runs_says_when_to_look_again(told: list[Facts], seconds: int) -> None:
    now = T + timedelta(seconds=seconds)
    for found in deadlines(learnt(told), CLOCKS, now):
        open_ = found.state in (DeadlineState.RUNNING, DeadlineState.AT_RISK)
        assert (found.next_look_at is not None) == open_
