"""publish: a dossier that the gateway took becomes an entry of the health book (HEALTHBOOK)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from events.health_book import HealthBookEntry
from events.visit import PersonKeyKind, VisitAccepted, VisitHeld
from streams.domain.dossier.moments import VIETNAM
from streams.domain.identifiers import Identifier, identifiers_of
from streams.domain.privacy_rules import rules_on
from streams.domain.projection import project
from streams.domain.projection_rows import read_tables, visit_day
from streams.domain.submission import Hold

STAGE = "publish"
POLICY = Hold(
    "WITHHOLDING_LIST",
    "Không đọc được danh sách hạn chế hiển thị riêng của cơ sở, nên chưa đưa lượt khám lên sổ sức khỏe.",
    "The facility's own list of what to withhold cannot be read, so nothing of the visit is shown yet.",
    "Sửa withholding.csv của cơ sở (dòng đầu, dấu phẩy, UTF-8); hệ thống tự thử lại.",
    "Correct withholding.csv of the facility (first line, commas, UTF-8); it is tried again by itself.",
)
"""Why this stage holds a visit (docs/codes.md)."""
AT_ONCE = 32
"""Dossiers in memory together: each may have 27 MB."""


class Dossiers(Protocol):
    """The bytes that the gateway accepted."""

    async def envelope(self, facility: str, ma_lk: str, revision: int) -> bytes:
        """The signed envelope of a revision. Raises RetryLater, and DeadLetter when nobody kept it."""
        ...


class Facilities(Protocol):
    """What this installation knows about facilities."""

    def name(self, code: str) -> str | None:
        """Its name, None for a facility that is not registered here."""
        ...

    def withholding(self, code: str) -> Sequence[dict[str, str]]:
        """Its own rows beside `withholding.csv`. Raises ValueError or OSError: then nothing of it may be shown."""
        ...


class Identities(Protocol):
    """By which numbers the persons of the visits are known."""

    async def add(self, visits: Sequence[tuple[VisitAccepted, date, frozenset[Identifier]]]) -> None:
        """Keeps what the newest revision of each visit says. The same again changes nothing. Raises RetryLater."""
        ...


class Publications(Protocol):
    """Which version of each entry is on the bus."""

    async def add(self, visits: Sequence[tuple[VisitAccepted, HealthBookEntry | None]]) -> None:
        """Publishes what is newer, keeps the rest as history; durable when it returns. The same again changes nothing.

        Raises RetryLater.
        """
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """What the book shows of a visit, its day, and by which numbers its person is known."""

    entry: HealthBookEntry
    day: date
    identifiers: frozenset[Identifier] = field(repr=False)


async def publish(
    visit: VisitAccepted, dossiers: Dossiers, facilities: Facilities, *, xml8_every_visit: bool = True
) -> Published | None:
    """None when no person can be found in it (HEALTHBOOK §4): there is no entry."""
    if visit.person_key_kind is PersonKeyKind.NONE:
        return None
    tables = read_tables(await dossiers.envelope(visit.facility, visit.ma_lk, visit.revision))
    day = visit_day(tables)
    rules = rules_on(day or date.max, facilities.withholding(visit.facility))
    entry = project(visit, tables, rules, facilities.name, xml8_every_visit=xml8_every_visit)
    return Published(entry, day or _closing_day(visit), identifiers_of(tables["XML1"][0]))


def _closing_day(visit: VisitAccepted) -> date:
    return visit.closed_at.astimezone(VIETNAM).date()


def held(visit: VisitAccepted, facilities: Facilities, now: datetime) -> VisitHeld | None:
    """Why nothing of the visit may be shown yet: the facility's own privacy list cannot be read.

    Nobody decides about it: publish tries again until somebody has mended the list.
    """
    try:
        rules_on(date.max, facilities.withholding(visit.facility))
    except (ValueError, OSError):
        return VisitHeld(
            facility=visit.facility,
            ma_lk=visit.ma_lk,
            revision=visit.revision,
            closed_at=visit.closed_at,
            held_by=STAGE,
            reason=POLICY.reason,
            message_vi=POLICY.message_vi,
            message_en=POLICY.message_en,
            mend_vi=POLICY.mend_vi,
            mend_en=POLICY.mend_en,
            held_at=now,
        )
    return None


async def publish_all(
    visits: Sequence[VisitAccepted],
    dossiers: Dossiers,
    facilities: Facilities,
    identities: Identities,
    publications: Publications,
    *,
    xml8_every_visit: bool = True,
) -> None:
    """A batch: dossiers are asked for together, and what becomes of them is written together."""
    found: list[Published | None] = []
    for start in range(0, len(visits), AT_ONCE):
        found += await asyncio.gather(
            *(
                publish(visit, dossiers, facilities, xml8_every_visit=xml8_every_visit)
                for visit in visits[start : start + AT_ONCE]
            )
        )
    pairs = list(zip(visits, found, strict=True))
    # One without a number too: the revision before may have named somebody.
    await identities.add(
        [
            (visit, item.day, item.identifiers) if item else (visit, _closing_day(visit), frozenset())
            for visit, item in pairs
        ]
    )
    await publications.add([(visit, item.entry if item else None) for visit, item in pairs])
