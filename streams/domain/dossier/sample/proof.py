"""Each rule seen passing and failing: the verdict on a sound dossier, and on the same one with the rule's defect."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from events.visit import TableFile
from streams.domain.dossier.codelists import SHIPPED, CodeList
from streams.domain.dossier.rules import RULES
from streams.domain.dossier.sample.build import new_dossier
from streams.domain.dossier.sample.model import Sample
from streams.domain.dossier.sample.rows import Rows, rows_of
from streams.domain.dossier.sample.rule_defects import RULE_DEFECTS, RuleDefect
from streams.domain.dossier.verdict import Verdict, judge
from streams.domain.dossier.visit import EarlierDossiers

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


@dataclass(frozen=True, slots=True)
class Proof:
    """One rule passing and failing."""

    defect: RuleDefect
    passes: Verdict
    fails: Verdict

    @property
    def passing(self) -> frozenset[str]:
        """Codes of the findings about the sound dossier: none."""
        return frozenset(item.code for item in self.passes.findings)

    @property
    def failing(self) -> frozenset[str]:
        """Codes of the findings about the broken one: the rule's own, and those that cannot but break with it."""
        return frozenset(item.code for item in self.fails.findings)

    @property
    def holds(self) -> bool:
        """Whether the rule tells the two apart, and no other rule does."""
        judged = self.defect.code not in self.passes.not_judged
        return judged and not self.passing and self.failing == {self.defect.code} | self.defect.also


def sound(defect: RuleDefect) -> Sample:
    """The dossier to which the rule applies, and which keeps it."""
    return defect.sound(_ground(defect))


def broken(defect: RuleDefect) -> Sample:
    """The same with the defect."""
    return defect.change(_ground(defect))


def prove(code: str) -> Proof:
    """The rule `code` passing and failing. Raises KeyError for a rule that is no matter of values."""
    defect = RULE_DEFECTS[code]
    whole = sound(defect)
    lists = SampleLists(rows_of(whole), _needed(code))
    passes = _judge(whole, lists, _NOTHING_EARLIER, {}, xml8_every_visit=True)
    fails = _judge(
        broken(defect),
        lists,
        defect.earlier or _NOTHING_EARLIER,
        defect.checkin or {},
        xml8_every_visit=defect.xml8_every_visit,
    )
    return Proof(defect, passes, fails)


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
    return next(rule.lists for rule in RULES if code in rule.ids)


def _judge(
    sample: Sample,
    lists: SampleLists,
    earlier: EarlierDossiers,
    checkin: Mapping[str, str],
    *,
    xml8_every_visit: bool,
) -> Verdict:
    tables = [TableFile(kind, content) for kind, content in sample.tables]
    return judge(
        tables, now=_JUDGED_AT, lists=lists, earlier=earlier, checkin=checkin, xml8_every_visit=xml8_every_visit
    )


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
