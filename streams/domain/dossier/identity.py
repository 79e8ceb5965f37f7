"""Who the visit is about: the person key of the health book (HEALTHBOOK §4), and whether insurance pays."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from events.visit import PersonKeyKind

_CITIZEN_NUMBER = re.compile(r"[0-9]{12}")
_CARD = re.compile(r"[A-Z]{2}[0-9]{13}|[0-9]{10}")  # a card, or the social insurance number it ends in (FMT-028)
_INSURANCE_NUMBER_LENGTH = 10
WITHOUT_INSURANCE = "9"
"""MA_DOITUONG_KCB of a patient without BHYT."""


@dataclass(frozen=True, slots=True)
class PersonKey:
    """`kind` may be shown; `value` is personal data and is empty when there is no identifier."""

    kind: PersonKeyKind
    value: str = field(repr=False)

    def __str__(self) -> str:
        return self.kind.value


def person_key(xml1: Mapping[str, str]) -> PersonKey:
    """The key by which the person is found, never an invented one: citizen number, else insurance card, else paper."""
    paper = xml1.get("SO_CCCD", "").strip()
    if _CITIZEN_NUMBER.fullmatch(paper):
        return PersonKey(PersonKeyKind.CCCD, paper)
    for card in xml1.get("MA_THE_BHYT", "").split(";"):
        if _CARD.fullmatch(card):
            return PersonKey(PersonKeyKind.BHYT, card[-_INSURANCE_NUMBER_LENGTH:])
    if paper:
        return PersonKey(PersonKeyKind.FOREIGN, paper)
    return PersonKey(PersonKeyKind.NONE, "")


def insured(xml1: Mapping[str, str]) -> bool:
    """False for category 9, and when category and card are both empty (RULES §3)."""
    category = xml1.get("MA_DOITUONG_KCB", "").strip()
    return category != WITHOUT_INSURANCE and bool(category or xml1.get("MA_THE_BHYT", "").strip())
