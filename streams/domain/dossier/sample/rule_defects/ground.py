"""What a defect is made from: a sound dossier to which the rule applies, and the edits that several rules need."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from streams.domain.dossier.history import EarlierDossiers
from streams.domain.dossier.sample.edits import Change
from streams.domain.dossier.sample.model import Size, Trait, VisitKind
from streams.domain.dossier.sample.money import round_amount
from streams.domain.dossier.sample.rows import (
    Edit,
    Rows,
    edited,
    find,
    put,
    reckoned,
)


@dataclass(frozen=True, slots=True)
class Ground:
    """The sound dossier that a rule's defect is made from."""

    kind: VisitKind = VisitKind.EXAM
    insured: bool = True
    traits: frozenset[Trait] = frozenset()
    care: str | None = None
    size: int = Size.STANDARD
    seed: int = 1
    first: tuple[Edit, ...] = ()
    """What makes the sound dossier one to which the rule applies; it stays sound."""


@dataclass(frozen=True, slots=True)
class RuleDefect:
    """One rule, its ground, and what breaks it."""

    code: str
    what: str
    ground: Ground
    edits: tuple[Edit, ...]
    also: frozenset[str] = frozenset()
    """Rules that cannot but break with it."""
    xml8_every_visit: bool = True
    earlier: EarlierDossiers | None = None
    checkin: Mapping[str, str] | None = None

    @property
    def change(self) -> Change:
        return edited(*self.ground.first, *self.edits)

    @property
    def sound(self) -> Change:
        return edited(*self.ground.first)


def ground(kind: VisitKind = VisitKind.EXAM, *first: Edit, traits: Collection[Trait] = (), **more: object) -> Ground:
    return Ground(kind, traits=frozenset(traits), first=first, **more)  # type: ignore[arg-type]


EXAM, STAY, DAY = ground(), ground(VisitKind.INPATIENT, care="03"), ground(VisitKind.DAY)
SMALL = ground(size=Size.TINY)
UNINSURED = ground(insured=False)
REFERRED = ground(traits=[Trait.REFERRAL])
AGAIN = ground(traits=[Trait.REEXAM])
HIV, TB = ground(traits=[Trait.HIV]), ground(traits=[Trait.TB])
BIRTH = ground(VisitKind.INPATIENT, traits=[Trait.BIRTH], care="03")
SICK, PREGNANT = ground(traits=[Trait.SICK_LEAVE]), ground(traits=[Trait.PREGNANCY_LEAVE])
TEST, PROCEDURE, SUPPLY, CONSULTATION, BED = ({"MA_NHOM": group} for group in ("1", "18", "10", "13", "15"))
SURGERY = {"MA_NHOM": "8"}
WITH_SURGERY = ground(VisitKind.INPATIENT, put("XML3", PROCEDURE, MA_NHOM="8", PP_VO_CAM="1"), care="03")


def without_copies(*names: str) -> Edit:
    """Papers that repeat these fields leave them out."""

    def edit(rows: Rows) -> None:
        for kind in ("XML13", "XML14"):
            for row in rows.get(kind, ()):
                for name in names:
                    row.pop(name, None)

    return edit


NO_CARD_COPIES = without_copies("MA_THE_BHYT", "GT_THE_DEN")
NO_CATEGORY_COPY = without_copies("MA_DOITUONG_KCB")


def rule(code: str, what: str, ground: Ground, *edits: Edit, **more: object) -> RuleDefect:
    return RuleDefect(code, what, ground, edits, **more)  # type: ignore[arg-type]


def before_the_reform(rows: Rows) -> None:
    """500 days earlier: districts still are, and no complete list of categories is held."""
    for row in (row for table in rows.values() for row in table):
        for name, text in row.items():
            if name.startswith(DATED) and len(text) in (8, 12):
                row[name] = earlier(text)
    one = rows["XML1"][0]
    one |= {"MAHUYEN_CU_TRU": "001", "NAM_QT": one["NGAY_RA"][:4], "THANG_QT": str(int(one["NGAY_RA"][4:6]))}


DATED = ("NGAY", "GT_THE", "THOI_DIEM", "TU_NGAY", "DEN_NGAY")


def earlier(text: str) -> str:
    form = "%Y%m%d" if len(text) == 8 else "%Y%m%d%H%M"
    return (datetime.strptime(text, form) - timedelta(days=500)).strftime(form)  # noqa: DTZ007 - local time


def line(kind: str, which: int | dict[str, str], **values: str) -> Edit:
    """Quantity, price or rate of a line change, and every amount that follows from them."""

    def edit(rows: Rows) -> None:
        row = find(rows, kind, which)
        row.update(values)
        quantity, rate = Decimal(row["SO_LUONG"]), Decimal(row.get("TYLE_TT_DV", "100")) / 100
        price, covered = (Decimal(row[name]) for name in (PRICES[kind]))
        whole = round_amount(quantity * price * rate)
        insured = round_amount(quantity * covered * rate * Decimal(row["TYLE_TT_BH"]) / 100)
        reckoned(kind, which, THANH_TIEN_BV=str(whole), THANH_TIEN_BH=str(insured))(rows)

    return edit


PRICES = {"XML2": ("DON_GIA", "DON_GIA"), "XML3": ("DON_GIA_BV", "DON_GIA_BH")}


def level_again(level: str | None = None) -> Edit:
    """The same benefit level in every line; without one the level of the card."""

    def edit(rows: Rows) -> None:
        of_card = {"1": "100", "2": "100", "3": "95", "4": "80", "5": "100"}[rows["XML1"][0]["MA_THE_BHYT"][2]]
        for kind in PRICES:
            for position in range(len(rows.get(kind, []))):
                reckoned(kind, position, MUC_HUONG=level or of_card)(rows)

    return edit
