"""Dead letters: which are open, and the order in which those of one visit go back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.topics import TOPICS
from streams.domain.dead_letter import Act, Handled, Letter, Order, Place, aside_headers, letter
from streams.errors import Reason

T = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TOPIC = "visit.closed.v1"
KEYS = (b"01999|V1", b"01999|V2", None)


def put_aside(
    offset: int, origin: int, key: bytes | None = KEYS[0], topic: str = TOPIC, size: int | None = 7
) -> Letter:
    headers = aside_headers(Place(topic, 0, origin), "validate", Reason.UNEXPECTED, T)
    return letter(Place(f"{topic}.dlq", 0, offset), key, size, T, headers)


def handled(origin: int, act: Act = Act.REDRIVEN, copy: int | None = None) -> Handled:
    return Handled(Place(TOPIC, 0, origin), act, "ngoc", "mended", T, None if copy is None else Place(TOPIC, 0, copy))


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Letter], list[Handled]]:
    """Records that fell; some were redriven or dismissed, and some of the copies fell again."""
    key_of = {number: draw(st.sampled_from(KEYS)) for number in range(draw(st.integers(0, 8)))}
    fallen, acts, end = list(key_of), [], len(key_of)
    for origin in list(key_of):
        while draw(st.booleans()):
            act = draw(st.sampled_from(Act))
            if act is Act.DISMISSED or draw(st.booleans()):
                acts.append(handled(origin, act))  # a redrive without a copy is not known to have happened
                break
            acts.append(handled(origin, Act.REDRIVEN, end))
            if not draw(st.booleans()):
                break
            key_of[end] = key_of[origin]
            fallen.append(end)
            origin, end = end, end + 1
    letters = [put_aside(offset, origin, key_of[origin]) for offset, origin in enumerate(fallen)]
    return letters, acts


@given(logs())
def test_letters_of_a_key_go_one_after_the_other_and_nothing_else_waits(
    log: tuple[list[Letter], list[Handled]],
) -> None:
    letters, acts = log
    order = Order(letters, acts)
    for item in letters:
        first = order.waits_for(item)
        if first is not None:
            assert item.key is not None
            assert first.key == item.key
            assert order.open(first)
            assert order.rank(first) < order.rank(item)
    for key in (KEYS[0], KEYS[1]):
        free = [item for item in letters if item.key == key and order.open(item) and not order.waits_for(item)]
        assert len(free) == bool([item for item in letters if item.key == key and order.open(item)])


@given(logs())
def test_all_that_is_open_can_be_redriven_in_the_order_of_rank(log: tuple[list[Letter], list[Handled]]) -> None:
    letters, acts = log
    order = Order(letters, acts)
    for item in sorted(letters, key=order.rank):
        if order.open(item):
            assert order.against(item, again=False) is None
            order.note(handled(item.origin.offset, copy=10_000 + item.origin.offset))
    assert not [item for item in letters if order.open(item)]


def test_a_copy_that_fell_again_still_goes_before_what_came_after_its_first_place() -> None:
    first, later, fell_again = put_aside(0, 5), put_aside(1, 8), put_aside(2, 20)
    order = Order([first, later, fell_again], [handled(5, copy=20)])
    assert not order.open(first)
    assert order.waits_for(later) == fell_again
    assert order.waits_for(fell_again) is None


def test_letters_of_several_readers_about_one_record_are_settled_together() -> None:
    one, other = put_aside(0, 5), put_aside(1, 5)
    order = Order([one, other], [handled(5, copy=20)])
    assert not order.open(one)
    assert not order.open(other)


STRANGE = letter(Place(f"{TOPIC}.dlq", 0, 3), b"x", 1, T, [("dlq_offset", b"minus one"), ("dlq_stage", None)])


@pytest.mark.parametrize(
    ("item", "acts", "words"),
    [
        (STRANGE, [], "no stage of ours"),
        (put_aside(0, 5, topic="health-book.entry.v1"), [], "see it twice"),
        (put_aside(0, 5, size=None), [], "the whole of it is at visit.closed.v1/0/5"),
        (put_aside(0, 5), [handled(5, copy=9)], "was redriven by ngoc at 2026-11-02 09:30:00Z"),
        (put_aside(0, 5), [handled(5, Act.DISMISSED)], "was dismissed by ngoc"),
    ],
)
def test_what_stands_against_a_redrive_is_said(item: Letter, acts: list[Handled], words: str) -> None:
    assert words in str(Order([item], acts).against(item, again=False))


def test_again_is_a_persons_word_against_a_first_redrive_only() -> None:
    earlier, item = put_aside(0, 4), put_aside(1, 5)
    order = Order([earlier, item], [handled(5, copy=9)])
    assert order.against(item, again=True) is not None, "its place in the order stays"
    order.note(handled(4, copy=10))
    assert order.against(item, again=True) is None


def test_an_act_that_was_not_confirmed_leaves_the_letter_open() -> None:
    item = put_aside(0, 5)
    order = Order([item], [handled(5)])
    assert order.open(item)
    assert order.against(item, again=False) is None


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if not (topic.public and topic.outbox)])
def test_every_topic_but_the_one_that_promises_once_may_be_redriven(topic: object) -> None:
    item = put_aside(0, 5, topic=topic.name)  # type: ignore[attr-defined]
    assert Order([item], []).against(item, again=False) is None


@pytest.mark.parametrize(
    ("key", "visit"),
    [
        (b"01999|V1", "01999|V1"),
        (b"closed-to-receipt|01999|V1", "closed-to-receipt|01999|V1"),
        (b"001099012345", None),
        (b"\xff\xfe", None),
        (b"01999|V1\x1b[2J", None),
        (None, None),
    ],
)
def test_a_key_is_shown_only_in_the_form_of_ours(key: bytes | None, visit: str | None) -> None:
    assert put_aside(0, 5, key).visit == visit
    assert "V1" not in repr(put_aside(0, 5, key))
