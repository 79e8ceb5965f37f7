"""FMT: the form of single values, beyond what the type of the field demands (that is `values.py`).

One row for each rule: which fields, which values are right, what is expected. A value is looked at once, however many
rows have it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from events.visit import Finding
from streams.domain.dossier.codelists import codes_on
from streams.domain.dossier.findings import finding, shape
from streams.domain.dossier.moments import is_day, is_moment
from streams.domain.dossier.rules.dosage import is_written_as_expected
from streams.domain.dossier.rules.rule import Check, Rule
from streams.domain.dossier.rules.words import BLOOD_AND_OXYGEN, ENDS_LATER, INPATIENT_RATES, members, shown
from streams.domain.dossier.visit import Visit

Fields = Mapping[str, tuple[str, ...]]
"""Table → fields of it."""
Holds = Callable[[str], bool]

_CARD = re.compile(r"[A-Z]{2}[0-9]{13}")
_NUMBER_TO_LOOK_UP = re.compile(r"[0-9]{10}|[0-9]{12}")
_INSURANCE_NUMBER = re.compile(r"(?!0{10})[0-9]{10}")
_FACILITY_LENGTH = 5
_MOST_ACCOMPANYING = 12
_HEAVY = Decimal(200)
_CARDS: Fields = dict.fromkeys(("CHECKIN", "XML1", "XML6", "XML11", "XML12"), ("MA_THE_BHYT",))
_TENDER_PART = "[1-9]|0[1-9]|[1-9][0-9]"


def values(text_id: str, fields: Fields, holds: Holds, expected: str) -> Check:
    """A rule about single values that are not empty."""

    def check(visit: Visit) -> Iterator[Finding]:
        right: set[str] = set()
        for kind, names in fields.items():
            for line in visit.lines(kind):
                for name in names:
                    value = line[name]
                    if not value or value in right:
                        continue
                    if holds(value):
                        right.add(value)
                    else:
                        form = shape(value)
                        yield finding(text_id, line.at(name), expected=expected, found=form, shape=form)

    return check


def pattern(text: str) -> Holds:
    compiled = re.compile(text)
    return lambda value: compiled.fullmatch(value) is not None


def each_member(holds: Holds) -> Holds:
    return lambda value: all(holds(member) for member in members(value))


def _is_card(member: str) -> bool:
    return bool(_CARD.fullmatch(member) or _NUMBER_TO_LOOK_UP.fullmatch(member))


def _facility_codes(value: str) -> bool:
    return all(len(member) == _FACILITY_LENGTH for member in members(value))


def _has_no_empty_member(value: str) -> bool:
    return all(member.strip() for member in members(value))


def _is_weight(value: str) -> bool:
    whole, _, decimals = value.partition(".")
    return len(decimals) <= 2 and Decimal(f"{whole}.{decimals or 0}") > 0


def _is_positive(member: str) -> bool:
    return re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", member) is not None and Decimal(member) > 0


def heavy(visit: Visit) -> Iterator[Finding]:
    """FMT-020W: more than any patient weighs is rather grams, or a slipped dot."""
    weight = visit.of_xml1("CAN_NANG")
    if weight and Decimal(weight) > _HEAVY:
        yield finding("FMT-020W", visit.xml1.at("CAN_NANG"), expected="at most 200 kg", found=weight)


def machines(visit: Visit) -> Iterator[Finding]:
    """FMT-016: group.source.serial, with the facility before the serial when the machine is another one's."""
    known = codes_on(visit.lists, visit.day, "ma_may_nhom")
    for line in visit.lines("XML3"):
        for number, member in enumerate(members(line["MA_MAY"])):
            if number and "." not in member:
                continue  # a further serial of the machine before it
            group, _, rest = member.partition(".")
            right = (group in known or re.fullmatch("[A-Za-z]{1,3}", group)) and re.fullmatch(r"[123]\..+", rest)
            if not right:
                form = shape(member)
                yield finding("FMT-016", line.at("MA_MAY"), expected="group.source.serial", found=form, shape=form)
                break


def dosages(visit: Visit) -> Iterator[Finding]:
    """FMT-022: of what an outpatient swallows."""
    if visit.of_xml1("MA_LOAI_KCB") in INPATIENT_RATES:
        return
    for line in visit.lines("XML2"):
        text, way = line["LIEU_DUNG"], line["DUONG_DUNG"]
        if not text or not way or not way.startswith("1.") or line["MA_NHOM"] in BLOOD_AND_OXYGEN:
            continue
        if line["MA_NHOM"] and not is_written_as_expected(text):
            yield finding("FMT-022", line.at("LIEU_DUNG"), expected="amount * times a day * days [total a day]")


def appointments(visit: Visit) -> Iterator[Finding]:
    """FMT-025 and its doubtful half: days on which the patient should come again."""
    place = visit.xml1.at("NGAY_TAI_KHAM")
    days = members(visit.xml1["NGAY_TAI_KHAM"])
    if not all(map(is_day, days)):
        form = shape(visit.of_xml1("NGAY_TAI_KHAM"))
        yield finding("FMT-025/form", place, expected="yyyymmdd;yyyymmdd", found=form, shape=form)
        return
    last = visit.of_xml1("NGAY_VAO" if visit.of_xml1("MA_LOAI_KCB") in ENDS_LATER else "NGAY_RA")[:8]
    if not last:
        return
    if any(day < last for day in days):
        yield finding("FMT-025/early", place, expected=f"from {shown(last)}", found=shown(min(days)))
    elif last in days:
        yield finding("FMT-025W", place, expected=f"after {shown(last)}", found=shown(last))


def numbers_to_look_up(visit: Visit) -> Iterator[Finding]:
    """FMT-028: a number in place of the card that it belongs to."""
    for kind in ("CHECKIN", "XML1", "XML6", "XML11"):
        for line in visit.lines(kind):
            found = next((m for m in members(line["MA_THE_BHYT"]) if _NUMBER_TO_LOOK_UP.fullmatch(m)), None)
            if found:
                digits = f"{len(found)} digits"
                yield finding("FMT-028", line.at("MA_THE_BHYT"), expected="a card of 15 characters", found=digits)


_STAFF: Fields = {
    "XML2": ("MA_BAC_SI", "NGUOI_THUC_HIEN"),
    "XML3": ("MA_BAC_SI", "NGUOI_THUC_HIEN"),
    "XML5": ("MA_BAC_SI", "NGUOI_THUC_HIEN"),
}
_FACILITIES: Fields = {
    "XML1": ("MA_CSKCB", "MA_DKBD", "MA_NOI_DI", "MA_NOI_DEN"),
    "XML6": ("MA_CSKCB",),
    "XML13": ("MA_CSKCB", "MA_NOI_DI", "MA_NOI_DEN", "MA_CSKCB_DEN"),
    "XML14": ("MA_CSKCB",),
}
_INSURANCE_NUMBERS: Fields = {
    "XML7": ("MA_CHA", "MA_ME"),
    "XML9": ("MA_BHXH_NND",),
    "XML11": ("MA_BHXH",),
}
_TEMPORARY_CARDS: Fields = dict.fromkeys(("XML7", "XML8", "XML11"), ("MA_THE_TAM",))


def temporary_cards(visit: Visit) -> Iterator[Finding]:
    """FMT-008: a newborn's temporary card names the province; other tables take any card."""
    expected = "two capital letters and 13 digits"
    yield from values("FMT-008", _TEMPORARY_CARDS, pattern("[A-Z]{2}[0-9]{13}"), expected)(visit)
    expected = "TE1, 2 digits of the province, 10 digits"
    yield from values("FMT-008", {"XML9": ("MA_THE_TAM",)}, pattern("TE1[0-9]{12}"), expected)(visit)


RULES = (
    Rule("FMT-005", values("FMT-005", _CARDS, each_member(_is_card), "two capital letters and 13 digits")),
    Rule("FMT-006", values("FMT-006", _FACILITIES, _facility_codes, "5 characters")),
    Rule(
        "FMT-007",
        values(
            "FMT-007", _INSURANCE_NUMBERS, lambda value: _INSURANCE_NUMBER.fullmatch(value) is not None, "10 digits"
        ),
    ),
    Rule("FMT-008", temporary_cards),
    Rule(
        "FMT-012",
        values(
            "FMT-012",
            {"XML2": ("TT_THAU",)},
            pattern(rf"[^;]+;G({_TENDER_PART});N({_TENDER_PART});[0-9]{{4}}(;.*)?"),
            "decision;G<1..99>;N<1..99>;yyyy",
        ),
    ),
    Rule(
        "FMT-013",
        values(
            "FMT-013",
            {"XML3": ("TT_THAU",)},
            pattern(r"[^;]+;([0-9]{4}|G[0-9]{1,2};[0-9]{4}|G[0-9]{1,2};N[0-9]{1,2};[0-9]{4}(;.*)?)"),
            "document;yyyy, document;G<n>;yyyy or document;G<n>;N<n>;yyyy",
        ),
    ),
    Rule("FMT-014", values("FMT-014", {"XML3": ("GOI_VTYT",)}, pattern("G[1-9][0-9]{0,2}"), "G1 to G999")),
    Rule(
        "FMT-015",
        values(
            "FMT-015", {"XML3": ("MA_GIUONG",)}, each_member(pattern("[HTCK][0-9]{3}")), "H, T, C or K and 3 digits"
        ),
    ),
    Rule("FMT-016", machines),
    Rule(
        "FMT-017",
        values(
            "FMT-017",
            {"XML2": ("MA_CSKCB_THUOC",)},
            pattern(r"(C|K|M|HC)\.[0-9A-Za-z]{5}"),
            "C., K., M. or HC. and 5 characters",
        ),
    ),
    Rule("FMT-018", values("FMT-018", _STAFF, _has_no_empty_member, "codes joined by single semicolons")),
    Rule(
        "FMT-019",
        values(
            "FMT-019",
            {"XML2": ("VET_THUONG_TP",), "XML3": ("VET_THUONG_TP", "TAI_SU_DUNG")},
            lambda value: value == "1",
            "1 or empty",
        ),
    ),
    Rule(
        "FMT-020",
        values("FMT-020", {"XML1": ("CAN_NANG",)}, _is_weight, "above 0, at most 2 decimals"),
    ),
    Rule("FMT-020W", heavy),
    Rule(
        "FMT-021",
        values("FMT-021", {"XML1": ("CAN_NANG_CON",)}, each_member(_is_positive), "numbers above 0 joined by ;"),
    ),
    Rule("FMT-022", dosages),
    Rule(
        "FMT-023",
        values("FMT-023", {"XML1": ("MA_BENH_CHINH",)}, pattern("[^;]{3,7}"), "one code of 3 to 7 characters"),
    ),
    Rule(
        "FMT-024",
        values(
            "FMT-024",
            {"XML1": ("MA_BENH_KT",)},
            lambda value: _has_no_empty_member(value) and len(members(value)) <= _MOST_ACCOMPANYING,
            "at most 12 codes joined by ;",
        ),
    ),
    Rule("FMT-025", appointments, halves=("FMT-025W",)),
    Rule(
        "FMT-026",
        values(
            "FMT-026",
            {"XML1": ("NGAY_MIEN_CCT",)},
            lambda value: is_day(value) or is_moment(value),
            "yyyymmdd or yyyymmddHHMM",
        ),
    ),
    Rule("FMT-028", numbers_to_look_up),
)
