"""Who the visit is about (HEALTHBOOK §4), and whether insurance pays (RULES §3)."""

import pytest

from events.visit import PersonKeyKind
from streams.domain.dossier.identity import insured, person_key

CARD = "GD4019999999999"


@pytest.mark.parametrize(
    ("paper", "card", "kind", "value"),
    [
        ("001090000000", CARD, PersonKeyKind.CCCD, "001090000000"),
        ("", CARD, PersonKeyKind.BHYT, "9999999999"),
        ("123456789", CARD, PersonKeyKind.BHYT, "9999999999"),
        ("", f"bad;{CARD}", PersonKeyKind.BHYT, "9999999999"),
        ("", "0123456789", PersonKeyKind.BHYT, "0123456789"),
        ("C1234567", "", PersonKeyKind.FOREIGN, "C1234567"),
        ("", "", PersonKeyKind.NONE, ""),
        ("  ", "000000000000", PersonKeyKind.NONE, ""),
    ],
)
def test_the_person_key(paper: str, card: str, kind: PersonKeyKind, value: str) -> None:
    key = person_key({"SO_CCCD": paper, "MA_THE_BHYT": card})
    assert (key.kind, key.value) == (kind, value)
    assert not value or value not in f"{key!r} {key}"


@pytest.mark.parametrize(
    ("category", "card", "expected"), [("9", "", False), ("", "", False), ("", CARD, True), ("1.1", CARD, True)]
)
def test_who_is_insured(category: str, card: str, expected: bool) -> None:
    assert insured({"MA_DOITUONG_KCB": category, "MA_THE_BHYT": card}) is expected
