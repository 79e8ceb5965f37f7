"""Each rule seen passing and failing: the verdict on a sound dossier, and on the same one with the rule's defect."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from events.visit import Finding, TableFile
from streams.domain.dossier.checkin import judge_checkin
from streams.domain.dossier.codelists import SHIPPED, CodeList, Lists
from streams.domain.dossier.findings import rule_texts
from streams.domain.dossier.history import EarlierDossiers
from streams.domain.dossier.rules import RULES
from streams.domain.dossier.sample.build import new_dossier, unsigned_envelope
from streams.domain.dossier.sample.checkin import CHECKIN_DEFECTS, new_checkin
from streams.domain.dossier.sample.defects import DEFECTS, Defect, defective_dossier
from streams.domain.dossier.sample.model import Sample, VisitKind
from streams.domain.dossier.sample.rows import Rows, rows_of
from streams.domain.dossier.sample.rule_defects import RULE_DEFECTS, RuleDefect
from streams.domain.dossier.verdict import judge
from streams.domain.dossier.visit import Registration

MOMENT = datetime(2026, 11, 2, 3, tzinfo=UTC)
"""When the dossiers of the proofs end: a day of the newest standard."""
_JUDGED_AT = MOMENT + timedelta(hours=1)
_FACILITY = "01999"
_NOTHING_EARLIER = EarlierDossiers()
_Make = Callable[[Rows], CodeList]


class SampleLists:
    """Lists that a sound dossier agrees with: what a facility or the operator would have loaded (RULES §6)."""

    def __init__(self, rows: Rows, names: Iterable[str]) -> None:
        self._lists = {name: _LISTS[name](rows) for name in names if name in _LISTS}

    def on(self, name: str, day: date) -> CodeList | None:
        """See the port."""
        return self._lists.get(name) or SHIPPED.on(name, day)

    def of(self, facility: str) -> Lists:
        """See the port."""
        del facility
        return self


@dataclass(frozen=True, slots=True)
class Proof:
    """One rule passing and failing."""

    code: str
    what: str
    """What is wrong with the broken dossier."""
    passes: tuple[Finding, ...]
    """Findings about the sound dossier: none."""
    fails: tuple[Finding, ...]
    """Findings about the broken one: the rule's own, and those of `also`."""
    judged: bool
    """The rule was judged on the sound dossier, and did not pass for want of a list."""
    also: frozenset[str] = frozenset()
    """Rules that cannot but break with it."""

    @property
    def failing(self) -> frozenset[str]:
        return frozenset(item.code for item in self.fails)

    @property
    def holds(self) -> bool:
        """Whether the rule tells the two apart, and no other rule does."""
        return self.judged and not self.passes and self.failing == {self.code} | self.also


def sound(defect: RuleDefect) -> Sample:
    """The dossier to which the rule applies, and which keeps it."""
    return defect.sound(_ground(defect))


def broken(defect: RuleDefect) -> Sample:
    """The same with the defect."""
    return defect.change(_ground(defect))


def provable() -> tuple[str, ...]:
    """Codes of all rules that have a proof."""
    codes = {*CHECKIN_DEFECTS, *(defect.code for defect in DEFECTS.values())}
    return tuple(code for code in rule_texts() if code in codes)


def prove(code: str) -> Proof:
    """The rule `code` passing and failing. Raises KeyError for one that has no proof (`provable`)."""
    if code in CHECKIN_DEFECTS:
        return _of_checkin(code)
    return _of_rows(RULE_DEFECTS[code]) if code in RULE_DEFECTS else _of_bytes(DEFECTS[code])


def _of_checkin(code: str) -> Proof:
    what, edit = CHECKIN_DEFECTS[code]
    whole = new_checkin(_plain(), MOMENT)
    passes, fails = (judge_checkin(content, now=_JUDGED_AT) for content in (whole, edit(whole)))
    return Proof(code, what, passes, fails, judged=True)


def _of_bytes(defect: Defect) -> Proof:
    """A defect of files, bytes or the envelope."""
    spoilt = defective_dossier(defect, 1, facility=_FACILITY, discharged_at=MOMENT)
    whole = new_dossier(1, facility=_FACILITY, kind=spoilt.kind, insured=spoilt.insured, discharged_at=MOMENT)
    found = []
    for sample in (whole, spoilt):
        given = unsigned_envelope(sample) if defect.needs_envelope else _files(sample)
        register = {_FACILITY: Registration()}
        found.append(judge(given, now=_JUDGED_AT, facility=sample.facility, register=register).findings)
    passes, fails = found
    return Proof(defect.code, defect.what, passes, fails, judged=True, also=defect.also)


def _of_rows(defect: RuleDefect) -> Proof:
    whole = sound(defect)
    lists = SampleLists(rows_of(whole), _needed(defect.code))
    passes = judge(_files(whole), now=_JUDGED_AT, lists=lists, earlier=_NOTHING_EARLIER, checkin={})
    fails = judge(
        _files(broken(defect)),
        now=_JUDGED_AT,
        lists=lists,
        earlier=defect.earlier or _NOTHING_EARLIER,
        checkin=defect.checkin or {},
        xml8_every_visit=defect.xml8_every_visit,
    )
    judged = defect.code not in passes.not_judged
    return Proof(defect.code, defect.what, passes.findings, fails.findings, judged, defect.also)


def _files(sample: Sample) -> list[TableFile]:
    return [TableFile(kind, content) for kind, content in sample.tables]


def _plain() -> Sample:
    return new_dossier(1, facility=_FACILITY, kind=VisitKind.EXAM, insured=True, discharged_at=MOMENT)


def _ground(defect: RuleDefect) -> Sample:
    ground = defect.ground
    return new_dossier(
        ground.seed,
        facility=_FACILITY,
        kind=ground.kind,
        insured=ground.insured,
        discharged_at=MOMENT,
        size=ground.size,
        traits=ground.traits,
        care=ground.care,
    )


def _needed(code: str) -> tuple[str, ...]:
    if code == "COD-021":
        return ("NATIONALITIES",)
    return next((rule.lists for rule in RULES if code in rule.ids), ())


def _codes(name: str, codes: Iterable[str], **columns: str) -> CodeList:
    rows = tuple({"code": code, **columns} for code in sorted(set(codes)) if code)
    return CodeList(name, "made for a proof", rows)


def _every(rows: Rows, names: Iterable[str], *kinds: str) -> list[str]:
    found = [row.get(name, "") for kind in kinds or rows for row in rows.get(kind, ()) for name in names]
    return [part for text in found for part in text.split(";")]


def _catalogue(name: str, kind: str, code: str, columns: Iterable[str]) -> "dict[str, _Make]":
    def make(rows: Rows) -> CodeList:
        lines = [row for row in rows.get(kind, ()) if row.get(code)]
        entries = tuple({"code": row[code], **{column: row.get(column, "") for column in columns}} for row in lines)
        return CodeList(name, "made for a proof", entries)

    return {name: make}


_STAFF = ("MA_BAC_SI", "NGUOI_THUC_HIEN", "MA_BS_DOC_KQ", "MA_BS")
_MEDICINE = ("TEN_THUOC", "HAM_LUONG", "DUONG_DUNG", "SO_DANG_KY", "DON_VI_TINH", "DANG_BAO_CHE", "TT_THAU", "DON_GIA")
_LIMITS = (
    {"code": "Z99.9", "main": "0", "sex": "", "age_from": "", "age_to": ""},
    {"code": "O99.9", "main": "", "sex": "2", "age_from": "", "age_to": ""},
    {"code": "P99.9", "main": "", "sex": "", "age_from": "", "age_to": "0"},
)
_LISTS: Mapping[str, _Make] = {
    "ICD10": lambda rows: _codes("ICD10", _every(rows, ("MA_BENH_CHINH", "MA_BENH_KT"), "XML1")),
    "ICD10_LIMITS": lambda _rows: CodeList("ICD10_LIMITS", "made for a proof", _LIMITS),
    "COMMUNES": lambda rows: _codes(
        "COMMUNES", [rows["XML1"][0]["MAXA_CU_TRU"]], province=rows["XML1"][0]["MATINH_CU_TRU"]
    ),
    "NATIONALITIES": lambda rows: _codes("NATIONALITIES", _every(rows, ("MA_QUOCTICH",))),
    "ETHNIC_GROUPS": lambda rows: _codes("ETHNIC_GROUPS", _every(rows, ("MA_DANTOC",))),
    "OCCUPATIONS": lambda rows: _codes("OCCUPATIONS", _every(rows, ("MA_NGHE_NGHIEP",))),
    "YHCT": lambda _rows: _codes("YHCT", ["U50.011"]),
    "LAB_INDICES": lambda rows: _codes("LAB_INDICES", _every(rows, ("MA_CHI_SO",))),
    "CHILD_SERVICES": lambda _rows: _codes("CHILD_SERVICES", ["99.0016"]),
    "STAFF": lambda rows: _codes("STAFF", _every(rows, _STAFF)),
    "MACHINES": lambda rows: _codes("MACHINES", _every(rows, ("MA_MAY",))),
    **_catalogue("DRUG_CATALOGUE", "XML2", "MA_THUOC", _MEDICINE),
    **_catalogue("SERVICE_CATALOGUE", "XML3", "MA_DICH_VU", ("TEN_DICH_VU", "DON_GIA_BH")),
    **_catalogue("SUPPLY_CATALOGUE", "XML3", "MA_VAT_TU", ("TEN_VAT_TU", "DON_VI_TINH", "TT_THAU", "DON_GIA_BH")),
}
