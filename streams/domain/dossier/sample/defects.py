"""Dossiers with exactly one thing wrong, by name.

Each defect starts from a sound dossier, changes one thing, and names the one critical finding that must follow. Defects
of the envelope exist only when the dossier is handed over as an envelope.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from events.visit import Severity
from streams.domain.dossier.findings import rule_texts
from streams.domain.dossier.sample.build import new_dossier
from streams.domain.dossier.sample.edits import (
    Change,
    empty_notes,
    first_half,
    first_table_twice,
    in_envelope,
    in_table,
    last_table_twice,
    longer_key,
    put,
    rewrite,
    swap,
    unchanged,
    without,
)
from streams.domain.dossier.sample.model import Expected, Sample, Size, VisitKind
from streams.domain.dossier.sample.padding import MIB, padded
from streams.domain.dossier.sample.rule_defects import RULE_DEFECTS, Ground
from streams.domain.dossier.sample.write import DECLARATION

Wanted = TypeVar("Wanted")

UNREGISTERED = "99999"
"""A facility code that no sample facility and no register of ours has."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One way in which a dossier can be wrong, and the visit that it needs so that nothing else becomes wrong too."""

    name: str
    code: str
    """What it must trigger: a rule of rules.csv, or a finding of validation itself (FAC, SIZE)."""
    what: str
    change: Change
    kind: VisitKind | None = None
    insured: bool | None = None
    facility: str | None = None
    later: timedelta = timedelta()
    """How long after the given moment the visit ends."""
    needs_envelope: bool = False
    also: frozenset[str] = frozenset()
    """Warnings that cannot but come with it."""
    ground: Ground | None = None
    """The dossier that a rule's defect is made from, where it must be a certain one."""


_DOCTYPE = f"{DECLARATION}<!DOCTYPE r>\n"
_ENTITY = f'{DECLARATION}<!DOCTYPE r [<!ENTITY e "entity">]>\n'
_COURSE = "<QT_BENHLY><![CDATA["
_NATION, _ETHNIC = "(<MA_QUOCTICH>.*?</MA_QUOCTICH>)", "(<MA_DANTOC>.*?</MA_DANTOC>)"
_BAD_DAY = "20260230"


def _insured(name: str, code: str, what: str, change: Change, kind: VisitKind = VisitKind.EXAM) -> Defect:
    return Defect(name, code, what, change, kind=kind, insured=True)


def _outer(name: str, code: str, what: str, change: Change) -> Defect:
    return Defect(name, code, what, change, needs_envelope=True)


_STRUCTURE = (
    Defect("not-xml", "ENV-008", "table 8 ends in the middle", in_table("XML8", first_half)),
    Defect("doctype", "ENV-008", "table 8 has a document type", in_table("XML8", swap(DECLARATION, _DOCTYPE))),
    Defect(
        "entity-inner",
        "ENV-008",
        "table 8 declares an entity and uses it",
        in_table("XML8", swap(DECLARATION, _ENTITY), swap(_COURSE, f"<QT_BENHLY>&e;{_COURSE[11:]}")),
    ),
    Defect(
        "wrong-encoding",
        "ENV-008",
        "table 8 says that it is not UTF-8",
        in_table("XML8", swap('"utf-8"', '"windows-1258"')),
    ),
    Defect(
        "not-utf8", "ENV-008", "table 8 has a byte that UTF-8 has not", in_table("XML8", swap(b"CDATA[", b"CDATA[\xff"))
    ),
    Defect(
        "wrong-root",
        "ENV-008",
        "table 8 has the root of table 7",
        in_table("XML8", swap("TOM_TAT_HO_SO_BENH_AN", "GIAY_RA_VIEN", every=True)),
    ),
    Defect("control-character", "ENV-012", "table 8 holds U+0001", in_table("XML8", swap(_COURSE, f"{_COURSE}\x01"))),
    Defect("missing-table", "ENV-006", "table 1 is missing", without("XML1")),
    Defect("duplicate-xml1", "ENV-006", "table 1 is there twice", first_table_twice),
    Defect(
        "unknown-element",
        "ENV-011",
        "table 8 has a field that nobody knows",
        in_table("XML8", swap("<QT_BENHLY>", "<CHIEU_CAO>170</CHIEU_CAO>\n  <QT_BENHLY>")),
    ),
    Defect("missing-element", "ENV-011", "table 1 has no MA_DANTOC", in_table("XML1", rewrite(rf" *{_ETHNIC}\n", ""))),
    Defect(
        "wrong-order",
        "ENV-011",
        "MA_DANTOC stands before MA_QUOCTICH",
        in_table("XML1", rewrite(rf"{_NATION}(\s*){_ETHNIC}", r"\3\2\1")),
    ),
)
_VALUES = (
    Defect("ma-lk-101", "ENV-013", "MA_LK has 101 characters", longer_key(101)),
    Defect("ma-lk-mismatch", "LNK-001", "MA_LK of table 8 is another one", in_table("XML8", put("MA_LK", "MAUKHAC"))),
    _insured("wrong-stt", "LNK-004", "STT of table 3 begins with 7", in_table("XML3", put("STT", "7"))),
    Defect("missing-required-field", "REQ-001", "LY_DO_VV is empty", in_table("XML1", put("LY_DO_VV", ""))),
    Defect("bad-day", "FMT-001", "NGAY_CT of table 8 is 30 February", in_table("XML8", put("NGAY_CT", _BAD_DAY))),
    Defect("bad-date", "FMT-002", "NGAY_TTOAN has a 13th month", in_table("XML1", put("NGAY_TTOAN", "202613010800"))),
    Defect("bad-citizen-number", "FMT-004", "SO_CCCD has 5 digits", in_table("XML1", put("SO_CCCD", "09999"))),
    _insured(
        "bad-card",
        "FMT-005",
        "the card ends in a letter",
        in_table("XML1", rewrite(r"(<MA_THE_BHYT>.{14})\d", r"\1X")),
        VisitKind.APPOINTED_DRUGS,
    ),
    Defect("unknown-sex", "COD-001", "GIOI_TINH is 9", in_table("XML1", put("GIOI_TINH", "9")), insured=False),
)
_RELATIONS = (
    _insured(
        "wrong-total", "MON-103", "T_TONGCHI_BV is not the sum", in_table("XML1", put("T_TONGCHI_BV", "99999999.00"))
    ),
    _insured("missing-notes", "X5-002", "day treatment without table 5", without("XML5"), VisitKind.DAY),
    _insured("missing-discharge-paper", "X7-001", "day treatment without table 7", without("XML7"), VisitKind.DAY),
    Defect("missing-summary", "X8-001", "day treatment without table 8", without("XML8"), kind=VisitKind.DAY),
    Defect(
        "summary-differs", "X8-003", "KET_QUA_DTRI of table 8 is another", in_table("XML8", put("KET_QUA_DTRI", "1"))
    ),
    Defect(
        "future-discharge",
        "X1-003",
        "the visit ends in 30 days; not paid yet",
        in_table("XML1", put("NGAY_TTOAN", "")),
        kind=VisitKind.EXAM,
        insured=False,
        later=timedelta(days=30),
        also=frozenset({"REQ-015"}),
    ),
    Defect(
        "facility-mismatch",
        "FAC-003",
        "MA_CSKCB is not the facility that hands it over",
        in_table("XML1", put("MA_CSKCB", UNREGISTERED)),
        insured=False,
    ),
    Defect(
        "unknown-facility", "FAC-001", f"facility {UNREGISTERED} is not registered", unchanged, facility=UNREGISTERED
    ),
    Defect("over-20mb", "SIZE-001", "more than the gateway takes: 21 MiB", lambda sample: padded(sample, 21 * MIB)),
)
_ENVELOPE = (
    _outer("envelope-not-xml", "ENV-001", "the envelope ends in the middle", in_envelope(first_half)),
    _outer("doctype-outer", "ENV-001", "the envelope has a document type", in_envelope(swap(DECLARATION, _DOCTYPE))),
    _outer(
        "entity-outer",
        "ENV-001",
        "the envelope declares an entity and uses it",
        in_envelope(swap(DECLARATION, _ENTITY), swap("<CHUKYDONVI/>", "<CHUKYDONVI>&e;</CHUKYDONVI>")),
    ),
    _outer("envelope-facility", "ENV-002", "MACSKCB is not MA_CSKCB", in_envelope(put("MACSKCB", UNREGISTERED))),
    _outer("bad-filing-day", "ENV-003", "NGAYLAP is 30 February", in_envelope(put("NGAYLAP", _BAD_DAY))),
    _outer(
        "two-hoso",
        "ENV-004",
        "the envelope holds two HOSO",
        in_envelope(rewrite(r"( *<HOSO>.*</HOSO>\n)", r"\1\1"), put("SOLUONGHOSO", "2")),
    ),
    _outer("portal-table", "ENV-005", "table 8 travels as XML12", in_envelope(swap(">XML8<", ">XML12<"))),
    _outer(
        "not-a-signature",
        "ENV-010",
        "CHUKYDONVI holds something that is no signature",
        in_envelope(swap("<CHUKYDONVI/>", "<CHUKYDONVI>?</CHUKYDONVI>")),
    ),
    _outer(
        "bad-base64",
        "ENV-008",
        "table 8 is not base64",
        in_envelope(rewrite(r"(XML8</LOAIHOSO>\s*<NOIDUNGFILE>)", r"\1!!!")),
    ),
)

_DOUBTFUL = (
    Defect(
        "missing-optional-element",
        "ENV-011W",
        "table 1 has no DU_PHONG",
        in_table("XML1", rewrite(r" *<DU_PHONG/>\n", "")),
    ),
    Defect("summary-twice", "ENV-007", "table 8 is there twice", last_table_twice, insured=False),
    Defect("empty-table", "ENV-009", "an empty table 5", empty_notes, kind=VisitKind.EXAM),
)
"""Warnings about elements and files."""

BY_NAME: Mapping[str, Defect] = MappingProxyType(
    {defect.name: defect for defect in (*_STRUCTURE, *_VALUES, *_RELATIONS, *_ENVELOPE)}
)
BY_RULE: Mapping[str, Defect] = MappingProxyType(
    {
        code: Defect(code, code, rule.what, rule.change, rule.ground.kind, rule.ground.insured, ground=rule.ground)
        for code, rule in RULE_DEFECTS.items()
    }
    | {defect.code: defect for defect in _DOUBTFUL}
)
"""By the code of a rule; made so that no other rule breaks (`proof.py`)."""
DEFECTS: Mapping[str, Defect] = MappingProxyType(
    dict(BY_RULE) | {defect.code: defect for defect in reversed(tuple(BY_NAME.values()))} | dict(BY_NAME)
)
"""By name, and by code: a code means the first named defect that triggers it, else that of its rule."""


def defective_dossier(
    defect: Defect,
    seed: int,
    *,
    facility: str,
    discharged_at: datetime,
    kind: VisitKind | None = None,
    insured: bool | None = None,
    size: int = Size.STANDARD,
    ma_lk: str | None = None,
) -> Sample:
    """A dossier with just this defect; kind and insurance not given are chosen to fit it, else an insured examination.

    Raises ValueError when the defect needs another kind of visit or insurance than asked for.
    """
    insurance = _agreed(defect, "insured", defect.insured, insured)
    ground = defect.ground
    sound = new_dossier(
        ground.seed if ground else seed,
        facility=defect.facility or facility,
        kind=_agreed(defect, "kind", defect.kind, kind) or VisitKind.EXAM,
        insured=True if insurance is None else insurance,
        discharged_at=discharged_at + defect.later,
        size=ground.size if ground else size,
        ma_lk=ma_lk or (f"MAU{seed:015d}" if ground else None),
        traits=ground.traits if ground else (),
        care=ground.care if ground else None,
    )
    rejected = rule_texts()[defect.code].severity == Severity.CRITICAL
    return replace(
        defect.change(sound),
        defect=defect.name,
        code=defect.code,
        expected=Expected.REJECTED if rejected else sound.expected,
    )


def _agreed(defect: Defect, what: str, needed: Wanted | None, wanted: Wanted | None) -> Wanted | None:
    if needed is not None and wanted is not None and needed != wanted:
        raise ValueError(f"defect {defect.name} needs {what} = {needed}")
    return wanted if needed is None else needed
