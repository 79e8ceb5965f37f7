"""Invented people.

Nothing here can belong to anybody: the middle name says "test", citizen numbers and cards begin with the province
number 99, which no province has, and no Vietnamese phone number begins with 0000.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from streams.domain.dossier.data import read_csv
from streams.domain.dossier.sample.model import NEWBORNS, Row, Trait, day_text, moment_text

_FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô")
_MIDDLE = ("Thử", "Mẫu", "Nháp", "Giả")
_GIVEN = {
    "1": ("Nghiệm", "An", "Bình", "Cường", "Dũng", "Hải", "Khang", "Minh", "Quân", "Tùng"),
    "2": ("Ái", "Chi", "Dung", "Hạnh", "Lan", "Mai", "Ngọc", "Thảo", "Uyên", "Yến"),
}
_MOTHERS = frozenset({Trait.BIRTH, Trait.PREGNANCY_LEAVE})
_BLOOD = ("", "A+", "B+", "AB+", "O+", "O-")
_COMMUNES = {
    "01": {"00004": "001", "00070": "002", "00073": "002"},
    "48": {"20242": "492", "20257": "492", "20263": "493"},
    "79": {"26737": "760", "26740": "760", "26743": "760"},
}
"""Communes of before and since 2025-07-01 in the sample facilities' provinces (other facilities' patients live in 01),
each with its district while there were districts."""
_DISTRICTS_UNTIL = date(2025, 6, 30)


@dataclass(frozen=True, slots=True)
class Card:
    """A health insurance card; `group` decides the benefit level by its third character."""

    number: str
    first_care: str
    valid_from: str
    valid_to: str

    @property
    def level(self) -> str:
        return self.number[2]


@dataclass(frozen=True)
class Person:
    """An invented patient, by the field names of table 1."""

    fields: Row = field(repr=False)
    card: Card | None = field(repr=False)
    family: Mapping[str, str] = field(repr=False)
    """Who answers for a newborn: `mother`, `father` or `guardian` → name; empty for everybody else."""
    mother_insurance: str = field(repr=False)

    @property
    def name(self) -> str:
        return self.fields["HO_TEN"]


def invent_name(rng: Random, sex: str) -> str:
    """A full name put together from syllables; the middle one says that it is a test."""
    return f"{rng.choice(_FAMILY)} {rng.choice(_MIDDLE)} {rng.choice(_GIVEN[sex])}"


def invent_person(
    rng: Random, *, admitted: datetime, discharged: datetime, insured: bool, first_care: str, traits: frozenset[Trait]
) -> Person:
    """A patient who fits the visit; `first_care` is the facility where a grown-up's card is registered."""
    sex = rng.choice("12")
    if traits & _MOTHERS:
        sex = "2"
    newborn = bool(NEWBORNS & traits)
    foreign = Trait.FOREIGNER in traits
    born = (
        admitted - timedelta(hours=30)
        if newborn
        else _birthday(rng, admitted, 40 if sex == "2" and traits & _MOTHERS else 82)
    )
    named_after, family = _family(rng, traits)
    name = f"Alex {rng.choice(_MIDDLE)} Sample" if foreign else invent_name(rng, sex)
    province = first_care[:2] if first_care[:2] in _COMMUNES else "01"
    fields = {
        "MA_BN": f"BN{rng.randrange(10**8):08d}",
        "HO_TEN": name if insured else named_after or name,
        "SO_CCCD": _identity(rng, sex, born, traits),
        "NGAY_SINH": moment_text(born) if newborn else f"{day_text(born)}0000",
        "GIOI_TINH": sex,
        "NHOM_MAU": rng.choice(_BLOOD),
        "MA_QUOCTICH": "USA" if foreign else "000",
        "MA_DANTOC": "55" if foreign else "01",
        "MA_NGHE_NGHIEP": "00000",
        "DIA_CHI": f"Số {rng.randrange(1, 200)}, đường Thử Nghiệm",
        "MATINH_CU_TRU": province,
        "MAXA_CU_TRU": rng.choice(tuple(_COMMUNES[province])),
        "DIEN_THOAI": f"0000{rng.randrange(10**6):06d}",
        "CAN_NANG": f"{rng.randrange(2600, 3900) / 1000:.2f}" if newborn else f"{rng.randrange(4200, 8500) / 100:.2f}",
    }
    if discharged.date() <= _DISTRICTS_UNTIL:
        fields["MAHUYEN_CU_TRU"] = _COMMUNES[province][fields["MAXA_CU_TRU"]]
    if Trait.UNIDENTIFIED in traits:
        fields |= _NOBODY_KNOWS | {"NGAY_SINH": f"{born.year}00000000"}
    return Person(
        fields=fields,
        card=_card(rng, born, admitted, discharged, first_care, newborn) if insured else None,
        family=family,
        mother_insurance=f"99{rng.randrange(1, 10**8):08d}",
    )


FACILITY_NAME = "Cơ sở khám chữa bệnh thử nghiệm"
_SEX_OF_KIN = {"mother": "2", "father": "1", "guardian": "2"}
_NOBODY_KNOWS = {"HO_TEN": "Người Thử chưa rõ danh tính", "DIA_CHI": "Chưa rõ", "DIEN_THOAI": "", "NHOM_MAU": ""}


def _family(rng: Random, traits: frozenset[Trait]) -> tuple[str, dict[str, str]]:
    """The name by which a newborn without a card goes (`newborn_names.csv`), and who answers for it; else nobody."""
    for row in read_csv("newborn_names.csv"):
        if row["case"] in traits:
            kin = row["name_of"]
            if kin == "facility":
                return FACILITY_NAME, {}
            name = invent_name(rng, _SEX_OF_KIN[kin])
            return name, {kin: name}
    return "", {}


def _birthday(rng: Random, admitted: datetime, oldest: int) -> datetime:
    return admitted.replace(
        year=admitted.year - rng.randrange(19, oldest), month=rng.randrange(1, 13), day=rng.randrange(1, 29)
    )


def _identity(rng: Random, sex: str, born: datetime, traits: frozenset[Trait]) -> str:
    if traits & {*NEWBORNS, Trait.NO_CITIZEN_NUMBER, Trait.UNIDENTIFIED}:
        return ""
    if Trait.FOREIGNER in traits:
        return f"X{rng.randrange(10**7):07d}"
    century_and_sex = (int(sex) - 1) + 2 * (born.year // 100 - 19)
    return f"099{century_and_sex}{born:%y}{rng.randrange(10**6):06d}"


def _card(
    rng: Random, born: datetime, admitted: datetime, discharged: datetime, first_care: str, newborn: bool
) -> Card:
    insurance_number = f"99{rng.randrange(1, 10**8):08d}"
    if newborn:  # the temporary card of the portal, valid for the days of this stay
        return Card(f"TE199{insurance_number}", f"{first_care[:2]}000", day_text(born), day_text(discharged))
    group = "HT3" if admitted.year - born.year >= 61 else rng.choice(("DN4", "DN4", "DN4", "HN2"))
    return Card(f"{group}99{insurance_number}", first_care, f"{admitted.year}0101", f"{discharged.year}1231")
