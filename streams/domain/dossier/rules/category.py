"""X1 and NB: who the patient is, by which category and card, and what that leaves to be paid."""

from collections.abc import Iterator

from events.visit import Finding
from streams.domain.dossier.findings import finding
from streams.domain.dossier.identity import WITHOUT_INSURANCE
from streams.domain.dossier.rules.money import number
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.rules.words import age, cards, days_between, members
from streams.domain.dossier.visit import Visit

_WITHDRAWAL = "8"
_CHILD_CARD = "TE"
_CHILD_MAY_COPAY = frozenset({"1.13", "1.14", "1.18", "3.1"})
_WITH_REGION = frozenset({"2", "1.11", "1.12", "1.13", "1.14", "1.15", "1.16", "1.17", "1.18"})
_REGISTERED = ("1.1", "1.2", "2")
_CHILD_OF_A_FEW_DAYS = 5


def another_facility(visit: Visit) -> Iterator[Finding]:
    """X1-008."""
    line = visit.xml1
    if line["MA_NOI_DI"] and line["MA_NOI_DI"] == line["MA_CSKCB"]:
        yield finding("X1-008", line.at("MA_NOI_DI"), expected="another facility", found="MA_CSKCB")


def _registered_here(visit: Visit) -> bool | None:
    """Whether every card (True) or none (False) is registered at this facility; None: some, or unknown."""
    first_care, own = members(visit.xml1["MA_DKBD"]), visit.xml1["MA_CSKCB"]
    if not first_care or not own:
        return None
    here = {code == own for code in first_care}
    return here.pop() if len(here) == 1 else None


def registered_here(visit: Visit) -> Iterator[Finding]:
    """X1-012 and its doubtful half."""
    category = visit.xml1["MA_DOITUONG_KCB"]
    if not category or not _registered_here(visit):
        return
    place = visit.xml1.at("MA_DOITUONG_KCB")
    if category.startswith("3"):
        yield finding("X1-012", place, expected="1.1, 1.2 or 2", found=category)
    elif category not in _REGISTERED:
        yield finding("X1-012W", place, expected="1.1, 1.2 or 2", found=category)


def registered_elsewhere(visit: Visit) -> Iterator[Finding]:
    """X1-013."""
    if visit.xml1["MA_DOITUONG_KCB"] == "1.1" and _registered_here(visit) is False:
        place = visit.xml1.at("MA_DOITUONG_KCB")
        yield finding("X1-013", place, expected="another category, or MA_DKBD of this facility", found="1.1")


def category_and_care(visit: Visit) -> Iterator[Finding]:
    """X1-014."""
    category, kind = visit.of_xml1("MA_DOITUONG_KCB"), visit.of_xml1("MA_LOAI_KCB")
    if (category == "1.14" and kind in ("03", "09")) or (category == "1.15" and kind in ("01", "02", "05", "07", "08")):
        expected = f"another category with MA_LOAI_KCB {kind}"
        yield finding("X1-014", visit.xml1.at("MA_DOITUONG_KCB"), expected=expected, found=category)


def newborn_category(visit: Visit) -> Iterator[Finding]:
    """X1-015."""
    born, came = visit.of_xml1("NGAY_SINH"), visit.of_xml1("NGAY_VAO")
    if visit.of_xml1("MA_DOITUONG_KCB") != "1.7" or not born or not came or "00" in (born[4:6], born[6:8]):
        return
    if days_between(born, came) > _CHILD_OF_A_FEW_DAYS:
        expected = "at most 5 days after birth"
        yield finding("X1-015", visit.xml1.at("MA_DOITUONG_KCB"), expected=expected, found="an older child")


def childs_card(visit: Visit) -> Iterator[Finding]:
    """X1-016 and its doubtful half."""
    years = age(visit)
    if years is None or not any(card.startswith(_CHILD_CARD) for card in cards(visit)):
        return
    place = visit.xml1.at("MA_THE_BHYT")
    if years >= 7:
        yield finding("X1-016", place, expected="a child below 7", found="an older patient")
    elif years == 6:
        yield finding("X1-016W", place, expected="a child below 6", found="a child of 6")


def childs_copayment(visit: Visit) -> Iterator[Finding]:
    """X1-017."""
    found, category = cards(visit), visit.of_xml1("MA_DOITUONG_KCB")
    if found and all(card.startswith(_CHILD_CARD) for card in found) and category not in _CHILD_MAY_COPAY:
        copaid = number(visit.xml1["T_BNCCT"])
        if category and copaid:
            yield finding("X1-017", visit.xml1.at("T_BNCCT"), expected="0", found=visit.xml1["T_BNCCT"])


def seldom_paid(visit: Visit) -> Iterator[Finding]:
    """X1-022; the code itself is a diagnosis and not shown."""
    if visit.insured and visit.of_xml1("MA_BENH_CHINH").startswith(("Z00", "R53")):
        expected = "a disease that insurance pays for"
        yield finding("X1-022", visit.xml1.at("MA_BENH_CHINH"), expected=expected, found="Z00 or R53")


def costs_something(visit: Visit) -> Iterator[Finding]:
    """X1-023."""
    category, cost = visit.of_xml1("MA_DOITUONG_KCB"), number(visit.xml1["T_TONGCHI_BV"])
    if visit.insured and category and category != _WITHDRAWAL and cost == 0:
        yield finding("X1-023", visit.xml1.at("T_TONGCHI_BV"), expected="above 0", found=visit.xml1["T_TONGCHI_BV"])


def region(visit: Visit) -> Iterator[Finding]:
    """X1-025."""
    category = visit.of_xml1("MA_DOITUONG_KCB")
    if visit.of_xml1("MA_KHUVUC") and category and category not in _WITH_REGION and not category.startswith("3."):
        expected = "empty with this category"
        yield finding("X1-025", visit.xml1.at("MA_KHUVUC"), expected=expected, found=visit.xml1["MA_KHUVUC"])


def meaningful_texts(visit: Visit) -> Iterator[Finding]:
    """X1-026."""
    line = visit.xml1
    for name in ("LY_DO_VV", "CHAN_DOAN_VAO", "CHAN_DOAN_RV"):
        text = line[name]
        if text and not any(character.isalpha() for character in text):
            yield finding("X1-026/letters", line.at(name), expected="a text with letters", found="none")
    reason = _plain(line["LY_DO_VV"])
    for name in ("CHAN_DOAN_VAO", "CHAN_DOAN_RV"):
        if reason and any(map(str.isalpha, reason)) and reason == _plain(line[name]):
            yield finding(
                "X1-026/same", line.at("LY_DO_VV"), expected="the patient's complaint", found=f"the text of {name}"
            )
            return


def _plain(text: str | None) -> str:
    return (text or "").strip().casefold()


def no_card(visit: Visit) -> Iterator[Finding]:
    """NB-001."""
    line = visit.xml1
    if line["MA_DOITUONG_KCB"] == WITHOUT_INSURANCE:
        for name in ("MA_THE_BHYT", "MA_DKBD", "GT_THE_TU", "GT_THE_DEN"):
            if line[name]:
                yield finding("NB-001", line.at(name), expected="empty with category 9", found="filled")


def category_without_card(visit: Visit) -> Iterator[Finding]:
    """NB-002."""
    category = visit.of_xml1("MA_DOITUONG_KCB")
    if visit.xml1["MA_THE_BHYT"] == "" and category and category not in (WITHOUT_INSURANCE, _WITHDRAWAL):
        yield finding("NB-002", visit.xml1.at("MA_DOITUONG_KCB"), expected="9 without a card", found=category)


def can_be_found(visit: Visit) -> Iterator[Finding]:
    """NB-004."""
    if not visit.insured and visit.xml1["SO_CCCD"] == "":
        yield finding("NB-004", visit.xml1.at("SO_CCCD"), expected="a citizen number", found="empty")


def nothing_from_the_fund(visit: Visit) -> Iterator[Finding]:
    """NB-005."""
    if not visit.insured and number(visit.xml1["T_BHTT"]):
        yield finding("NB-005", visit.xml1.at("T_BHTT"), expected="0", found=visit.xml1["T_BHTT"])


def nothing_covered(visit: Visit) -> Iterator[Finding]:
    """NB-005W."""
    for name in ("T_TONGCHI_BH", "T_BNCCT"):
        if not visit.insured and number(visit.xml1[name]):
            yield finding("NB-005W", visit.xml1.at(name), expected="0", found=visit.xml1[name])


RULES = (
    Rule("X1-008", another_facility),
    Rule("X1-012", registered_here, halves=("X1-012W",)),
    Rule("X1-013", registered_elsewhere),
    Rule("X1-014", category_and_care),
    Rule("X1-015", newborn_category),
    Rule("X1-016", childs_card, halves=("X1-016W",)),
    Rule("X1-017", childs_copayment),
    Rule("X1-022", seldom_paid),
    Rule("X1-023", costs_something),
    Rule("X1-025", region),
    Rule("X1-026", meaningful_texts),
    Rule("NB-001", no_card),
    Rule("NB-002", category_without_card),
    Rule("NB-004", can_be_found),
    Rule("NB-005", nothing_from_the_fund),
    Rule("NB-005W", nothing_covered),
)
