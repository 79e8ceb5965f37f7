"""Closed = sum of outcomes: every combination of what can be known gives each visit exactly one outcome."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.held import Standing
from streams.domain.outcome import DeadEnd, Explanation, Known, Outcome, explain
from streams.domain.reconciliation import Closed, Day, Spooled
from streams.domain.story import VisitState
from streams.domain.submission import State

T = datetime(2026, 11, 2, 5, tzinfo=UTC)
LETTER = DeadEnd("V1", "validate", "NOT_AVRO", "visit.closed.v1.dlq/0/7")


def known(state: VisitState, *standings: Standing, revision: int = 1, ma_lk: str = "V1", **more: object) -> Known:
    values: dict[str, object] = {"closed_at": T, "on_day": True} | more
    return Known(ma_lk, revision, state=state, standings=standings, **values)  # type: ignore[arg-type]


def at(stage: str, state: State, revision: int = 1, reason: str | None = None) -> Standing:
    return Standing(revision, stage, state, reason, T, 1)


def spooled(ma_lk: str = "V1", revision: int = 1, refused: str | None = None) -> Spooled:
    return Spooled(ma_lk, revision, refused, T)


revisions = st.integers(1, 3)
names = st.sampled_from(["V1", "V2", "V3"])
standings = st.lists(
    st.builds(at, st.sampled_from(["sign", "forward", "publish"]), st.sampled_from(State)), max_size=3
).map(tuple)
letters = st.builds(DeadEnd, names, st.just("sign"), st.just("NOT_AVRO"), st.just("t.dlq/0/1"), st.booleans())
knowns = st.lists(
    st.builds(
        Known,
        names,
        revisions,
        st.none() | st.just(T),
        st.booleans(),
        st.sampled_from(VisitState),
        st.none() | st.just("CODE"),
        standings,
        st.none() | st.just("TEMPORARY 503"),
        st.none() | letters,
    ),
    max_size=6,
    unique_by=lambda item: (item.ma_lk, item.revision),
)
days = st.builds(
    Day,
    knowns,
    st.lists(st.builds(spooled, names, revisions, st.none() | st.just("BUS_TOO_LARGE")), max_size=3),
    st.lists(letters, max_size=3),
)


@given(days, st.lists(st.builds(Closed, names, st.none() | revisions), max_size=6))
def test_every_line_of_the_list_has_exactly_one_outcome_and_the_sum_is_right(day: Day, listed: list[Closed]) -> None:
    found = day.by_list(listed)
    assert sum(row.listed for row in found.rows) == found.closed == len(set(listed))
    assert found.outcomes.total() == found.closed + found.unlisted
    assert {row.ma_lk for row in found.rows} >= {line.ma_lk for line in listed}
    assert all(not row.listed for row in found.rows[found.closed :])


@given(days, st.integers(0, 9))
def test_the_sum_of_outcomes_is_what_the_adapters_counted_and_what_is_known_beyond(day: Day, closed: int) -> None:
    found = day.by_count(closed)
    assert found.outcomes.total() == found.closed + found.unlisted
    assert found.unlisted >= 0
    assert not (found.unlisted and found.nameless)
    assert found.balanced == (not found.unlisted and not found.outcomes[Outcome.MISSING])


@given(knowns)
def test_nothing_that_closed_on_the_day_is_left_out(items: list[Known]) -> None:
    on_day = {(item.ma_lk, item.revision) for item in items if item.on_day}
    assert {(row.ma_lk, row.revision) for row in Day(items).by_list([]).rows} == on_day
    assert {(row.ma_lk, row.revision) for row in Day(items).by_count(0).rows} == on_day


@pytest.mark.parametrize(
    ("item", "outcome", "stage"),
    [
        (known(VisitState.CLOSED), Outcome.PENDING, "validate"),
        (known(VisitState.VALIDATED), Outcome.PENDING, "sign"),
        (known(VisitState.SIGNED), Outcome.PENDING, "forward"),
        (known(VisitState.SIGNED, at("forward", State.WAITING)), Outcome.PENDING, "forward"),
        (known(VisitState.SIGNED, at("forward", State.ACCEPTED)), Outcome.PENDING, "relay"),
        (known(VisitState.SIGNED, at("forward", State.REFUSED)), Outcome.REFUSED, "forward"),
        (known(VisitState.SIGNED, at("forward", State.SUPERSEDED)), Outcome.SUPERSEDED, "forward"),
        (known(VisitState.SIGNED, at("forward", State.NOT_DUE, reason="ABANDONED")), Outcome.NOT_DUE, "forward"),
        (known(VisitState.VALIDATED, at("sign", State.HELD)), Outcome.HELD, "sign"),
        (known(VisitState.HELD, at("sign", State.READY)), Outcome.PENDING, "sign"),
        (known(VisitState.HELD), Outcome.PENDING, "forward"),
        # Handed over again and held there: the ledger's word counts.
        (known(VisitState.HELD, at("sign", State.HELD), at("forward", State.SENDING)), Outcome.PENDING, "forward"),
        (known(VisitState.ACCEPTED, at("forward", State.ACCEPTED)), Outcome.PENDING, "publish"),
        (known(VisitState.ACCEPTED, at("forward", State.ACCEPTED), at("publish", State.HELD)), Outcome.HELD, "publish"),
        (known(VisitState.PUBLISHED, at("forward", State.ACCEPTED)), Outcome.PENDING, "display"),
        (known(VisitState.DISPLAYED, at("forward", State.ACCEPTED)), Outcome.DISPLAYED, None),
        (known(VisitState.WITHHELD), Outcome.NOT_DUE, None),
        (known(VisitState.REJECTED, reason="X3-008"), Outcome.REJECTED, "validate"),
        (known(VisitState.REFUSED, reason="123"), Outcome.REFUSED, "forward"),
        (known(VisitState.LATE_VERDICT), Outcome.LATE_VERDICT, "forward"),
        (known(VisitState.CLOSED, dead=LETTER), Outcome.DEAD_LETTER, "validate"),
        (known(VisitState.DISPLAYED, dead=LETTER), Outcome.DISPLAYED, None),
    ],
)
def test_what_becomes_of_one_revision(item: Known, outcome: Outcome, stage: str | None) -> None:
    found = explain(item, [item])
    assert (found.outcome, found.stage) == (outcome, stage)
    if outcome in (Outcome.PENDING, Outcome.HELD, Outcome.DEAD_LETTER):
        assert found.waits_for


def test_what_waits_says_for_what() -> None:
    first, second = known(VisitState.SIGNED, at("forward", State.OVERTAKEN)), at("forward", State.READY, revision=2)
    item = known(VisitState.SIGNED, second, revision=2, last_answer="TEMPORARY 503")
    assert explain(item, [first, item]) == Explanation(
        Outcome.PENDING, "forward", "TEMPORARY 503", "the answer to revision 1, which is in flight"
    )


@pytest.mark.parametrize("state", [VisitState.PUBLISHED, VisitState.ACCEPTED, VisitState.LATE_VERDICT])
def test_a_newer_revision_at_the_gateway_takes_the_place_of_what_is_not_shown_yet(state: VisitState) -> None:
    old, new = known(state), known(VisitState.ACCEPTED, revision=2)
    assert explain(old, [old, new]) == Explanation(Outcome.SUPERSEDED, None, "by revision 2")
    shown = known(VisitState.DISPLAYED)
    assert explain(shown, [shown, new]).outcome is Outcome.DISPLAYED


def test_missing_says_on_which_side_and_where() -> None:
    day = Day([known(VisitState.DISPLAYED), known(VisitState.CLOSED, ma_lk="V4")], [spooled("V2")])
    found = day.by_list([Closed("V1"), Closed("V2"), Closed("V3")])
    assert [(row.ma_lk, row.listed, row.explained.outcome, row.explained.stage) for row in found.rows] == [
        ("V1", True, Outcome.DISPLAYED, None),
        ("V2", True, Outcome.MISSING, "spool"),
        ("V3", True, Outcome.MISSING, "his"),
        ("V4", False, Outcome.PENDING, "validate"),
    ]
    assert not found.balanced


def test_what_the_broker_refuses_for_ever_needs_a_person() -> None:
    (row,) = Day([], [spooled(refused="BUS_TOO_LARGE")]).by_list([Closed("V1", 1)]).rows
    assert (row.explained.outcome, row.explained.reason) == (Outcome.MISSING, "BUS_TOO_LARGE")


def test_a_revision_lost_with_a_spool_is_superseded_by_the_hand_over_after_it() -> None:
    day = Day([known(VisitState.DISPLAYED, revision=5)], [spooled(revision=4)])
    assert day.by_count(2).outcomes == {Outcome.DISPLAYED: 1, Outcome.SUPERSEDED: 1}


def test_a_count_alone_knows_how_many_are_missing_but_not_which() -> None:
    found = Day([known(VisitState.DISPLAYED)]).by_count(3)
    assert (found.nameless, found.outcomes[Outcome.MISSING], found.balanced) == (2, 2, False)
    beyond = Day([known(VisitState.DISPLAYED)]).by_count(0)
    assert (beyond.unlisted, beyond.balanced) == (1, False)


def test_a_record_that_nobody_could_read_is_known_by_its_key() -> None:
    day = Day([], [], [LETTER])
    for found in (day.by_list([Closed("V1")]), day.by_list([]), day.by_count(1)):
        (row,) = found.rows
        assert (row.ma_lk, row.explained.outcome) == ("V1", Outcome.DEAD_LETTER)
    assert not Day([], [], [DeadEnd("V1", "validate", "NOT_AVRO", "t/0/1", on_day=False)]).by_list([]).rows


def test_a_line_means_the_newest_revision_of_that_day() -> None:
    visit = [
        known(VisitState.REJECTED, revision=1),
        known(VisitState.DISPLAYED, revision=2),
        known(VisitState.CLOSED, revision=3, on_day=False, closed_at=T + timedelta(days=1)),
    ]
    (row,) = Day(visit).by_list([Closed("V1")]).rows
    assert row.revision == 2


def test_an_outage_is_what_a_visit_waits_for_first() -> None:
    waiting, elsewhere = known(VisitState.SIGNED, at("forward", State.WAITING)), known(VisitState.CLOSED, ma_lk="V2")
    day = Day([waiting, elsewhere], outages={"forward": "outage 7"})
    first, second = day.by_list([Closed("V1"), Closed("V2")]).rows
    assert first.explained.waits_for == "the end of outage 7, then its next attempt"
    assert second.explained.waits_for == "its turn"


def test_what_was_given_up_and_released_waits_as_the_ledger_says() -> None:
    given_up = known(VisitState.NOT_DUE, at("forward", State.NOT_DUE))
    released = known(VisitState.NOT_DUE, at("forward", State.READY))
    refused = known(VisitState.NOT_DUE, at("forward", State.REFUSED))
    found = [explain(item, [item]).outcome for item in (given_up, released, refused)]
    assert found == [Outcome.NOT_DUE, Outcome.PENDING, Outcome.REFUSED]
