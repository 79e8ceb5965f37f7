"""MON-016: how much of a covered line insurance pays (RULES §5)."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from events.visit import Finding
from streams.domain.dossier.data import in_force, read_csv
from streams.domain.dossier.findings import finding
from streams.domain.dossier.moments import day_of
from streams.domain.dossier.rules.money import number
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.rules.words import COVERED_SCOPES, INPATIENT_RATES, cards, members
from streams.domain.dossier.visit import Line, Visit

_CRITICAL_FROM = date(2025, 1, 1)
_ALL = Decimal(100)
_OF_CARD = {"1": _ALL, "2": _ALL, "5": _ALL, "3": Decimal(95), "4": Decimal(80)}
_SMALL_BILL = Decimal(15) / 100
_EITHER_WAY = "3.1"
"""The annex multiplies its rate with the level, an insurer's list shows the rate itself."""


def covered(line: Line) -> bool:
    return line["PHAM_VI"] in COVERED_SCOPES and bool(number(line["TYLE_TT_BH"]))


def of_cards(visit: Visit) -> Decimal | None:
    """L: the level that the card names; None when it cannot be read or several cards differ."""
    found = members(visit.xml1["MA_THE_BHYT"])
    levels = {_OF_CARD.get(card[2]) if card in cards(visit) else None for card in found}
    return levels.pop() if len(levels) == 1 else None


def base_salary(day: date) -> Decimal | None:
    """The base salary of the day; None before the first that is known."""
    rows = [row for row in read_csv("codes/luong_co_so.csv") if row["valid_from"] <= day.isoformat()]
    return Decimal(max(rows, key=lambda row: row["valid_from"])["amount_vnd"]) if rows else None


def rate_of(visit: Visit) -> Mapping[str, str] | None:
    """The row of `ty_le_doituong.csv` for the visit's category, care and day; None: no rate is known."""
    category, kind = visit.of_xml1("MA_DOITUONG_KCB"), visit.of_xml1("MA_LOAI_KCB")
    care = "inpatient" if kind in INPATIENT_RATES else "outpatient"
    for row in read_csv("codes/ty_le_doituong.csv"):
        if row["code"] == category and row["care"] in ("any", care) and in_force(row, visit.day):
            return row if kind else None
    return None


def _exempt_from(visit: Visit) -> str:
    return visit.of_xml1("NGAY_MIEN_CCT")[:8]


def _is_small_bill(visit: Visit) -> bool:
    salary, bill = base_salary(visit.day), number(visit.xml1["T_TONGCHI_BH"])
    return salary is not None and bill is not None and bill < salary * _SMALL_BILL


def all_paid(visit: Visit, line: Line, rate: Mapping[str, str]) -> bool:
    """Whether the whole covered amount is paid whatever the card says."""
    exempt = day_of(_exempt_from(visit))
    return (
        rate["base"] == "flat"
        or visit.of_xml1("MA_LOAI_KCB") == "06"
        or line["PHAM_VI"] == "3"
        or (exempt is not None and exempt <= visit.day)
        or _is_small_bill(visit)
    )


def benefit_level(visit: Visit) -> Iterator[Finding]:
    """MON-016 and its doubtful half."""
    rate, of_card = rate_of(visit), of_cards(visit)
    if rate is None or visit.xml1["T_TONGCHI_BH"] is None or visit.xml1["NGAY_MIEN_CCT"] is None:
        return
    share = Decimal(rate["rate"])
    for line in visit.lines("XML2", "XML3"):
        written = number(line["MUC_HUONG"])
        if written is None or not covered(line):
            continue
        if share == _ALL:
            yield from _at_full_rate(visit, line, rate, of_card, written)
        elif of_card is not None:
            right = {of_card * share / 100} | ({share} if rate["code"] == _EITHER_WAY else set())
            if written not in right:
                yield _wrong("MON-016W", line, " or ".join(f"{one.normalize():f}" for one in sorted(right)))


def _at_full_rate(
    visit: Visit, line: Line, rate: Mapping[str, str], of_card: Decimal | None, written: Decimal
) -> Iterator[Finding]:
    level = _ALL if all_paid(visit, line, rate) else of_card
    if level is None:
        return
    if written > level:
        yield _wrong("MON-016" if visit.day >= _CRITICAL_FROM else "MON-016W", line, f"at most {level}")
    elif written < level and not (_exempt_from(visit) and of_card is not None and of_card <= written):
        yield _wrong("MON-016W", line, f"{level}")


def _wrong(text_id: str, line: Line, expected: str) -> Finding:
    return finding(text_id, line.at("MUC_HUONG"), expected=expected, found=line["MUC_HUONG"])


RULES = (Rule("MON-016", benefit_level, halves=("MON-016W",)),)
