"""Predicted breaches: what the rate cannot drain in time, before it is late; no alarm for a quiet night."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.prediction import QUIET, SLOW, Shape, replay
from streams.sla import clocks
from streams.sla.prediction import Drain, Prediction, Waiting, predict, window

T = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def test_what_the_rate_drains_in_time_is_no_breach() -> None:
    assert predict([Waiting(T + 10 * MINUTE, 600)], 1.0, T) == Prediction(1.0, 600, 0, None)


def test_who_comes_behind_what_can_be_drained_will_be_late_at_its_due_time() -> None:
    waiting = [Waiting(T + 1 * MINUTE, 30), Waiting(T + 2 * MINUTE, 100), Waiting(T + 60 * MINUTE, 50)]
    assert predict(waiting, 1.0, T) == Prediction(1.0, 180, 10, T + 2 * MINUTE)


def test_without_any_drain_all_will_be_late() -> None:
    assert predict([Waiting(T + MINUTE, 3), Waiting(T + 2 * MINUTE, 4)], 0.0, T) == Prediction(0.0, 7, 7, T + MINUTE)


@given(st.lists(st.integers(1, 3600), max_size=40), st.floats(0.001, 2.0))
def test_it_is_what_serving_one_after_the_other_gives(seconds: list[int], rate: float) -> None:
    due = sorted(seconds)
    late = [at for number, at in enumerate(due, 1) if number > int(at * rate)]
    found = predict([Waiting(T + timedelta(seconds=at), 1) for at in due], rate, T)
    assert (found.running, found.breaches) == (len(due), len(late))
    assert found.first_at == (T + timedelta(seconds=late[0]) if late else None)


@given(st.lists(st.integers(1, 3600), max_size=40), st.floats(0.001, 2.0), st.floats(0.0, 2.0))
def test_a_faster_drain_never_makes_more_of_them_late(seconds: list[int], rate: float, more: float) -> None:
    waiting = [Waiting(T + timedelta(seconds=at), 1) for at in sorted(seconds)]
    assert predict(waiting, rate + more, T).breaches <= predict(waiting, rate, T).breaches


def drained(*ended: int, every: timedelta = 10 * SECOND) -> Drain:
    drain = Drain(5 * MINUTE)
    for number, count in enumerate(ended):
        drain.note(T + number * every, count)
    return drain


def test_the_rate_is_that_of_the_window_and_one_more() -> None:
    steady = drained(*range(0, 700, 10))  # one a second, for longer than the window
    assert steady.per_second(busy_since=T) == pytest.approx(301 / 300)


def test_time_without_work_does_not_count() -> None:
    burst = drained(*[0] * 30, 50)  # nothing to do for minutes, then 50 in the last 10 seconds
    assert burst.per_second(busy_since=T + 29 * 10 * SECOND) == pytest.approx(5.1)


def test_one_visit_in_a_quiet_night_is_no_alarm_before_it_has_waited_for_long() -> None:
    def late(age: timedelta) -> int:
        now = T + 60 * 10 * SECOND
        rate = drained(*[0] * 61).per_second(busy_since=now - age)
        return predict([Waiting(now - age + 15 * MINUTE, 1)], rate, now).breaches

    assert [late(age * MINUTE) for age in (0, 5, 9, 11, 14)] == [0, 0, 0, 1, 1]


def test_a_gateway_that_stops_is_seen_minutes_before_the_first_breach() -> None:
    """60 visits a minute come in; from minute 10 on none is received any more."""
    drain, first_seen = Drain(window(clocks.versions(clocks.CLOSED_TO_RECEIPT, clocks.shipped())[0])), None
    for second in range(0, 1800, 10):
        now = T + second * SECOND
        drain.note(now, min(second, 600))
        open_ = range(min(second, 600), second)
        waiting = [Waiting(T + start * SECOND + 15 * MINUTE, 1) for start in open_]
        if not open_:
            continue
        found = predict(waiting, drain.per_second(T + open_[0] * SECOND), now)
        if found.breaches and first_seen is None:
            first_seen = second
    assert first_seen is not None
    first_breach = 600 + 900
    assert first_breach - first_seen >= 600


@pytest.mark.parametrize("shape", SLOW, ids=lambda shape: shape.about)
def test_in_a_slow_down_every_late_visit_was_predicted_and_nearly_all_five_minutes_before(shape: Shape) -> None:
    day = replay(shape, seed=0)
    assert len(day.leads) > 50
    assert day.share == 1.0
    assert day.known[len(day.known) // 20] >= 300
    assert day.known[len(day.known) // 2] >= 600


@pytest.mark.parametrize("shape", QUIET, ids=lambda shape: shape.about)
def test_in_a_quiet_morning_nobody_is_predicted_to_be_late(shape: Shape) -> None:
    day = replay(shape, seed=0)
    assert (day.alarms, day.leads) == (0, [])
