"""The visit behind a dossier: who, why, when, where. All tables are written from it."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random

from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.sample.care import Care
from streams.domain.dossier.sample.medicine import BY_KIND, BY_TRAIT, Illness
from streams.domain.dossier.sample.model import NEWBORNS, Trait, VisitKind, chance, to_minute
from streams.domain.dossier.sample.person import Person, invent_person
from streams.domain.dossier.tables import catalogue

_ROWS_A_DAY = 36


@dataclass(frozen=True)
class Visit:
    """Everything that the tables of one dossier have in common. Moments are Vietnamese local time."""

    facility: str
    ma_lk: str
    care: Care
    traits: frozenset[Trait]
    illness: Illness = field(repr=False)
    person: Person = field(repr=False)
    admitted: datetime
    last: datetime
    """The last thing that was done; never after the moment at which the visit closed."""
    ended: datetime
    """NGAY_RA."""
    category: str
    sent_by: str
    sent_to: str
    follow_up: date | None
    staff: tuple[str, ...]
    rows: int
    seed: int

    @property
    def insured(self) -> bool:
        return self.person.card is not None

    @property
    def days(self) -> int:
        """Calendar days, first and last included."""
        return (self.ended.date() - self.admitted.date()).days + 1

    @property
    def admitted_to_ward(self) -> datetime:
        return self.admitted + timedelta(minutes=20)

    @property
    def departments(self) -> tuple[str, ...]:
        return ("K01", self.illness.department) if self.care.stay else ("K01",)

    @property
    def leaving(self) -> str:
        """MA_LOAI_RV: discharged, or transferred for clinical reasons."""
        return "2" if self.sent_to else "1"

    @property
    def result(self) -> str:
        """KET_QUA_DTRI: better, or unchanged when another facility goes on."""
        return "3" if self.sent_to else "2"

    @property
    def head(self) -> str:
        """MA_TTDV: the practice licence; before 2025 the insurance number, as the field had room for 10 digits."""
        licence = self.staff[0]
        room = catalogue(self.ended.date())["XML1"].by_name["MA_TTDV"].max_length or 0
        return licence if len(licence) <= room else f"9900{licence[:6]}"

    @property
    def doctor(self) -> str:
        return self.staff[1]

    @property
    def technician(self) -> str:
        return self.staff[2]

    @property
    def nurse(self) -> str:
        return self.staff[3]

    def random(self, purpose: str) -> Random:
        """Chance of its own for each part of the dossier, so that one more draw here changes nothing there."""
        return chance(self.seed, self.facility, self.care.code, self.insured, purpose)


def plan_visit(
    seed: int,
    *,
    facility: str,
    care: Care,
    insured: bool,
    discharged_at: datetime,
    rows: int,
    ma_lk: str | None,
    traits: frozenset[Trait],
) -> Visit:
    """Decides what chance decides about the visit itself; there can be such a visit (`care.objection`)."""
    last = to_minute(discharged_at).astimezone(VIETNAM)
    rng = chance(seed, facility, care.code, insured)
    span = care.span
    if care.bed == "15" and rows > _ROWS_A_DAY:
        span += timedelta(days=rows // _ROWS_A_DAY)
    admitted = last - span
    newborn = bool(NEWBORNS & traits)
    referred_in = rng.random() < 0.2 and care.stay and not newborn
    neighbour = _neighbour(facility)
    sent_out = Trait.REFERRAL in traits or (rng.random() < 0.15 and care.kind in (VisitKind.EXAM, VisitKind.INPATIENT))
    again = Trait.REEXAM in traits or rng.random() < 0.5
    first_care = neighbour if referred_in else facility
    return Visit(
        facility=facility,
        ma_lk=ma_lk or f"MAU{chance(seed, facility, care.code, insured, 'MA_LK').randrange(10**15):015d}",
        care=care,
        traits=traits,
        illness=_illness(rng, care.kind, traits),
        person=invent_person(
            rng, admitted=admitted, discharged=last, insured=insured, first_care=first_care, traits=traits
        ),
        admitted=admitted,
        last=last,
        ended=last.replace(hour=23, minute=59) if care.ends_with_day else last,
        category=_category(insured, newborn, referred_in),
        sent_by=neighbour if referred_in and insured else "",
        sent_to=neighbour if sent_out else "",
        follow_up=(last + timedelta(days=rng.choice((7, 14, 28)))).date() if again and not sent_out else None,
        staff=tuple(f"{number:06d}/TEST-CCHN" for number in rng.sample(range(10**6), 4)),
        rows=rows,
        seed=seed,
    )


def _illness(rng: Random, kind: VisitKind, traits: frozenset[Trait]) -> Illness:
    """The illness of the first trait that has one, with those of the others beside it; else one by chance."""
    chosen = rng.choice(BY_KIND[kind])
    main, *others = [illness for trait, illness in BY_TRAIT.items() if trait in traits] or [chosen]
    codes = (main.accompanying, *(other.code for other in others))
    diagnoses = (main.diagnosis, *(other.diagnosis for other in others))
    return replace(main, accompanying=";".join(filter(None, codes)), diagnosis="; ".join(diagnoses))


def _category(insured: bool, newborn: bool, referred_in: bool) -> str:
    """MA_DOITUONG_KCB."""
    if not insured:
        return "9"
    if newborn:
        return "1.7"
    return "1.3" if referred_in else "1.1"


def _neighbour(facility: str) -> str:
    """An invented facility of the same province."""
    return next(code for ending in ("998", "997") if (code := facility[:2] + ending) != facility)
