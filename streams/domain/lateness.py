"""Who was late, and why: the cause of a missed deadline, read from the visit's own story. Pure.

The time of a clock is cut at what happened to the visit (handed over, signed, sent, received, published): each piece
has somebody whose turn it was. Slow sends of the same facility, holds and outages that overlap a piece say more exactly
what it waited for. What took most of the time is the cause.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from events.health_book import HealthBookDisplayed, HealthBookEntry
from events.visit import VisitAccepted, VisitClosed, VisitHeld, VisitSigned
from streams.domain.gateway_result import ResultClass
from streams.domain.outage import Outage, Side


@dataclass(frozen=True, slots=True)
class Reason:
    """What a visit can wait for, in words."""

    code: str
    side: Side
    text_vi: str
    text_en: str


_REASONS = (
    Reason("HANDED_OVER_LATE", Side.HIS, "HIS bàn giao hồ sơ muộn", "the HIS handed the visit over late"),
    Reason("HIS_OUTAGE", Side.HIS, "HIS ngừng hoạt động", "the HIS was out"),
    Reason(
        "FACILITY_HAD_TO_ACT",
        Side.HIS,
        "Hồ sơ chờ cơ sở khắc phục (chứng thư, tài khoản, danh sách)",
        "held until the facility mended its certificate, account or list",
    ),
    Reason("CORRECTED_LATE", Side.HIS, "Cơ sở gửi hồ sơ sửa lỗi muộn", "the facility sent the correction late"),
    Reason("PROCESSED_LATE", Side.US, "Hệ thống kiểm tra, ký hồ sơ muộn", "we validated and signed it late"),
    Reason("SENT_LATE", Side.US, "Hệ thống gửi hồ sơ lên cổng muộn", "we sent it to the gateway late"),
    Reason("PUBLISHED_LATE", Side.US, "Hệ thống đưa lên sổ sức khỏe muộn", "we published the entry late"),
    Reason("OUR_OUTAGE", Side.US, "Hệ thống của chúng tôi ngừng hoạt động", "we were out"),
    Reason("GATEWAY_SLOW", Side.GATEWAY, "Cổng BHXH trả lời chậm", "the gateway answered late"),
    Reason(
        "GATEWAY_NO_RECEIPT",
        Side.GATEWAY,
        "Mất trả lời của cổng BHXH, biên nhận biết muộn",
        "the gateway's answer was lost; the receipt was learnt late",
    ),
    Reason("GATEWAY_OUTAGE", Side.GATEWAY, "Cổng BHXH ngừng hoạt động", "the gateway was out"),
    Reason("GATEWAY_MAINTENANCE", Side.GATEWAY, "Cổng BHXH bảo trì theo thông báo", "the gateway's maintenance"),
    Reason("GATEWAY_HOLD", Side.GATEWAY, "Cổng BHXH không nhận, chờ người xử lý", "held by the gateway's answer"),
    Reason("DISPLAY_SILENT", Side.DISPLAY, "VNeID chưa xác nhận hiển thị", "the display side did not acknowledge it"),
    Reason("DISPLAY_LATE", Side.DISPLAY, "VNeID hiển thị muộn", "the display side showed it late"),
    Reason("DISPLAY_OUTAGE", Side.DISPLAY, "VNeID ngừng hoạt động", "the display side was out"),
)
REASONS: Mapping[str, Reason] = {reason.code: reason for reason in _REASONS}
"""Every cause by its code; a code never changes its meaning."""

_OUTAGE_OF: Mapping[Side, str] = {
    Side.HIS: "HIS_OUTAGE",
    Side.US: "OUR_OUTAGE",
    Side.GATEWAY: "GATEWAY_OUTAGE",
    Side.DISPLAY: "DISPLAY_OUTAGE",
}
_EXPLAINS: Mapping[Side, frozenset[str]] = {
    Side.HIS: frozenset({"HANDED_OVER_LATE", "CORRECTED_LATE"}),
    Side.US: frozenset({"PROCESSED_LATE", "SENT_LATE", "PUBLISHED_LATE"}),
    Side.GATEWAY: frozenset({"SENT_LATE", "GATEWAY_SLOW", "GATEWAY_NO_RECEIPT"}),
    Side.DISPLAY: frozenset({"DISPLAY_SILENT", "DISPLAY_LATE"}),
}
"""Which waits an outage of a subject explains."""

_AT_THE_GATEWAY = frozenset({"GATEWAY_WINDOW", "GATEWAY_UNKNOWN"})
"""Holds that wait for the gateway; all others wait for the facility."""

SLOW = timedelta(seconds=10)
"""A gateway that takes longer for one send is slow; usual are one to three seconds (GATEWAY Q12)."""

_GOES_ON = frozenset({VisitSigned.topic, VisitAccepted.topic, HealthBookEntry.topic})


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the time of a clock, and what it was spent on."""

    from_at: datetime
    until_at: datetime
    code: str

    @property
    def length(self) -> timedelta:
        return self.until_at - self.from_at


@dataclass(frozen=True, slots=True)
class Cause:
    """What took most of a clock's time: whose turn it was, why, from when until when."""

    side: Side
    code: str
    text_vi: str
    text_en: str
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class Course:
    """A clock of one revision, from its start until it stopped (or now), and all that is known about the visit.

    `lines`, `attempts` and `decisions` as `visit_story` has them, of all revisions.
    """

    clock: str
    revision: int
    since: datetime
    until: datetime
    lines: Sequence[Mapping[str, Any]]
    attempts: Sequence[Mapping[str, Any]] = ()
    decisions: Sequence[Mapping[str, Any]] = ()
    outages: Sequence[Outage] = field(default=())
    slow: Sequence[tuple[datetime, datetime]] = field(default=())
    """When the gateway was slow with another send of the facility: its limits made the others wait for that one."""


def cause_of(course: Course) -> Cause | None:
    """None only for a clock without any length."""
    found = pieces(course)
    spent: dict[str, timedelta] = {}
    for piece in found:
        spent[piece.code] = spent.get(piece.code, timedelta()) + piece.length
    if not spent:
        return None
    code = max(spent, key=lambda code: spent[code])  # of two the same, the one that came first
    mine = [piece for piece in found if piece.code == code]
    reason = REASONS[code]
    return Cause(reason.side, code, reason.text_vi, reason.text_en, mine[0].from_at, mine[-1].until_at)


def pieces(course: Course) -> list[Piece]:
    """The time of the clock in pieces, without a gap, in the order in which they passed."""
    if course.clock == "closed-to-receipt":
        found = _to_receipt(course)
    elif course.clock == "receipt-to-shown":
        found = _to_shown(course)
    else:
        found = _to_correction(course)
    for held in _holds(course):
        found = _overlaid(found, held, frozenset(REASONS))
    for outage in course.outages:
        found = _overlaid(found, _out(outage, course.until), _EXPLAINS[outage.subject])
    for begin, end in course.slow:  # last: an outage, also one of ours, says more than that sends took long
        found = _overlaid(found, Piece(begin, end, "GATEWAY_SLOW"), frozenset({"SENT_LATE"}))
    return found


def _to_receipt(course: Course) -> list[Piece]:
    sent = min((attempt["started_at"] for attempt in _of(course, course.attempts)), default=None)
    return _cut(
        course,
        ("HANDED_OVER_LATE", _handed_over(course)),
        ("PROCESSED_LATE", _when(course, VisitSigned.topic)),
        ("SENT_LATE", sent),
        (_at_gateway(course), course.until),
    )


def _to_shown(course: Course) -> list[Piece]:
    shown = _when(course, HealthBookDisplayed.topic)
    return _cut(
        course,
        ("GATEWAY_NO_RECEIPT", _when(course, VisitAccepted.topic)),
        ("PUBLISHED_LATE", _when(course, HealthBookEntry.topic)),
        ("DISPLAY_SILENT" if shown is None else "DISPLAY_LATE", course.until),
    )


def _to_correction(course: Course) -> list[Piece]:
    later = [line for line in course.lines if line["revision"] > course.revision]
    closed = [line for line in later if line["type"] == VisitClosed.topic]
    if not closed:
        return _cut(course, ("CORRECTED_LATE", course.until))
    correction = replace(course, revision=closed[0]["revision"], since=max(course.since, closed[0]["happened_at"]))
    waited = replace(course, until=min(correction.since, course.until))
    return _cut(waited, ("CORRECTED_LATE", waited.until)) + _to_receipt(correction)


def _cut(course: Course, *turns: tuple[str, datetime | None]) -> list[Piece]:
    """A piece for each turn until it was done (None: not yet); what was done out of order takes no time."""
    marks, codes = [course.since], []
    for code, done in turns:
        codes.append(code)
        marks.append(min(max(done or course.until, marks[-1]), course.until))
        if done is None:
            break
    return [Piece(begin, end, code) for (begin, end), code in zip(pairwise(marks), codes, strict=True) if begin < end]


def _at_gateway(course: Course) -> str:
    """What the time after the first sending is called: an account that cannot sign in is the facility's to mend."""
    answers = [attempt["result"] for attempt in _of(course, course.attempts)]
    return "FACILITY_HAD_TO_ACT" if answers and set(answers) == {ResultClass.AUTH} else "GATEWAY_SLOW"


def _holds(course: Course) -> Iterable[Piece]:
    """From each hold until the decision that followed it, or until the visit went on by itself."""
    lines = _of(course, course.lines)
    ends = [item["decided_at"] for item in _of(course, course.decisions)]
    ends += [line["happened_at"] for line in lines if line["type"] in _GOES_ON]
    for line in lines:
        if line["type"] == VisitHeld.topic:
            at, reason = line["happened_at"], line["detail"]["reason"]
            code = "GATEWAY_HOLD" if reason in _AT_THE_GATEWAY else "FACILITY_HAD_TO_ACT"
            yield Piece(at, min((end for end in ends if end > at), default=course.until), code)


def _out(outage: Outage, now: datetime) -> Piece:
    maintenance = outage.announced and outage.subject is Side.GATEWAY
    code = "GATEWAY_MAINTENANCE" if maintenance else _OUTAGE_OF[outage.subject]
    return Piece(outage.from_at, outage.until_at or now, code)


def _overlaid(found: Iterable[Piece], over: Piece, explains: frozenset[str]) -> list[Piece]:
    """The pieces with `over` in the place of what it explains."""
    result = []
    for piece in found:
        begin, end = max(piece.from_at, over.from_at), min(piece.until_at, over.until_at)
        if begin >= end or piece.code not in explains:
            result.append(piece)
            continue
        parts = replace(piece, until_at=begin), Piece(begin, end, over.code), replace(piece, from_at=end)
        result += [part for part in parts if part.from_at < part.until_at]
    return result


def _of(course: Course, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["revision"] == course.revision]


def _when(course: Course, topic: str) -> datetime | None:
    found: list[datetime] = [line["happened_at"] for line in _of(course, course.lines) if line["type"] == topic]
    return min(found, default=None)


def _handed_over(course: Course) -> datetime | None:
    """When the HIS had it on the bus; before this was recorded, when it closed."""
    for line in _of(course, course.lines):
        if line["type"] == VisitClosed.topic:
            told = line["detail"].get("handed_over_at")
            at: datetime = datetime.fromisoformat(told) if told else line["happened_at"]
            return at
    return None
