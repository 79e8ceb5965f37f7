"""What a person may decide about, and what each revision waits for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.held import RefusedError, Standing, meant, replaced_by, waits_for
from streams.domain.submission import Happening, State, next_state

T = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
HOLDING = (State.HELD, State.READY, State.NOT_DUE)
ACTS = st.sampled_from([Happening.RELEASED, Happening.ABANDONED])


def standing(revision: int, state: State, stage: str = "forward") -> Standing:
    return Standing(revision, stage, state, None, T, 1)


AT_GATEWAY = st.builds(standing, st.integers(1, 4), st.sampled_from(State))
BESIDE = st.builds(standing, st.integers(1, 4), st.sampled_from(HOLDING), st.sampled_from(["sign", "publish"]))
VISITS = st.lists(AT_GATEWAY | BESIDE, max_size=6, unique_by=lambda item: (item.revision, item.stage))


@given(VISITS, st.none() | st.integers(1, 4), ACTS)
def test_an_act_is_about_what_can_move_by_it_and_never_puts_an_older_over_a_newer(
    visit: list[Standing], revision: int | None, act: Happening
) -> None:
    try:
        found = meant(visit, revision, act)
    except RefusedError:
        return
    assert found in visit
    assert next_state(found.state, act) is not None
    assert found.stage != "publish"
    assert revision in (None, found.revision)
    assert act is Happening.ABANDONED or replaced_by(visit, found.revision) is None


@given(VISITS)
def test_what_is_held_and_not_replaced_can_be_released_by_its_revision(visit: list[Standing]) -> None:
    for item in visit:
        if item.state is State.HELD and item.stage != "publish" and replaced_by(visit, item.revision) is None:
            assert meant(visit, item.revision, Happening.RELEASED).revision == item.revision


def test_without_a_revision_the_newest_that_is_held_is_meant() -> None:
    visit = [standing(1, State.HELD, "sign"), standing(2, State.HELD, "sign"), standing(3, State.NOT_DUE, "sign")]
    assert meant(visit, None, Happening.RELEASED).revision == 2


def test_a_dossier_that_is_held_by_both_is_meant_where_it_is_further() -> None:
    visit = [standing(1, State.HELD), standing(1, State.HELD, "sign")]
    assert meant(visit, 1, Happening.RELEASED).stage == "forward"


@pytest.mark.parametrize(
    ("visit", "words"),
    [
        ([], "revision 1 of it is not held"),
        ([standing(1, State.ACCEPTED)], "revision 1 is ACCEPTED, not held"),
        ([standing(1, State.SUPERSEDED), standing(2, State.READY)], "revision 1 is SUPERSEDED: revision 2 took its"),
        ([standing(1, State.HELD, "sign"), standing(2, State.HELD)], "revision 1 is SUPERSEDED: revision 2 took its"),
        ([standing(1, State.ACCEPTED), standing(1, State.HELD, "publish")], "withholding.csv"),
    ],
)
def test_a_refusal_says_what_stands_against_it(visit: list[Standing], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        meant(visit, 1, Happening.RELEASED)


@pytest.mark.parametrize(
    ("visit", "words"),
    [
        ([standing(1, State.HELD)], "a decision: held release or held abandon"),
        ([standing(1, State.HELD, "sign"), standing(2, State.READY)], "nothing: superseded by 2"),
        (
            [standing(1, State.HELD, "publish")],
            "withholding.csv of its facility to be mended; publish goes on by itself",
        ),
        ([standing(1, State.READY, "sign")], "sign to take it up again"),
        ([standing(1, State.READY)], "its turn to be sent"),
        ([standing(1, State.WAITING)], "its next attempt"),
        ([standing(1, State.SENDING)], "the gateway's answer"),
        ([standing(2, State.READY), standing(1, State.OVERTAKEN)], "the answer to revision 1, which is in flight"),
        ([standing(2, State.WAITING), standing(1, State.OVERTAKEN)], "the answer to revision 1, which is in flight"),
        *(([standing(1, state)], None) for state in (State.ACCEPTED, State.REFUSED, State.SUPERSEDED, State.NOT_DUE)),
    ],
)
def test_every_revision_says_what_it_waits_for(visit: list[Standing], words: str | None) -> None:
    assert waits_for(visit[0], visit) == words
