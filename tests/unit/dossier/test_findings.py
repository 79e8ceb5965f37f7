"""Every rule has texts, and the severity that rules.csv gives it."""

import re
from dataclasses import replace
from string import Formatter
from typing import Any

import pytest

from events.visit import Severity
from streams.domain.dossier.findings import (
    MAX_FINDINGS,
    Place,
    finding,
    messages,
    most_important,
    rule_texts,
    shape,
)
from streams.domain.dossier.rules import JUDGED, OF_THE_CHECKIN, READING, RULES

PARTS: dict[str, Any] = {
    "line": 1, "name": "X", "count": 2, "length": 3, "limit": 4, "shape": "99", "kind": "XML2", "facility": "01999",
    "day": "2026-11-02", "size": 5, "reason": "R", "of": "MA_BN", "because": "MA_LOAI_KCB 03",
}  # fmt: skip


def text_ids() -> list[str]:
    return list(messages())


@pytest.mark.parametrize("code", sorted(JUDGED))
def test_every_judged_rule_has_texts_and_is_live(code: str) -> None:
    spoken = {text_id.partition("/")[0] for text_id in text_ids()}
    assert {code, code.removesuffix("W")} & spoken
    assert rule_texts()[code].severity in {"critical", "warning"}


def test_every_text_belongs_to_a_judged_rule() -> None:
    assert {text_id.partition("/")[0] for text_id in text_ids()} <= JUDGED | OF_THE_CHECKIN


@pytest.mark.parametrize("text_id", text_ids())
def test_every_text_speaks_both_languages_and_can_be_filled(text_id: str) -> None:
    text = messages()[text_id]
    for column in ("message_vi", "message_en", "mend_vi", "mend_en"):
        assert text[column].endswith("."), (text_id, column)
    for said, told in (("message_vi", "message_en"), ("mend_vi", "mend_en")):
        names = [{name for _, name, _, _ in Formatter().parse(text[side]) if name} for side in (said, told)]
        assert names[0] == names[1], text_id
    found = finding(text_id, Place("XML2", 3, "MA_LK"), **PARTS)
    assert found.severity == rule_texts()[found.code].severity
    assert not re.search(r"[{}]", found.message_vi + found.message_en + found.mend_vi + found.mend_en)


def test_a_doubtful_half_is_a_warning_with_the_same_words() -> None:
    found = finding("ENV-011W/missing", Place("XML2", 1, "DU_PHONG"), **PARTS)
    assert (found.code, found.severity) == ("ENV-011W", Severity.WARNING)
    assert found.message_en == finding("ENV-011/missing", Place("XML2", 1, "DU_PHONG"), **PARTS).message_en


def test_no_rule_is_registered_twice() -> None:
    ids = [code for rule in RULES for code in rule.ids]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & READING


def test_a_place_reads_well_in_both_languages() -> None:
    found = finding("REQ-001", Place("XML2", 3, "MA_KHOA"))
    assert found.message_vi == "XML2, dòng 3, trường MA_KHOA: trường bắt buộc nhưng để trống."
    assert found.message_en == "XML2, row 3, field MA_KHOA: the field is required but empty."


@pytest.mark.parametrize(
    ("value", "form"),
    [("2026-11-02", "9999-99-99"), ("Thử 1", "Aaa␣9"), ("٣", "9"), ("x" * 21, "a" * 20 + "…")],
)
def test_a_shape_hides_the_value(value: str, form: str) -> None:
    assert shape(value) == form


def test_when_there_are_too_many_the_critical_ones_stay() -> None:
    warning = finding("ENV-009", Place("XML2"))
    critical = replace(warning, code="REQ-001", severity=Severity.CRITICAL)
    kept, omitted = most_important([*[warning] * 600, *[critical] * 700])
    assert (len(kept), omitted) == (MAX_FINDINGS, 300)
    assert [f.severity for f in kept] == [Severity.WARNING] * 300 + [Severity.CRITICAL] * 700
    assert most_important([critical] * 1001)[1] == 1
    assert most_important([warning] * 1000) == ((warning,) * 1000, 0)
