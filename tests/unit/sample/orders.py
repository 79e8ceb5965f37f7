"""Orders for invented dossiers, drawn by hypothesis: every visit that there can be, on every day of every standard."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations

from hypothesis import strategies as st

from events.visit import TableFile
from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.sample import FACILITIES, Sample, Size, Trait, new_dossier
from streams.domain.dossier.sample.care import CARES, Care, objection
from streams.domain.dossier.sample.model import FIRST_DAY

LAST_DAY = date(2027, 12, 31)
FIRST_DAYS = (date(2024, 7, 1), date(2025, 1, 1), date(2025, 7, 1), date(2026, 1, 1), date(2026, 7, 1))
"""On which standards, provinces, districts, lists, rates or the base salary change."""


@dataclass(frozen=True)
class Order:
    """What is ordered from the sample factory."""

    seed: int
    facility: str
    care: Care
    insured: bool
    traits: frozenset[Trait]
    size: int
    ended: datetime

    def sample(self) -> Sample:
        return new_dossier(
            self.seed,
            facility=self.facility,
            kind=self.care.kind,
            care=self.care.code,
            insured=self.insured,
            discharged_at=self.ended,
            size=self.size,
            traits=self.traits,
        )


def files(sample: Sample) -> list[TableFile]:
    return [TableFile(kind, content) for kind, content in sample.tables]


_days = st.one_of(
    st.dates(FIRST_DAY, LAST_DAY),
    st.sampled_from([day - timedelta(days=before) for day in FIRST_DAYS for before in (0, 1, 2)]),
)
_minutes = st.one_of(st.integers(0, 24 * 60 - 1), st.sampled_from([0, 1, 24 * 60 - 1]))


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Any possible order; special ones of up to three traits."""
    day, minute = draw(_days), draw(_minutes)
    visits = [
        (care, insured) for care in CARES for insured in (True, False) if objection(care, insured, set(), day) is None
    ]
    care, insured = draw(st.sampled_from(visits))
    traits = [
        frozenset(chosen)
        for count in range(4)
        for chosen in combinations(Trait, count)
        if objection(care, insured, set(chosen), day) is None
    ]
    return Order(
        draw(st.integers(0, 10**6)),
        draw(st.sampled_from([*FACILITIES, "92123"])),
        care,
        insured,
        draw(st.sampled_from(traits)),
        draw(st.sampled_from([Size.TINY, Size.TINY, Size.TINY, Size.STANDARD, 150])),
        datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=VIETNAM),
    )
