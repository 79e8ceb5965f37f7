"""The entry as a whole: source, clock, key, completeness, Avro, nothing of a person in its repr."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import fastavro
import pytest

from events.health_book import EntryState, HealthBookEntry
from events.serde import from_record, parsed_schema, to_record
from events.visit import PersonKeyKind
from tests.support.health_book import (
    CHILD,
    RECEIVED,
    REFERRAL,
    XML1,
    Rows,
    accepted,
    dossier,
    drug_row,
    entry_of,
    person,
)


def test_source_and_clock_are_the_gateways_receipt() -> None:
    entry = entry_of(dossier())
    assert entry.source.ma_giao_dich == "TX-1"
    assert (entry.source.payload_sha256, entry.source.cert_serial, entry.source.standard) == ("bb", "cc", "1931")
    assert entry.source.thoi_gian_tiep_nhan == entry.clock.received_at == RECEIVED
    assert entry.clock.due_at == RECEIVED + timedelta(hours=24)
    assert entry.clock.published_at is None


@pytest.mark.parametrize(
    ("xml1", "kind", "key"),
    [
        ({}, PersonKeyKind.CCCD, "001090000000"),
        ({"SO_CCCD": ""}, PersonKeyKind.BHYT, "9999999999"),
        ({"SO_CCCD": "C1234567", "MA_THE_BHYT": ""}, PersonKeyKind.FOREIGN, "C1234567"),
    ],
)
def test_person_key(xml1: dict[str, str], kind: PersonKeyKind, key: str) -> None:
    found = person(**xml1)
    assert (found.key_type, found.key) == (kind, key)


def test_patient_without_insurance_needs_tables_1_and_8_only() -> None:
    without = {"MA_THE_BHYT": "", "MA_DKBD": "", "GT_THE_TU": "", "GT_THE_DEN": "", "MA_DOITUONG_KCB": "9"}
    entry = entry_of(dossier(without))
    assert entry.state is EntryState.ACTIVE
    assert entry.person is not None
    assert entry.person.insurance is None
    assert entry.completeness is not None
    assert (entry.completeness.score, entry.completeness.missing) == (100, ("HB-32",))


@pytest.mark.parametrize(("every_visit", "complete"), [(True, False), (False, True)])
def test_switch_xml8_every_visit_decides_whether_a_missing_summary_counts(every_visit: bool, complete: bool) -> None:
    tables = {"XML1": [XML1]}
    found = entry_of(tables, xml8_every_visit=every_visit).completeness
    assert found is not None
    assert (found.score == 100) is complete
    assert ("HB-38" in found.missing) is not complete


def test_stay_owes_its_summary_whatever_the_switch_says() -> None:
    found = entry_of({"XML1": [{**XML1, "MA_LOAI_KCB": "03"}]}, xml8_every_visit=False).completeness
    assert found is not None
    assert {"HB-38", "HB-39", "HB-40", "HB-41"} <= set(found.missing)


@pytest.mark.parametrize(
    ("xml1", "tables", "row"),
    [
        ({"HO_TEN": ""}, {}, "HB-01"),
        ({"NHOM_MAU": ""}, {}, "HB-30"),
        ({"CAN_NANG": ""}, {}, "HB-31"),
        ({"MA_DKBD": ""}, {}, "HB-11"),
        (CHILD, {}, "HB-14"),
        ({}, {"XML3": [{"MA_DICH_VU": "23.1", "MA_NHOM": "1"}]}, "HB-33"),
        ({"MA_PTTT_QT": "47.09"}, {}, "HB-35"),
    ],
)
def test_what_a_dossier_owes_and_lacks_is_named(xml1: dict[str, str], tables: dict[str, Rows], row: str) -> None:
    found = entry_of(dossier(xml1, **tables)).completeness
    assert found is not None
    assert row in found.missing


def test_entry_survives_avro_unchanged() -> None:
    entry = entry_of(dossier(XML2=[drug_row()], XML13=[REFERRAL])).published(RECEIVED)
    schema = parsed_schema(entry.topic)
    body = BytesIO()
    fastavro.schemaless_writer(body, schema, to_record(entry))
    record: Any = fastavro.schemaless_reader(BytesIO(body.getvalue()), schema, None)
    assert from_record(HealthBookEntry, record) == entry


def test_nothing_of_a_person_shows_in_repr() -> None:
    entry = entry_of(dossier(XML2=[drug_row()], XML13=[REFERRAL]))
    shown = repr(entry) + repr(entry.person) + repr(entry.visit) + repr(entry.summary) + repr(entry.papers)
    for secret in ("Nguyễn", "001090000000", "9999999999", "J02", "J18", "Ho ba ngày", "Thuốc thử A"):
        assert secret not in shown


def test_key_never_holds_the_persons_number() -> None:
    assert "001090000000" not in accepted().key
