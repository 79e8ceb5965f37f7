"""The last minute of one standard and the first of the next, side by side (OBLIGATIONS S000-06, S001-26)."""

from datetime import UTC, datetime, timedelta

import pytest

from events.visit import TableFile
from streams.domain.dossier.moments import VIETNAM
from streams.domain.dossier.sample import Sample, VisitKind, new_dossier
from streams.domain.dossier.sample.rows import edited, put
from streams.domain.dossier.standard import standard_named
from streams.domain.dossier.verdict import judge

SERVICE = "/api/qd130/guiHoSoXmlQD"
TURNS = [
    ("2024-07-01", ("130", "4750"), ("130", "4750")),
    ("2025-01-01", ("4750", "3176"), ("4750", "3176")),
    ("2026-07-01", ("3176", "1931"), ("3176", "3176")),
]


def ended(moment: datetime) -> Sample:
    """An outpatient visit that ended in this minute, whatever the seed makes of the last minutes of a visit."""
    sample = new_dossier(1, facility="01999", kind=VisitKind.EXAM, insured=False, discharged_at=moment)
    minute = f"{moment.astimezone(VIETNAM):%Y%m%d%H%M}"
    return edited(put("XML1", NGAY_RA=minute))(sample)


@pytest.mark.parametrize(("day", "names", "services"), TURNS, ids=[day for day, _, _ in TURNS])
def test_a_visit_is_judged_and_sent_by_the_standard_of_its_last_minute(
    day: str, names: tuple[str, str], services: tuple[str, str]
) -> None:
    midnight = datetime.fromisoformat(f"{day}T00:00+07:00")
    judged_at = midnight + timedelta(days=3)  # both come in on the same day: two standards at once
    for moment, name, service in zip((midnight - timedelta(minutes=1), midnight), names, services, strict=True):
        sample = ended(moment.astimezone(UTC))
        verdict = judge([TableFile(*table) for table in sample.tables], now=judged_at)
        assert (verdict.standard, verdict.rejected) == (name, False), [item.code for item in verdict.findings]
        assert standard_named(verdict.standard).endpoint == SERVICE + service
