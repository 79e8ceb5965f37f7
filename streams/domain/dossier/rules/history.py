"""What other hand-overs of the facility say about this one: earlier dossiers, and the check-in (RULES §6).

A check of files alone knows none of it; then these rules are not judged.
"""

from collections.abc import Iterator

from events.visit import Finding
from streams.domain.dossier.findings import finding
from streams.domain.dossier.history import patient_digest, serial_digest
from streams.domain.dossier.rules.papers import equal
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.visit import Visit


def another_visit(visit: Visit) -> Iterator[Finding]:
    """LNK-003: the revision before was about another patient on another day."""
    before = visit.earlier.revision_before if visit.earlier else None
    facility, ma_lk, ma_bn = (visit.of_xml1(name) for name in ("MA_CSKCB", "MA_LK", "MA_BN"))
    day = visit.of_xml1("NGAY_VAO")[:8]
    if not (before and ma_bn and day):
        return
    if before.patient != patient_digest(facility, ma_lk, ma_bn) and before.arrival_day != day:
        yield finding("LNK-003", visit.xml1.at("MA_LK"), expected="a MA_LK of its own", found="used for another visit")


def serial_used_before(visit: Visit) -> Iterator[Finding]:
    """X11-006."""
    others = visit.earlier.serials_of_others if visit.earlier else ()
    for paper in visit.lines("XML11") if others else ():
        serial = paper["SO_SERI"]
        if serial and serial_digest(visit.of_xml1("MA_CSKCB"), serial) in others:
            yield finding("X11-006", paper.at("SO_SERI"), expected="a serial of its own", found="used by another visit")


def as_at_check_in(visit: Visit) -> Iterator[Finding]:
    """LNK-005."""
    if visit.checkin is not None and visit.checkin.get("MA_LK", "") not in ("", visit.xml1["MA_LK"]):
        return  # the notice of another visit
    for name in _CHECKED_IN if visit.checkin is not None else ():
        before, now = (visit.checkin or {}).get(name), visit.xml1[name]
        if before and now and not equal(before, now):
            yield finding("LNK-005", visit.xml1.at(name), expected="the value of the check-in", found="another value")


_CHECKED_IN = ("MA_BN", "HO_TEN", "NGAY_SINH", "GIOI_TINH", "MA_CSKCB", "NGAY_VAO")

EARLIER_DOSSIERS, CHECKIN = "EARLIER_DOSSIERS", "CHECKIN"

RULES = (
    Rule("LNK-003", another_visit, lists=(EARLIER_DOSSIERS,)),
    Rule("LNK-005", as_at_check_in, lists=(CHECKIN,)),
    Rule("X11-006", serial_used_before, lists=(EARLIER_DOSSIERS,)),
)
