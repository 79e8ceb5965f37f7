"""What an answer means for a visit: what decides nothing is tried until the horizon, however often that was."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from events.visit import PersonKeyKind, VisitHeld, VisitSigned
from streams.domain.gateway_result import Reply, ResultClass
from streams.domain.submission import Later, Submission
from streams.stages.forward import outcome

T = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
DECIDES_NOTHING = st.sampled_from([ResultClass.TEMPORARY, ResultClass.UNKNOWN, ResultClass.AUTH])
VISIT = VisitSigned("01999", "V1", 1, T, "3176", "01", True, PersonKeyKind.CCCD, b"", "", "", "")
DAY = timedelta(days=1)


@given(
    DECIDES_NOTHING,
    st.integers(1, 10_000),
    st.timedeltas(timedelta(), 3 * DAY),
    st.timedeltas(timedelta(), timedelta(minutes=2)),
    st.booleans(),
)
def test_what_decides_nothing_is_held_past_the_horizon_and_never_before(
    result: ResultClass, attempt: int, after: timedelta, duration: timedelta, probe: bool
) -> None:
    submission = Submission(1, VISIT, attempt, 0, T + after, due_at=T, give_up_at=T + DAY, probe=probe)
    found = outcome(submission, Reply(result, "500", duration=duration))
    past = after + duration >= DAY
    asked_whether_it_is_back = probe and result is not ResultClass.AUTH
    assert isinstance(found, VisitHeld if past and not asked_whether_it_is_back else Later)
