"""Every rule is seen passing and failing: a sound dossier, and the same one with the one defect that breaks just it."""

import pytest

from streams.domain.dossier.findings import rule_texts
from streams.domain.dossier.rules import JUDGED, OF_THE_CHECKIN, OF_THE_DEADLINES, READING, RULES, unknown_rules
from streams.domain.dossier.sample.defects import BY_NAME
from streams.domain.dossier.sample.proof import prove
from streams.domain.dossier.sample.rule_defects import RULE_DEFECTS

ELSEWHERE = {defect.code for defect in BY_NAME.values()} | READING
"""Shown by named defects (`test_defects.py`) and by the tests of reading (`test_values.py`, `test_structure.py`, …)."""


@pytest.mark.parametrize("code", sorted(RULE_DEFECTS))
def test_a_rule_tells_a_sound_dossier_from_one_with_its_defect(code: str) -> None:
    proof = prove(code)
    assert code not in proof.passes.not_judged, "the rule was not judged"
    assert proof.passing == set()
    assert proof.failing == {code} | proof.defect.also
    assert len({item.severity for item in proof.fails.findings if item.code == code}) == 1


def test_no_rule_is_without_proof() -> None:
    judged = {code for rule in RULES for code in rule.ids}
    own = {"FAC-002"}  # the register is no part of a dossier: test_rules.py
    assert judged - set(RULE_DEFECTS) - ELSEWHERE - own - OF_THE_CHECKIN == set()


def test_every_live_rule_of_the_standard_is_judged_or_named_as_none_of_the_dossiers() -> None:
    assert unknown_rules() == ()
    live = {code for code, text in rule_texts().items() if text.severity != "retired"}
    assert live == JUDGED | OF_THE_CHECKIN | OF_THE_DEADLINES
    assert len([code for code in live if not code.startswith(("FAC", "SIZE"))]) == 299


def test_every_finding_of_a_proof_says_what_where_and_how_to_mend_it_in_two_languages() -> None:
    for code in RULE_DEFECTS:
        for item in prove(code).fails.findings:
            texts = (item.message_vi, item.message_en, item.mend_vi, item.mend_en)
            assert all(texts), item.code
            assert not any("{" in text or "None" in text for text in texts), (item.code, texts)
