"""The life of a revision at the gateway: nothing leaves an end, nothing is sent twice at once, waits are spread."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.submission import CLAIMABLE, IN_FLIGHT, MOVES, Happening, State, backoff, next_state

ENDS = {State.ACCEPTED, State.REFUSED, State.SUPERSEDED}
PERSON = {Happening.RELEASED, Happening.ABANDONED}


@given(st.lists(st.sampled_from(Happening), max_size=30))
def test_an_end_is_an_end(happenings: list[Happening]) -> None:
    state = State.READY
    for happening in happenings:
        after = next_state(state, happening)
        assert not (state in ENDS and after)
        state = after or state


def test_only_what_is_due_is_claimed_and_only_what_is_in_flight_gets_an_answer() -> None:
    answers = {Happening.ACCEPTED, Happening.REFUSED, Happening.HELD, Happening.LATER}
    assert {old for old, what in MOVES if what is Happening.CLAIMED} == set(CLAIMABLE)
    for answer in answers:
        assert {old for old, what in MOVES if what is answer} == set(IN_FLIGHT)


def test_what_was_overtaken_in_flight_never_counts_whatever_is_answered() -> None:
    assert {new for (old, _), new in MOVES.items() if old is State.OVERTAKEN} == {State.SUPERSEDED}


def test_a_person_alone_brings_back_what_waits_for_a_person() -> None:
    for waits in (State.HELD, State.NOT_DUE):
        back = {what for (old, what), new in MOVES.items() if old is waits and new is not State.SUPERSEDED}
        assert back
        assert back <= PERSON


def test_every_state_can_be_reached_from_ready() -> None:
    reached = {State.READY}
    for _ in State:
        reached |= {new for (old, _), new in MOVES.items() if old in reached}
    assert reached == set(State)


@pytest.mark.parametrize(("attempt", "most"), [(1, 5), (2, 15), (3, 45), (4, 120), (5, 300), (6, 900), (99, 900)])
def test_waits_grow_to_a_quarter_of_an_hour_with_full_jitter(attempt: int, most: int) -> None:
    """GATEWAY §12.7."""
    assert backoff(attempt, 0.0) == timedelta()
    assert backoff(attempt, 1.0) == timedelta(seconds=most)
    assert backoff(attempt, 0.5, scale=0.1) == timedelta(seconds=most * 0.05)


@pytest.mark.parametrize(
    ("left", "most"), [(-60, 300), (0, 300), (2, 5), (60, 30), (240, 120), (600, 300), (86_400, 300)]
)
def test_of_the_time_until_it_is_due_no_more_than_half_is_waited_away(left: float, most: float) -> None:
    assert backoff(5, 1.0, left=timedelta(seconds=left)) == timedelta(seconds=most)
