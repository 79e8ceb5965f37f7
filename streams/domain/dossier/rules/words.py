"""The words that rules share (RULES §3), and how values are shown in a finding."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

from streams.domain.dossier.moments import day_of
from streams.domain.dossier.visit import Line, Visit

ENDS_LATER = frozenset({"02", "05", "07"})
"""MA_LOAI_KCB whose NGAY_RA is the last day of medicine or service, which may lie ahead."""
INPATIENT_RATES = frozenset({"03", "04", "06", "09"})
PARACLINICAL = frozenset({"1", "2", "3"})
SUPPLIES = frozenset({"10", "11"})
BEDS = frozenset({"14", "15", "16"})
COVERED_SCOPES = frozenset({"1", "3"})
BLOOD_AND_OXYGEN = frozenset({"7", "17"})
"""MA_NHOM of XML2 that is bought and prescribed by other rules than medicines."""

_SENT_OUT = re.compile(r"\.K\..{5}$")


def members(value: str | None) -> list[str]:
    """Parts between semicolons; an empty part keeps its place. An empty value has none."""
    return value.split(";") if value else []


def cards(visit: Visit) -> list[str]:
    """The cards of the summary that are written as cards; numbers to be looked up (FMT-028) are left out."""
    return [card for card in members(visit.xml1["MA_THE_BHYT"]) if len(card) == 15]


def is_sent_out(line: Line) -> bool:
    """A service that another facility did for this one."""
    return _SENT_OUT.search(line["MA_DICH_VU"] or "") is not None


def home_code(code: str) -> str:
    """The code of a sent-out service as this facility has it."""
    return _SENT_OUT.sub("", code)


def is_bed(line: Line) -> bool:
    return line["MA_NHOM"] in BEDS


def is_supply(line: Line) -> bool:
    return line["MA_NHOM"] in SUPPLIES


def is_service(line: Line) -> bool:
    return bool(line["MA_DICH_VU"]) and line["MA_VAT_TU"] == ""


def age(visit: Visit) -> int | None:
    """Full years on the day of NGAY_VAO; an unknown day or month counts as the last one possible."""
    born, came = visit.of_xml1("NGAY_SINH"), day_of(visit.of_xml1("NGAY_VAO"))
    if not born or came is None:
        return None
    year, month, day = int(born[:4]), int(born[4:6]) or 12, int(born[6:8]) or 31
    return came.year - year - ((came.month, came.day) < (month, day))


def newborns_paper(visit: Visit, paper: Line) -> bool:
    """An XML7 that is a newborn's: it goes with the mother's dossier, one for each child."""
    return (
        visit.has("XML9")
        and bool(paper["MA_YTE"])
        and paper["MA_YTE"] != visit.of_xml1("MA_BN")
        and bool(paper["MA_ME"] or paper["HO_TEN_ME"])
    )


def day_text(day: date) -> str:
    return day.strftime("%Y%m%d")


@lru_cache(4096)
def moment(text: str) -> datetime:
    """A moment, or the first minute of a day; only for values whose form is known to be right."""
    return datetime.strptime(text.ljust(12, "0"), "%Y%m%d%H%M")  # noqa: DTZ007 - Vietnamese local time


def days_between(first: str, last: str) -> int:
    """Calendar days from one moment or day to another, without counting the first."""
    return (moment(last[:8]) - moment(first[:8])).days


def next_day(text: str) -> str:
    return day_text(moment(text[:8]) + timedelta(days=1))


def shown(text: str | None) -> str:
    """A day or moment for a person: 2026-11-02 09:30. Twelve digits in a row would look like a citizen number."""
    if not text or not text[:8].isdigit() or len(text) not in (8, 12):
        return text or "empty"
    day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    return day if len(text) == 8 else f"{day} {text[8:10]}:{text[10:]}"


def listed(codes: Iterable[str], most: int = 20) -> str:
    """Codes for a person, numbers in their order."""
    ordered = sorted(codes, key=lambda code: (len(code), code))
    return ", ".join(ordered) if len(ordered) <= most else f"one of {len(ordered)} codes of the list"
