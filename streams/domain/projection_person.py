"""Group A of the book: who the person is (HB-01 … HB-14)."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from events.health_book_content import Address, Identity, IdentityKind, Insurance, Person
from streams.domain.dossier.identity import PersonKey
from streams.domain.dossier.moments import day_of, is_clock
from streams.domain.privacy_fields import Row, Tables
from streams.domain.projection_values import Names, coded, facility, first, province, text

NEWBORN = timedelta(days=28)
ADULT = 18
_INSURANCE_NUMBER = 10


def person(tables: Tables, key: PersonKey, names: Names) -> Person:
    """The person of table 1, with what tables 7, 8 and 11 know about the representative."""
    xml1 = tables["XML1"][0]
    admitted = day_of(xml1.get("NGAY_VAO", ""))
    discharged = day_of(xml1.get("NGAY_RA", "")) or date.max
    return Person(
        key_type=key.kind,
        key=key.value,
        name=(text(xml1, "HO_TEN") or "").strip() or None,
        birth=birth(xml1.get("NGAY_SINH", ""), admitted),
        sex=coded(xml1, "GIOI_TINH", "gioi_tinh"),
        ethnic_group=coded(xml1, "MA_DANTOC"),
        nationality=coded(xml1, "MA_QUOCTICH"),
        occupation=coded(xml1, "MA_NGHE_NGHIEP"),
        identity=identity(xml1.get("SO_CCCD", "").strip()),
        phone=text(xml1, "DIEN_THOAI"),
        insurance=insurance(xml1, admitted, names),
        address=_address(xml1, discharged),
        representative=_representative(tables, minor=is_minor(xml1)),
    )


def birth(value: str, admitted: date | None) -> str | None:
    """HB-02: ISO 8601 as far as known; `00` and `0000` are unknown, the time is shown up to 28 days of age."""
    year, month, day, clock = value[:4], value[4:6], value[6:8], value[8:12]
    if not re.fullmatch("[0-9]{8}", value[:8]) or year == "0000":
        return None
    if month == "00" or day == "00":
        return year if month == "00" else f"{year}-{month}"
    born = day_of(value)
    if born is None:
        return None
    newborn = admitted is not None and admitted - born <= NEWBORN
    known = is_clock(clock) and clock != "0000"
    return f"{born.isoformat()}T{clock[:2]}:{clock[2:]}" if newborn and known else born.isoformat()


def identity(paper: str) -> Identity | None:
    """HB-07: what kind of paper it is follows from the form of the number."""
    if not paper:
        return None
    if re.fullmatch("[0-9]{12}", paper):
        return Identity(IdentityKind.PERSONAL_ID, paper)
    return Identity(IdentityKind.OLD_CARD if re.fullmatch("[0-9]{9}", paper) else IdentityKind.FOREIGN, paper)


def insurance(xml1: Row, admitted: date | None, names: Names) -> Insurance | None:
    """HB-10 … HB-12: of several cards the one valid on the day of admission, else the first.

    The lists of cards, facilities and days are read at the same position; an empty member keeps its place.
    """
    cards = list(_cards(xml1))
    if not cards:
        return None
    valid = (card for card in cards if admitted and (card[2] or date.min) <= admitted <= (card[3] or date.max))
    number, home, valid_from, valid_to = next(valid, cards[0])
    return Insurance(number, number[-_INSURANCE_NUMBER:], facility(home, names), valid_from, valid_to)


def _cards(xml1: Row) -> Iterator[tuple[str, str, date | None, date | None]]:
    lists = [xml1.get(name, "").split(";") for name in ("MA_DKBD", "GT_THE_TU", "GT_THE_DEN")]
    for position, card in enumerate(xml1.get("MA_THE_BHYT", "").split(";")):
        home, start, end = (members[position] if position < len(members) else "" for members in lists)
        if card.strip():
            yield card.strip(), home, day_of(start), day_of(end)


def is_minor(xml1: Row) -> bool:
    """Under 18 on the day of admission; an unknown day or month of birth is the last one possible (RULES §3)."""
    value, admitted = xml1.get("NGAY_SINH", ""), day_of(xml1.get("NGAY_VAO", ""))
    if admitted is None or not re.fullmatch("[0-9]{8}", value[:8]):
        return False
    month = 12 if value[4:6] == "00" else int(value[4:6])
    day = 31 if value[6:8] == "00" else int(value[6:8])
    age = admitted.year - int(value[:4]) - ((admitted.month, admitted.day) < (month, day))
    return age < ADULT


def _address(xml1: Row, on: date) -> Address | None:
    address = Address(
        text=text(xml1, "DIA_CHI"),
        province=province(xml1, on),
        district=coded(xml1, "MAHUYEN_CU_TRU"),
        commune=coded(xml1, "MAXA_CU_TRU"),
    )
    parts = (address.text, address.province, address.district, address.commune)
    return address if any(part is not None for part in parts) else None


def _representative(tables: Tables, *, minor: bool) -> str | None:
    """HB-14: a guardian stands for anybody, parents for a minor. A newborn's paper names the patient herself."""
    names = ["HO_TEN_ME", "HO_TEN_CHA"] if minor else []
    patient = tables["XML1"][0].get("MA_BN", "")
    sources: list[tuple[Row, list[str]]] = [(row, ["NGUOI_GIAM_HO", *names]) for row in tables.get("XML8", ())]
    sources += [(row, names) for row in tables.get("XML7", ()) if row.get("MA_YTE", "") == patient]
    sources += [(row, names) for row in tables.get("XML11", ())]
    return next((found.strip() for row, fields in sources if (found := first(row, *fields))), None)
