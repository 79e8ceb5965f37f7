"""Whose dossier it is: envelope, XML1 and sender name one facility, which is registered on the visit's day."""

from collections.abc import Iterator

from events.visit import Finding
from streams.domain.dossier.findings import ENVELOPE, Place, finding
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.visit import Visit

CODE_LENGTH = 5
_IN_ENVELOPE = Place(ENVELOPE, None, "MACSKCB")
_IN_XML1 = Place("XML1", None, "MA_CSKCB")


def envelope_facility(visit: Visit) -> Iterator[Finding]:
    """ENV-002: MACSKCB has 5 characters and equals XML1.MA_CSKCB and the sender."""
    named = visit.envelope_facility
    if named is None:
        return
    if len(named) != CODE_LENGTH:
        found = f"{len(named)} characters"
        yield finding("ENV-002/form", _IN_ENVELOPE, expected="5 characters", found=found, length=len(named))
        return
    in_xml1 = visit.of_xml1("MA_CSKCB")
    if in_xml1 and in_xml1 != named:
        yield finding("ENV-002/xml1", _IN_ENVELOPE, expected="MA_CSKCB of XML1", found=named)
    sender = visit.sender.facility
    if sender is not None and sender != named:
        yield finding("ENV-002/sender", _IN_ENVELOPE, expected=sender, found=named)


def sending_facility(visit: Visit) -> Iterator[Finding]:
    """FAC-003: without an envelope, XML1 itself names the sender."""
    in_xml1, sender = visit.of_xml1("MA_CSKCB"), visit.sender.facility
    if visit.envelope_facility is None and in_xml1 and sender is not None and in_xml1 != sender:
        yield finding("FAC-003", _IN_XML1, expected=sender, found=f"{len(in_xml1)} characters")


def registered(visit: Visit) -> Iterator[Finding]:
    """FAC-001: the facility may send at all."""
    facility, register = _facility(visit), visit.sender.register
    if facility and register is not None and facility not in register:
        yield finding("FAC-001", _IN_XML1, expected="a registered facility", found=facility, facility=facility)


def registered_on_the_day(visit: Visit) -> Iterator[Finding]:
    """FAC-002: the facility was allowed to send visits of that day."""
    facility, register = _facility(visit), visit.sender.register
    if not facility or register is None or facility not in register:
        return
    if not register[facility].covers(visit.day):
        day = visit.day.isoformat()
        yield finding("FAC-002", _IN_XML1, expected="a valid registration", found=day, facility=facility, day=day)


def _facility(visit: Visit) -> str:
    facility = visit.sender.facility or visit.of_xml1("MA_CSKCB")
    return facility if len(facility) == CODE_LENGTH else ""


RULES = (
    Rule("ENV-002", envelope_facility),
    Rule("FAC-001", registered),
    Rule("FAC-002", registered_on_the_day),
    Rule("FAC-003", sending_facility),
)
