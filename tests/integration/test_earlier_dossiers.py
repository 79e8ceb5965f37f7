"""validate with what it remembers (LNK-003, X11-006), beside a check-in (LNK-005), and as `dossier check` says."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from events.his.source import read_dossier
from events.visit import CHECK_IN, Severity, TableFile, VisitClosed, VisitRejected, VisitValidated
from streams.adapters.facilities import FacilityRegister
from streams.adapters.judge import RegisteredJudge
from streams.adapters.revisions import PostgresRevisions
from streams.cli import main
from streams.domain.dossier.sample import BY_RULE, Sample, Trait, VisitKind, defective_dossier, new_dossier
from streams.domain.dossier.sample.checkin import new_checkin
from streams.domain.dossier.sample.rows import edited, put, rows_of
from streams.runtime.loop import Received, each
from streams.simulators.dossier_files import write_dossier
from streams.simulators.pki import prepare_facilities
from streams.stages.validate import validate

FACILITY = "01999"
ENDED = datetime(2026, 11, 2, 3, tzinfo=UTC)
NOW = ENDED + timedelta(hours=1)


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> FacilityRegister:
    folder = tmp_path_factory.mktemp("earlier")
    found = FacilityRegister(folder / "facilities")
    prepare_facilities(found, folder / "accounts", {FACILITY: "Bệnh viện Thử A"})
    return found


class Stage:
    """validate on a database."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", register: FacilityRegister) -> None:
        self.pool = pool
        judge = RegisteredJudge(register, 2**24)
        self.validate = partial(validate, revisions=PostgresRevisions(pool), judge=judge, now=lambda: NOW)

    async def codes(self, sample: Sample, revision: int = 1) -> set[str]:
        """Findings of a revision; what is critical makes it rejected."""
        found = await self.validate(closed(sample, revision))
        findings = found.findings if isinstance(found, VisitRejected) else found.warnings
        assert isinstance(found, VisitRejected) == any(item.severity is Severity.CRITICAL for item in findings)
        return {item.code for item in findings}


@pytest.fixture
async def stage(database_url: str, register: FacilityRegister) -> AsyncIterator[Stage]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        yield Stage(pool, register)


def closed(sample: Sample, revision: int = 1, *more: TableFile) -> VisitClosed:
    tables = tuple(TableFile(*table) for table in sample.tables)
    return VisitClosed(sample.facility, sample.ma_lk, revision, ENDED, (*tables, *more))


def dossier(seed: int, ma_lk: str, days_earlier: int = 0, *traits: Trait) -> Sample:
    moment = ENDED - timedelta(days=days_earlier)
    given = {"facility": FACILITY, "kind": VisitKind.EXAM, "insured": True, "discharged_at": moment}
    return new_dossier(seed, ma_lk=ma_lk, size=6, traits=frozenset(traits), **given)  # type: ignore[arg-type]


async def test_one_ma_lk_is_never_used_for_another_visit(stage: Stage) -> None:
    first, another = dossier(1, "TEST-1"), dossier(2, "TEST-1", 9)
    same_patient = dossier(1, "TEST-1", 9)
    assert await stage.codes(first, 1) == set()
    assert await stage.codes(another, 2) == {"LNK-003"}
    assert await stage.codes(another, 2) == {"LNK-003"}, "the same again"
    assert await stage.codes(another, 3) == {"LNK-003"}, "a rejected revision is no visit to compare with"
    assert await stage.codes(same_patient, 4) == set()
    assert await stage.codes(first, 1) == set(), "what came later changes nothing"


async def test_revisions_of_one_batch_are_judged_one_after_the_other(stage: Stage) -> None:
    """A rejected first one is no visit to compare the second with, though both came together."""
    wrong, right = broken(dossier(1, "TEST-1")), dossier(2, "TEST-1", 9)
    batch = [Received(closed(sample, n), None, None) for n, sample in enumerate((wrong, right), 1)]
    rejected, validated = await each(stage.validate)(batch)
    assert isinstance(rejected, VisitRejected)
    assert isinstance(validated, VisitValidated), [item.code for item in getattr(validated, "findings", ())]


async def test_what_once_passed_stays_the_visit_to_compare_with(stage: Stage, register: FacilityRegister) -> None:
    first, another = dossier(1, "TEST-1"), dossier(2, "TEST-1", 9)
    assert await stage.codes(first, 1) == set()
    file = register.file(FACILITY, "facility.toml")
    entry = file.read_bytes()
    file.write_bytes(entry.replace(b"valid_from = ", b"valid_from = 2099-01-01 # "))
    try:
        unregistered = Stage(stage.pool, FacilityRegister(file.parent.parent))
        assert await unregistered.codes(first, 1) == {"FAC-002"}, "the same again, looked at on a bad day"
    finally:
        file.write_bytes(entry)
    assert await stage.codes(another, 2) == {"LNK-003"}


def broken(sample: Sample) -> Sample:
    return edited(put("XML1", MA_LOAI_KCB="99"))(sample)


async def test_a_serial_of_a_sick_leave_paper_is_used_once(stage: Stage) -> None:
    first = dossier(1, "TEST-1", 0, Trait.SICK_LEAVE)
    other = with_serial(dossier(2, "TEST-2", 0, Trait.SICK_LEAVE), rows_of(first)["XML11"][0]["SO_SERI"])
    assert "X11-006" not in await stage.codes(first)
    assert "X11-006" in await stage.codes(other)
    assert "X11-006" in await stage.codes(other), "the same again"
    assert "X11-006" not in await stage.codes(first), "the first one named it first"
    assert await stage.codes(with_serial(first, "TEST-9"), 2) == set()
    assert "X11-006" not in await stage.codes(other, 2), "the correction of the first does not name it any more"


def with_serial(sample: Sample, serial: str) -> Sample:
    return edited(put("XML11", SO_SERI=serial))(sample)


async def test_a_check_in_beside_the_tables_is_compared_and_goes_no_further(stage: Stage) -> None:
    sample = dossier(1, "TEST-1")
    agrees = await stage.validate(closed(sample, 1, TableFile(CHECK_IN, new_checkin(sample, ENDED))))
    assert isinstance(agrees, VisitValidated)
    assert not agrees.warnings
    another_visit = new_checkin(dossier(2, "TEST-2"), ENDED)
    again = await stage.validate(closed(sample, 1, TableFile(CHECK_IN, another_visit)))
    assert isinstance(again, VisitValidated), "the dossier is the same: a check-in never blocks"
    assert not again.warnings, "the notice of another visit says nothing about this one"
    stranger = new_checkin(dossier(2, "TEST-1"), ENDED)
    differs = await stage.validate(closed(sample, 2, TableFile(CHECK_IN, stranger)))
    assert isinstance(differs, VisitValidated)
    assert {item.code for item in differs.warnings} == {"LNK-005"}
    assert CHECK_IN not in {table.kind for table in differs.tables}


async def test_the_bus_says_what_dossier_check_says(stage: Stage, tmp_path: Path) -> None:
    for seed, (code, defect) in enumerate(sorted(BY_RULE.items())):
        sample = defective_dossier(defect, seed, facility=FACILITY, discharged_at=ENDED)
        write_dossier(tmp_path / code, sample, "envelope" if defect.needs_envelope else "folder")
    arguments = ["dossier", "check", str(tmp_path), "--facility", FACILITY, "--output", "json"]
    answer = await asyncio.to_thread(CliRunner().invoke, main, arguments, env={"HEALTHBOOK_HOME": str(tmp_path)})
    told = {Path(item["path"]).stem: item for item in json.loads(answer.stdout)}
    assert set(told) == set(BY_RULE)
    for revision, (code, said) in enumerate(sorted(told.items()), 1):
        given = read_dossier(said["path"])
        visit = VisitClosed(FACILITY, code, revision, ENDED, given.tables, given.envelope)
        found = await stage.validate(visit)
        findings = found.findings if isinstance(found, VisitRejected) else found.warnings
        assert [(i.code, i.table, i.row, i.field, i.message_vi) for i in findings] == [
            (i["code"], i["table"], i["row"], i["field"], i["message_vi"]) for i in said["findings"]
        ], code
