"""publish over the real submission ledger: what the gateway accepted, byte for byte, becomes the entry."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias

import asyncpg
import pytest

from events.health_book import EntryState, HealthBookEntry
from events.serde import Serde
from events.visit import PersonKeyKind, VisitAccepted, VisitHeld, VisitSigned
from streams.adapters.facility_policies import FolderPolicies
from streams.adapters.identities import PostgresIdentities
from streams.adapters.ledger import PostgresLedger
from streams.adapters.outbox import Outbox
from streams.adapters.publications import LedgerDossiers, PostgresPublications
from streams.config import Settings
from streams.domain.dossier.identity import person_key
from streams.domain.dossier.sample.build import new_dossier, unsigned_envelope
from streams.domain.dossier.sample.model import Expected, Sample, Trait, VisitKind
from streams.domain.projection_rows import read_tables
from streams.errors import DeadLetter
from streams.runtime.loop import Received
from streams.runtime.publisher import Publisher
from streams.stages.publish import publish, publish_all
from tests.support.eventually import eventually
from tests.support.forward_bench import in_a_quarter_of_an_hour
from tests.support.health_book import accepted

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

ENDED = datetime(2026, 11, 2, 3, tzinfo=UTC)
SAMPLES = tuple(
    new_dossier(number, facility="01999", kind=kind, insured=insured, discharged_at=ENDED, traits=traits)
    for number, (kind, insured, traits) in enumerate(
        [
            *((kind, insured, ()) for kind in VisitKind for insured in (True, False)),  # HBR-01
            (VisitKind.EXAM, True, (Trait.HIV,)),
            (VisitKind.EXAM, True, (Trait.TB,)),
            (VisitKind.INPATIENT, True, (Trait.NEWBORN,)),
            (VisitKind.EXAM, False, (Trait.NO_CITIZEN_NUMBER,)),
        ]
    )
)


async def accept(pool: Pool, samples: Sequence[Sample]) -> list[VisitAccepted]:
    """Puts the samples into the ledger as sign does, and says what the gateway's acceptance of each is."""
    visits = []
    for sample in samples:
        envelope = unsigned_envelope(sample)
        kind = person_key(read_tables(envelope)["XML1"][0]).kind
        signed = VisitSigned(
            facility=sample.facility,
            ma_lk=sample.ma_lk,
            revision=1,
            closed_at=ENDED,
            standard="1931",
            visit_type="01",
            insured=sample.insured,
            person_key_kind=kind,
            envelope=envelope,
            envelope_sha256=sample.ma_lk,
            payload_sha256=sample.ma_lk,
            certificate_serial="cc",
        )
        ledger = PostgresLedger(pool, in_a_quarter_of_an_hour, timedelta(days=1))
        await ledger.add([signed])
        visits.append(accepted(1, ma_lk=sample.ma_lk, person_key_kind=kind))
    return visits


async def test_every_kind_of_visit_with_and_without_insurance_gets_its_entry(
    pool: Pool, serde: Serde, tmp_path: Path
) -> None:
    visits = await accept(pool, SAMPLES)
    publications = PostgresPublications(pool, Outbox(serde))
    await publish_all(visits, LedgerDossiers(pool), FolderPolicies(tmp_path), PostgresIdentities(pool), publications)
    rows = await pool.fetch("select key, value from outbox where topic = $1", HealthBookEntry.topic)
    entries = {row["key"]: await serde.decode(HealthBookEntry, row["value"]) for row in rows}
    for sample in SAMPLES:
        entry = entries.get(f"01999|{sample.ma_lk}")
        if sample.expected is Expected.NOT_DUE:
            assert entry is None
            continue
        assert entry is not None
        withheld = sample.expected is Expected.WITHHELD
        assert entry.state is (EntryState.WITHHELD if withheld else EntryState.ACTIVE)
        if entry.completeness is not None:
            assert entry.completeness.score == 100
    care = {entry.visit.care for entry in entries.values() if entry.visit is not None}
    assert len(care) == 6


async def test_a_correction_without_a_number_unlinks_the_visit(pool: Pool, serde: Serde, tmp_path: Path) -> None:
    (visit,) = await accept(pool, SAMPLES[:1])
    adapters = (LedgerDossiers(pool), FolderPolicies(tmp_path), PostgresIdentities(pool))
    await publish_all([visit], *adapters, PostgresPublications(pool, Outbox(serde)))
    assert await pool.fetchval("select count(*) from visit_identifier")
    nobody = replace(visit, revision=2, person_key_kind=PersonKeyKind.NONE)
    await publish_all([nobody], *adapters, PostgresPublications(pool, Outbox(serde)))
    assert await pool.fetchval("select count(*) from visit_identifier") == 0


async def test_register_names_the_facility_and_its_own_list_withholds(pool: Pool, tmp_path: Path) -> None:
    (visit,) = await accept(pool, SAMPLES[:1])
    folder = tmp_path / "01999"
    folder.mkdir()
    (folder / "facility.toml").write_text('name = "Bệnh viện Thử"\n', encoding="utf-8")
    dossiers = LedgerDossiers(pool)
    shown = await publish(visit, dossiers, FolderPolicies(tmp_path))
    assert shown is not None
    assert shown.entry.visit is not None
    assert shown.entry.visit.facility.name == "Bệnh viện Thử"
    main = shown.entry.visit.discharge_diagnosis.main
    (folder / "withholding.csv").write_text(
        f"id,kind,what,effect,valid_from,valid_to,legal_basis\nF-1,disease,{main},main,,,own decision\n",
        encoding="utf-8",
    )
    withheld = await publish(visit, dossiers, FolderPolicies(tmp_path))
    assert withheld is not None
    assert withheld.entry.state is EntryState.WITHHELD


@pytest.mark.parametrize(
    "content", ["id,kind\nF-1,disease\n", "id,kind,what,effect,valid_from,valid_to,legal_basis\nF-1,disease,,item,,,\n"]
)
async def test_broken_list_of_a_facility_shows_nothing(pool: Pool, serde: Serde, tmp_path: Path, content: str) -> None:
    (visit,) = await accept(pool, SAMPLES[:1])
    (tmp_path / "01999").mkdir()
    (tmp_path / "01999" / "withholding.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"withholding|F-1"):
        await publish(visit, LedgerDossiers(pool), FolderPolicies(tmp_path))


async def test_visits_of_a_facility_with_a_broken_list_wait_until_it_is_mended(
    pool: Pool, serde: Serde, tmp_path: Path
) -> None:
    (visit,) = await accept(pool, SAMPLES[:1])
    await serde.prepare(VisitAccepted, VisitHeld, HealthBookEntry)
    (tmp_path / "01999").mkdir()
    list_ = tmp_path / "01999" / "withholding.csv"
    list_.write_text("id;kind;what\n", encoding="utf-8")  # as a spreadsheet saves it
    settings = Settings(facilities=tmp_path, hold_retry=0.2)
    publisher = Publisher(settings, pool, serde)
    record = SimpleNamespace(topic=VisitAccepted.topic, value=serde.encode(visit), headers=())
    for _ in range(2):  # the batch comes again
        await publisher.handle([Received(visit, None, record)])
    assert await pool.fetchval("select count(*) from outbox where topic = $1", HealthBookEntry.topic) == 0
    assert await pool.fetchval("select count(*) from outbox where topic = $1", VisitHeld.topic) == 1
    trying = asyncio.create_task(publisher.try_again())
    try:
        list_.unlink()

        async def shown() -> bool:
            return bool(await pool.fetchval("select 1 from outbox where topic = $1", HealthBookEntry.topic))

        await eventually(shown, timeout=30)

        async def ended() -> bool:
            return bool(await pool.fetchval("select count(*) = 0 from hold where state <> 'ENDED'"))

        await eventually(ended)
    finally:
        trying.cancel()


async def test_accepted_visit_that_the_ledger_does_not_know_is_put_aside(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(DeadLetter):
        await publish(accepted(ma_lk="UNKNOWN"), LedgerDossiers(pool), FolderPolicies(tmp_path))


def test_facility_code_of_a_dossier_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "facility.toml").write_text('name = "Outside"\n', encoding="utf-8")
    (tmp_path / "register").mkdir()
    policies = FolderPolicies(tmp_path / "register")
    for code in ("..", "", "../..", "0199/"):
        assert policies.name(code) is None
