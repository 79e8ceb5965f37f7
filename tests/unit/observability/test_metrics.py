"""What is measured is what docs/observability.md tells, and it stays small however many facilities there are."""

import asyncio
import math
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.exposition import generate_latest

import streams.metrics
from events.envelope import Meta
from streams.adapters.certificate_register import ADDED
from streams.adapters.certificates import CertificateEnds
from streams.adapters.facilities import FACILITY, SIGNING_CERTIFICATE, FacilityRegister
from streams.config import Settings
from streams.metrics import CERTIFICATE_NOT_AFTER, FACILITY_LAST_EVENT
from streams.runtime import measure, reach
from streams.simulators.pki import TestAuthority, prepare_facilities
from tests.support.metric_families import Family, families

REPOSITORY = Path(__file__).parents[3]
ROW = re.compile(r"^\| `(healthbook_\w+)` \| (\w+) \| ([\w–]+) \| (.+?) \| .+ \|$", re.MULTILINE)
PER_FACILITY = {
    "healthbook_facility_last_event_timestamp_seconds",
    "healthbook_certificate_not_after_timestamp_seconds",
    "healthbook_facility_silent",
    "healthbook_completeness_missing",  # of at most 500 facilities, the worst
}


def documented() -> dict[str, Family]:
    text = (REPOSITORY / "docs" / "observability.md").read_text(encoding="utf-8")
    return {
        name: Family(kind, "" if unit == "–" else unit, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, unit, labels in ROW.findall(text)
    }


def test_the_document_lists_every_family_with_its_labels_and_unit() -> None:
    assert documented() == families(streams.metrics)


def test_a_unit_is_in_the_name() -> None:
    for name, family in families(streams.metrics).items():
        assert name.endswith(family.unit), name
        assert not name.endswith(("_seconds", "_bytes")) or family.unit, name


def test_only_few_families_have_one_series_for_each_facility() -> None:
    assert {name for name, family in families(streams.metrics).items() if "facility" in family.labels} == PER_FACILITY


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("register")
    prepare_facilities(FacilityRegister(folder / "facilities"), folder / "accounts", {"01999": "Invented"})
    return folder / "facilities"


def series(facility: str) -> float | None:
    return REGISTRY.get_sample_value("healthbook_certificate_not_after_timestamp_seconds", {"facility": facility})


async def test_every_registered_facility_shows_when_its_certificate_ends(register: Path, tmp_path: Path) -> None:
    own = tmp_path / "facilities"
    shutil.copytree(register, own)
    shutil.copytree(own / "01999", own / "79999")
    (own / "79999" / SIGNING_CERTIFICATE).write_text("nothing that can be read")
    shutil.copytree(own / "01999", own / "31999")
    (own / "31999" / FACILITY).unlink()
    shutil.copytree(own / "01999", own / "48999")
    (own / "48999" / ADDED).symlink_to(own / "48999" / ADDED)  # cannot be read, by root neither
    shutil.copytree(own / "01999", own / ".01998.1")
    ends = CertificateEnds(own)
    await ends.show()
    found = series("01999")
    assert series(".01998.1") is None, "a draft"
    assert series("48999") == found, "one that cannot be read takes nothing from the others"
    assert found is not None
    assert found > datetime.now(UTC).timestamp()
    assert (series("79999"), series("31999")) == (None, None), "no certificate, not registered"
    added = own / "01999" / ADDED / "later"
    added.mkdir(parents=True)
    issued = TestAuthority(tmp_path, datetime.now(UTC)).issue("Invented", "9901999999", *_years(1, 6))
    (added / SIGNING_CERTIFICATE).write_bytes(issued[1])
    await ends.show()
    assert series("01999") == _years(1, 6)[1].timestamp(), "one that takes over moves the end"
    shutil.rmtree(own / "01999")
    await ends.show()
    assert series("01999") is None, "a facility that is gone is shown no more"


def _years(*numbers: int) -> list[datetime]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [today + timedelta(days=365 * number) for number in numbers]


async def test_twelve_thousand_facilities_are_a_scrape_of_some_megabytes(register: Path, tmp_path: Path) -> None:
    before = _lines()
    own = tmp_path / "facilities"
    own.mkdir()
    for number in range(12_000):
        (own / f"{number:05d}").symlink_to(register / "01999")
    await CertificateEnds(own).show()
    for number in range(12_000):
        FACILITY_LAST_EVENT.labels(f"{number:05d}").set(datetime.now(UTC).timestamp())
    try:
        assert _lines() - before <= 2 * 12_000
        assert len(generate_latest(REGISTRY)) < 4_000_000
    finally:
        CERTIFICATE_NOT_AFTER.clear()
        FACILITY_LAST_EVENT.clear()


def _lines() -> int:
    return generate_latest(REGISTRY).count(b"\nhealthbook_")


def test_a_disk_that_is_not_there_fails_no_scrape(tmp_path: Path) -> None:
    there, missing = tmp_path, tmp_path / "missing"
    measure.show_disks([there, missing])
    assert value("healthbook_disk_free_bytes", folder=str(there)) > 0
    assert math.isnan(value("healthbook_disk_free_bytes", folder=str(missing)))


async def test_a_part_that_does_not_listen_is_not_reachable() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(
        kafka_bootstrap_servers=f"127.0.0.1:1,127.0.0.1:{port}",
        database_url=f"postgresql://somebody@127.0.0.1:{port}/healthbook",
        schema_registry_url="http://127.0.0.1:1/apis",
    )
    async with server:
        await reach.show_reachable(settings)
    found = {part: value("healthbook_part_reachable", part=part) for part in ("kafka", "postgres", "registry")}
    assert found == {"kafka": 1, "postgres": 1, "registry": 0}
    await reach.show_reachable(settings)
    assert value("healthbook_part_reachable", part="kafka") == 0


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None),
        ("Nguyễn Văn A", None),
        (None, None),
    ],
)
def test_only_a_trace_id_becomes_an_exemplar(header: str | None, trace: str | None) -> None:
    assert Meta("1", "s", "t", "k", datetime.now(UTC), header).trace_id == trace
