"""All papers by which a dossier knows its person (HEALTHBOOK §4), for linking visits and for search by an old number.

The number itself is not kept, only its digest. A digest of a short number can be guessed by trying all of them: it
keeps numbers out of sight, not out of reach of who has the database, where the dossiers are as well.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from events.visit import PersonKeyKind

_CITIZEN_NUMBER = re.compile(r"[0-9]{12}")
_CARD = re.compile(r"(?:[A-Z]{2}[0-9]{3})?([0-9]{10})")


@dataclass(frozen=True, slots=True)
class Identifier:
    """`kind` may be shown; `digest` stands for the number."""

    kind: PersonKeyKind
    digest: str = field(repr=False)


def identifier(number: str) -> Identifier:
    """By its form: 12 digits are a citizen number, a card or its last 10 digits an insurance number, else a paper."""
    number = number.strip().upper()
    card = _CARD.fullmatch(number)
    if _CITIZEN_NUMBER.fullmatch(number):
        return _identifier(PersonKeyKind.CCCD, number)
    return _identifier(PersonKeyKind.BHYT, card[1]) if card else _identifier(PersonKeyKind.FOREIGN, number)


def identifiers_of(xml1: Mapping[str, str]) -> frozenset[Identifier]:
    """All that table 1 says; a card number that is none is passed over."""
    return frozenset(_identifiers(xml1))


def _identifiers(xml1: Mapping[str, str]) -> Iterator[Identifier]:
    paper = xml1.get("SO_CCCD", "").strip()
    if paper:
        citizen = _CITIZEN_NUMBER.fullmatch(paper)
        yield _identifier(PersonKeyKind.CCCD if citizen else PersonKeyKind.FOREIGN, paper.upper())
    for member in xml1.get("MA_THE_BHYT", "").split(";"):
        if _CARD.fullmatch(member) or _CITIZEN_NUMBER.fullmatch(member):
            yield identifier(member)


def _identifier(kind: PersonKeyKind, number: str) -> Identifier:
    return Identifier(kind, hashlib.sha256(f"{kind}\0{number}".encode()).hexdigest())
