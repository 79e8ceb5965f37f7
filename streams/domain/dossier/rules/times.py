"""X1: the moments of the visit summary."""

from collections.abc import Iterator

from events.visit import Finding
from streams.domain.dossier.findings import Place, finding
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.visit import Visit

ENDS_LATER = frozenset({"02", "05", "07"})
"""MA_LOAI_KCB whose NGAY_RA is the last day of medicine or service, which may lie ahead."""


def not_in_the_future(visit: Visit) -> Iterator[Finding]:
    """X1-003 (GATEWAY §12.11)."""
    now = visit.now.strftime("%Y%m%d%H%M")
    expected = f"until {now}"
    if visit.of_xml1("NGAY_VAO") > now:
        yield finding("X1-003/in", Place("XML1", None, "NGAY_VAO"), expected=expected, found="a later moment")
    if visit.of_xml1("NGAY_RA") > now and visit.of_xml1("MA_LOAI_KCB") not in ENDS_LATER:
        yield finding("X1-003/out", Place("XML1", None, "NGAY_RA"), expected=expected, found="a later moment")


RULES = (Rule("X1-003", not_in_the_future),)
