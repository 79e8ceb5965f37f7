"""Who the visit is about (HEALTHBOOK §4), and whether insurance pays (RULES §3)."""

from datetime import UTC, datetime, timedelta

import pytest

from events.visit import PersonKeyKind, TableFile
from streams.domain.dossier.identity import insured, person_key
from streams.domain.dossier.sample import VisitKind, new_dossier
from streams.domain.dossier.sample.rows import edited, put
from streams.domain.dossier.verdict import judge

NOW = datetime(2026, 11, 2, 5, tzinfo=UTC)

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


@pytest.mark.parametrize("insured_", [True, False])
@pytest.mark.parametrize("paper", ["099190000001", "X0000001", ""], ids=["citizen number", "passport", "nothing"])
def test_nobody_is_refused_for_the_paper_that_he_shows(paper: str, insured_: bool) -> None:
    """S000-28, S003-19: any one identifier is enough for everybody; without one, nothing is invented."""
    whole = new_dossier(
        1, facility="01999", kind=VisitKind.EXAM, insured=insured_, discharged_at=NOW - timedelta(hours=2)
    )
    sample = edited(put("XML1", SO_CCCD=paper))(whole)
    verdict = judge(tuple(TableFile(*table) for table in sample.tables), now=NOW)
    assert not verdict.rejected, [item.code for item in verdict.findings]
    known_by = {"099190000001": PersonKeyKind.CCCD, "X0000001": PersonKeyKind.FOREIGN, "": PersonKeyKind.NONE}[paper]
    by_card = insured_ and known_by is not PersonKeyKind.CCCD
    assert verdict.person_key_kind is (PersonKeyKind.BHYT if by_card else known_by)


@pytest.mark.parametrize(
    ("category", "card", "expected"), [("9", "", False), ("", "", False), ("", CARD, True), ("1.1", CARD, True)]
)
def test_who_is_insured(category: str, card: str, expected: bool) -> None:
    assert insured({"MA_DOITUONG_KCB": category, "MA_THE_BHYT": card}) is expected
