"""500 spoilt dossiers: each gets findings or a clear refusal, whatever was done to it, and no word of the patient."""

from datetime import timedelta

import pytest

from events.visit import TableFile
from streams.domain.dossier.sample import Sample
from streams.domain.dossier.sample.rows import rows_of
from streams.domain.dossier.verdict import judge
from tests.support.mutations import ENDED, FACILITY, mutated

JUDGED_AT = ENDED + timedelta(hours=1)
PERSONAL = ("HO_TEN", "SO_CCCD", "MA_THE_BHYT", "DIA_CHI", "DIEN_THOAI", "MA_BN", "LY_DO_VV", "CHAN_DOAN_RV")
INTERNAL = ("Error", "Traceback", "lxml", "libxml", "None", "{", "0x")


def secrets(sample: Sample) -> set[str]:
    header = rows_of(sample)["XML1"][0]
    return {header[name] for name in PERSONAL if len(header.get(name, "")) > 3}


@pytest.mark.parametrize("first", range(0, 500, 50))
def test_whatever_was_done_to_a_dossier_it_is_answered_clearly_and_in_private(first: int) -> None:
    for seed in range(first, first + 50):
        sample, tables = mutated(seed)
        verdict = judge(tables, now=JUDGED_AT, facility=FACILITY)
        private = secrets(sample)
        for item in verdict.findings:
            texts = (item.message_vi, item.message_en, item.mend_vi, item.mend_en)
            assert all(texts), (seed, item.code)
            shown = " ".join((*texts, str(item.expected or ""), str(item.found or "")))
            assert not [word for word in INTERNAL if word in shown], (seed, item.code, shown)
            assert not [text for text in private if text in shown], (seed, item.code)


@pytest.mark.parametrize("seed", range(0, 500, 25))
def test_the_same_damage_gives_the_same_verdict(seed: int) -> None:
    (_, one), (_, two) = mutated(seed), mutated(seed)
    assert one == two
    assert judge(one, now=JUDGED_AT).findings == judge(two, now=JUDGED_AT).findings


def test_a_table_of_a_million_rows_is_refused_unread() -> None:
    sample, _ = mutated(0)
    rows = b"<CHI_TIET_CLS/>" * 1_000_000
    root = b"CHITIEU_CHITIET_DICHVUCANLAMSANG"
    table = b"<%s><DSACH_CHI_TIET_CLS>%s</DSACH_CHI_TIET_CLS></%s>" % (root, rows, root)
    tables = [TableFile(kind, content) for kind, content in sample.tables if kind != "XML4"]
    verdict = judge([*tables, TableFile("XML4", table)], now=JUDGED_AT)
    (found,) = [item for item in verdict.findings if item.table == "XML4"]
    assert (found.code, found.found) == ("SIZE-002", "1000000 rows")
