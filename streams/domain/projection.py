"""An accepted dossier → what the health book shows of it (HEALTHBOOK §§2, 3). Pure; the privacy filter comes first."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta

from events.health_book import Clock, EntryState, HealthBookEntry, Source
from events.health_book_content import Person, Summary, Visit
from events.visit import VisitAccepted
from streams.domain.dossier.identity import person_key
from streams.domain.privacy import screen
from streams.domain.privacy_fields import Tables
from streams.domain.privacy_rules import Rule
from streams.domain.projection_completeness import completeness
from streams.domain.projection_papers import papers, summary
from streams.domain.projection_person import person
from streams.domain.projection_values import Names
from streams.domain.projection_visit import visit

DUE_WITHIN = timedelta(hours=24)
"""QĐ 2733 annex 01 Art. 5: shown within 24 hours of the gateway's receipt, weekends and holidays included."""


def project(
    accepted: VisitAccepted,
    tables: Tables,
    rules: Sequence[Rule],
    names: Names,
    *,
    xml8_every_visit: bool = True,
) -> HealthBookEntry:
    """The entry of an accepted revision: ACTIVE, or WITHHELD with nothing but the person's key.

    `tables` has table 1; `rules` are those in force on the visit's day; `names` names facilities by their code.
    """
    key = person_key(tables["XML1"][0])
    screening = screen(tables, rules)
    if screening.whole:
        return replace(
            _bare(accepted, EntryState.WITHHELD), person=Person(key.kind, key.value), withheld=screening.withheld
        )

    def parts(source: Tables) -> tuple[Person, Visit, Summary | None]:
        return person(source, key, names), visit(source, accepted.facility, names), summary(source)

    whole = parts(tables)
    who, what, told = parts(screening.tables) if screening.withheld else whole
    return replace(
        _bare(accepted, EntryState.ACTIVE),
        person=who,
        visit=what,
        summary=told,
        papers=papers(screening.tables, names),
        withheld=screening.withheld,
        completeness=completeness(tables, *whole, xml8_every_visit=xml8_every_visit),
    )


def withdrawn(accepted: VisitAccepted) -> HealthBookEntry:
    """What replaces an entry that must not be shown any more."""
    return _bare(accepted, EntryState.WITHDRAWN)


def _bare(accepted: VisitAccepted, state: EntryState) -> HealthBookEntry:
    received = accepted.received_at.astimezone(UTC)
    return HealthBookEntry(
        entry_id=accepted.key,
        facility=accepted.facility,
        ma_lk=accepted.ma_lk,
        version=accepted.revision,
        state=state,
        person=None,
        visit=None,
        summary=None,
        papers=(),
        source=Source(
            ma_giao_dich=accepted.transaction_code,
            thoi_gian_tiep_nhan=received,
            payload_sha256=accepted.payload_sha256,
            cert_serial=accepted.certificate_serial,
            standard=accepted.standard,
        ),
        clock=Clock(received_at=received, due_at=received + DUE_WITHIN),
        withheld=(),
        completeness=None,
    )
