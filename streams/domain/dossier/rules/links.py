"""LNK: what ties the tables of one visit together."""

from collections.abc import Iterator
from itertools import groupby

from events.visit import Finding
from streams.domain.dossier.findings import finding
from streams.domain.dossier.rules.papers import equal
from streams.domain.dossier.rules.rule import Rule
from streams.domain.dossier.visit import Visit

NUMBERED = ("XML2", "XML3", "XML4", "XML5", "XML15")


def same_ma_lk(visit: Visit) -> Iterator[Finding]:
    """LNK-001: every row of every table names the visit of XML1."""
    ma_lk = visit.of_xml1("MA_LK")
    for line in visit.every_line() if ma_lk else ():
        value = line["MA_LK"]
        if value and value != ma_lk and not equal(value, ma_lk):
            yield finding("LNK-001", line.at("MA_LK"), expected="MA_LK of XML1", found="another MA_LK")


def counted_rows(visit: Visit) -> Iterator[Finding]:
    """LNK-004: STT counts 1, 2, 3 … in each file; the first row that breaks the count is named."""
    for label, rows in groupby(visit.lines(*NUMBERED), key=lambda line: line.label):
        lines = list(rows)
        if label.startswith("XML15") and not any(line["STT"] for line in lines):
            continue
        for line in lines:
            count = line["STT"]
            if (count or label.startswith("XML15")) and count is not None and count != str(line.number):
                yield finding("LNK-004", line.at("STT"), expected=str(line.number), found=count or "empty")
                break


RULES = (Rule("LNK-001", same_ma_lk), Rule("LNK-004", counted_rows))
