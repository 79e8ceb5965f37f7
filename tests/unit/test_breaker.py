"""The breaker: opens by different subjects, probes, and forgets everything after a success."""

from hypothesis import given
from hypothesis import strategies as st

from streams.domain.breaker import LONGEST, PAUSE, Breaker, Position


def test_one_poisoned_dossier_never_opens_it() -> None:
    breaker = Breaker(threshold=3)
    for now in range(100):
        breaker = breaker.failed("the same", now)
    assert breaker.position(100) is Position.CLOSED


def test_different_failures_open_it_and_the_pause_lets_one_probe_through() -> None:
    breaker = Breaker(threshold=3)
    for subject in "abc":
        assert breaker.position(0) is Position.CLOSED
        breaker = breaker.failed(subject, 0)
    assert [breaker.position(now) for now in (0, PAUSE - 0.1, PAUSE)] == [
        Position.OPEN,
        Position.OPEN,
        Position.HALF_OPEN,
    ]


def test_each_failed_probe_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now, pauses = Breaker(threshold=1).failed("a", 0.0), 0.0, []
    for _ in range(7):
        assert breaker.open_until is not None
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
        breaker = breaker.failed("a", now)
    assert pauses == [15, 30, 60, 120, 240, LONGEST, LONGEST]


def test_an_answer_to_a_send_from_before_it_opened_changes_nothing() -> None:
    opened = Breaker(threshold=1).failed("a", 0)
    assert opened.failed("b", 1) == opened
    assert opened.tripped(1) == opened


def test_a_success_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker(threshold=2).failed("a", 0).succeeded().failed("b", 1)
    assert breaker.position(1) is Position.CLOSED


@given(st.lists(st.one_of(st.none(), st.sampled_from("abcde")), max_size=40))
def test_a_success_always_closes_it(happenings: list[str | None]) -> None:
    breaker = Breaker(threshold=2)
    for now, failed in enumerate(happenings):
        breaker = breaker.succeeded() if failed is None else breaker.failed(failed, now * 7.0)
    assert breaker.succeeded() == Breaker(threshold=2)
