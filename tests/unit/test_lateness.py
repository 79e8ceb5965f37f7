"""Each missed deadline has a cause and a side: whose turn it was for most of the time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.lateness import REASONS, Course, cause_of, pieces
from streams.domain.outage import FoundBy, Outage, Side

T = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
OURS, LAW, CORRECTION = "closed-to-receipt", "receipt-to-shown", "late-verdict-to-correction"


def at(minutes: float) -> datetime:
    return T + timedelta(minutes=minutes)


def line(kind: str, minutes: float, revision: int = 1, **detail: Any) -> dict[str, Any]:
    return {"revision": revision, "type": kind, "happened_at": at(minutes), "detail": detail}


def closed(handed_over: float, revision: int = 1, at_minute: float = 0) -> dict[str, Any]:
    return line("visit.closed.v1", at_minute, revision, handed_over_at=at(handed_over).isoformat())


def attempt(minutes: float, result: str = "UNKNOWN", revision: int = 1) -> dict[str, Any]:
    return {"revision": revision, "started_at": at(minutes), "result": result}


def outage(subject: Side, begin: float, end: float | None, *, announced: bool = False) -> Outage:
    until = None if end is None else at(end)
    return Outage(1, subject, None, announced, at(begin), until, FoundBy.PERSON, "-")


def course(clock: str, until: float, *lines: dict[str, Any], since: float = 0, **more: Any) -> Course:
    return Course(clock, 1, at(since), at(until), lines, **more)


SIGNED = "visit.signed.v1"
ACCEPTED, ENTRY, SHOWN = "visit.accepted.v1", "health-book.entry.v1", "health-book.displayed.v1"

CASES = {
    "the HIS was late": (course(OURS, 20, closed(18), line(SIGNED, 18.5), attempts=[attempt(19)]), "HANDED_OVER_LATE"),
    "it never came out of our stages": (course(OURS, 20, closed(0.1)), "PROCESSED_LATE"),
    "we did not send": (course(OURS, 20, closed(0.1), line(SIGNED, 0.2)), "SENT_LATE"),
    "it waited behind slow sends of its facility": (
        course(OURS, 20, closed(0.1), line(SIGNED, 0.2), attempts=[attempt(19)], slow=[(at(-5), at(18))]),
        "GATEWAY_SLOW",
    ),
    "sends were slow because our own line was out": (
        course(
            OURS,
            20,
            closed(0.1),
            line(SIGNED, 0.2),
            attempts=[attempt(19)],
            slow=[(at(-5), at(18))],
            outages=[outage(Side.US, 0, 19)],
        ),
        "OUR_OUTAGE",
    ),
    "slow sends were over long before": (
        course(OURS, 20, closed(0.1), line(SIGNED, 0.2), attempts=[attempt(19)], slow=[(at(-5), at(2))]),
        "SENT_LATE",
    ),
    "slow sends excuse no late signature": (
        course(OURS, 20, closed(0.1), line(SIGNED, 18), attempts=[attempt(19)], slow=[(at(-5), at(18))]),
        "PROCESSED_LATE",
    ),
    "the gateway was slow": (
        course(OURS, 20, closed(0.1), line(SIGNED, 0.2), attempts=[attempt(1), attempt(9)]),
        "GATEWAY_SLOW",
    ),
    "the gateway was out while we sent": (
        course(
            OURS, 20, closed(0.1), line(SIGNED, 0.2), attempts=[attempt(1)], outages=[outage(Side.GATEWAY, 0, None)]
        ),
        "GATEWAY_OUTAGE",
    ),
    "the breaker was open, so nothing was sent": (
        course(OURS, 20, closed(0.1), line(SIGNED, 0.2), outages=[outage(Side.GATEWAY, -60, 19)]),
        "GATEWAY_OUTAGE",
    ),
    "a maintenance of the gateway": (
        course(OURS, 20, closed(0.1), line(SIGNED, 0.2), outages=[outage(Side.GATEWAY, 0, 19, announced=True)]),
        "GATEWAY_MAINTENANCE",
    ),
    "an outage of the gateway excuses no late hand-over": (
        course(OURS, 20, closed(18), line(SIGNED, 18.5), outages=[outage(Side.GATEWAY, 0, 19)]),
        "HANDED_OVER_LATE",
    ),
    "a certificate had expired": (
        course(
            OURS,
            60,
            closed(0.1),
            line("visit.held.v1", 0.2, reason="CERTIFICATE_EXPIRED"),
            line(SIGNED, 55),
            decisions=[{"revision": 1, "decided_at": at(54)}],
            attempts=[attempt(56)],
        ),
        "FACILITY_HAD_TO_ACT",
    ),
    "a wrong password": (
        course(OURS, 20, closed(0.1), line(SIGNED, 0.2), attempts=[attempt(1, "AUTH")]),
        "FACILITY_HAD_TO_ACT",
    ),
    "the sending window was closed": (
        course(
            OURS,
            90,
            closed(0.1),
            line(SIGNED, 0.2),
            line("visit.held.v1", 2, reason="GATEWAY_WINDOW"),
            attempts=[attempt(1, "PERMANENT_WINDOW")],
        ),
        "GATEWAY_HOLD",
    ),
    "we were out": (course(OURS, 20, closed(0.1), outages=[outage(Side.US, 0, 19)]), "OUR_OUTAGE"),
    "nobody knows the receipt": (course(LAW, 1500, closed(-10)), "GATEWAY_NO_RECEIPT"),
    "the answer came a day later": (
        course(LAW, 1500, line(ACCEPTED, 1400), line(ENTRY, 1401), line(SHOWN, 1500)),
        "GATEWAY_NO_RECEIPT",
    ),
    "we published late": (
        course(LAW, 1500, line(ACCEPTED, 1), line(ENTRY, 1400), line(SHOWN, 1500)),
        "PUBLISHED_LATE",
    ),
    "the facility's list could not be read": (
        course(
            LAW,
            1500,
            line(ACCEPTED, 1),
            line("visit.held.v1", 2, reason="WITHHOLDING_LIST"),
            line(ENTRY, 1400),
            line(SHOWN, 1500),
        ),
        "FACILITY_HAD_TO_ACT",
    ),
    "the display side is silent": (course(LAW, 1500, line(ACCEPTED, 1), line(ENTRY, 2)), "DISPLAY_SILENT"),
    "it was shown late": (
        course(LAW, 1500, line(ACCEPTED, 1), line(ENTRY, 2), line(SHOWN, 1500)),
        "DISPLAY_LATE",
    ),
    "the display side was out": (
        course(LAW, 1500, line(ACCEPTED, 1), line(ENTRY, 2), outages=[outage(Side.DISPLAY, 100, None)]),
        "DISPLAY_OUTAGE",
    ),
    "no correction came": (course(CORRECTION, 4000, line(ACCEPTED, -60)), "CORRECTED_LATE"),
    "the correction came in time and the gateway was slow": (
        course(
            CORRECTION,
            4000,
            closed(100, 2, at_minute=99),
            line(SIGNED, 101, 2),
            attempts=[attempt(102, revision=2)],
        ),
        "GATEWAY_SLOW",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_what_took_most_of_the_time(name: str) -> None:
    given_course, code = CASES[name]
    found = cause_of(given_course)
    assert found is not None
    assert found.code == code
    assert given_course.since <= found.from_at < found.until_at <= given_course.until


def test_every_cause_is_shown_by_a_case_and_speaks_both_languages() -> None:
    shown = {code for _, code in CASES.values()} | {"HIS_OUTAGE"}
    assert shown == set(REASONS)
    assert all(reason.text_vi and reason.text_en for reason in REASONS.values())
    assert {reason.side for reason in REASONS.values()} == set(Side)


def test_an_outage_of_the_his_explains_a_late_hand_over() -> None:
    found = cause_of(course(OURS, 20, closed(18), outages=[outage(Side.HIS, 0, 18)]))
    assert found is not None
    assert (found.side, found.code, found.from_at, found.until_at) == (Side.HIS, "HIS_OUTAGE", T, at(18))


def test_a_clock_without_length_has_no_cause() -> None:
    assert cause_of(course(OURS, 0, closed(0))) is None


minutes = st.integers(-30, 1600)
kinds = st.sampled_from(["visit.closed.v1", SIGNED, ACCEPTED, ENTRY, SHOWN])
lines = st.builds(line, kinds, minutes, st.integers(1, 2)) | st.builds(
    lambda m, r: line("visit.held.v1", m, r, reason="CERTIFICATE_EXPIRED"), minutes, st.integers(1, 2)
)
outages = st.builds(
    lambda subject, begin, length: outage(subject, begin, begin + length),
    st.sampled_from(Side),
    minutes,
    st.integers(1, 900),
)


@given(
    st.sampled_from([OURS, LAW, CORRECTION]),
    st.integers(1, 1500),
    st.lists(lines, max_size=8),
    st.lists(minutes, max_size=3),
    st.lists(outages, max_size=3),
)
def test_whatever_happened_the_pieces_fill_the_time_without_gap_or_overlap(
    clock: str, until: int, told: list[Any], sent: list[int], out: list[Outage]
) -> None:
    found = pieces(course(clock, until, *told, attempts=[attempt(m) for m in sent], outages=out))
    assert [found[0].from_at, *(piece.until_at for piece in found)] == [
        *(piece.from_at for piece in found),
        at(until),
    ]
    assert found[0].from_at == T
    assert {piece.code for piece in found} <= set(REASONS)
