"""Every rule is seen passing and failing: a sound dossier, and the same one with the one defect that breaks just it."""

import pytest

from streams.domain.dossier.findings import rule_texts
from streams.domain.dossier.rules import JUDGED, OF_THE_CHECKIN, OF_THE_DEADLINES, unknown_rules
from streams.domain.dossier.sample.proof import provable, prove

OWN = {"FAC-001", "FAC-002", "FAC-003", "SIZE-001", "SIZE-002"}


@pytest.mark.parametrize("code", provable())
def test_a_rule_tells_a_sound_dossier_from_one_with_its_defect(code: str) -> None:
    proof = prove(code)
    assert proof.judged
    assert proof.passes == ()
    assert proof.failing == {code} | proof.also
    assert len({item.severity for item in proof.fails if item.code == code}) == 1
    for item in proof.fails:
        texts = (item.message_vi, item.message_en, item.mend_vi, item.mend_en)
        assert all(texts)
        assert not any("{" in text or "None" in text for text in texts), texts


def test_no_rule_is_without_proof() -> None:
    live = {code for code, text in rule_texts().items() if text.severity != "retired"}
    assert len(live - OWN) == 299
    assert live - OWN - set(provable()) == OF_THE_DEADLINES


def test_every_live_rule_of_the_standard_is_judged_or_named_as_none_of_the_dossiers() -> None:
    assert unknown_rules() == ()
    live = {code for code, text in rule_texts().items() if text.severity != "retired"}
    assert live == JUDGED | OF_THE_CHECKIN | OF_THE_DEADLINES
