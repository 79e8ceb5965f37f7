"""The error list of a facility: all that was injected, and nothing of another one."""

import asyncio
import csv
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from click.testing import CliRunner

from events.deadline import DeadlineChanged, DeadlineState
from events.visit import TableFile, VisitClosed, VisitRefused, VisitRejected
from streams.adapters.facility_errors import facility_errors
from streams.adapters.timeline import PostgresTimeline
from streams.cli import main
from streams.domain.dossier.sample import DEFECTS, defective_dossier
from streams.domain.dossier.verdict import judge
from streams.stages.record import story_line
from streams.stages.validate import decide

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 11, 2, 5, tzinfo=UTC)
INJECTED = ("MON-103", "X3-008", "REQ-001", "X8-001", "FMT-001", "X5-002")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as opened:
        yield opened


def rejected(facility: str, code: str, number: int) -> VisitRejected:
    sample = defective_dossier(
        DEFECTS[code], number, facility=facility, discharged_at=NOON, ma_lk=f"TEST-{facility}-{number}"
    )
    tables = tuple(TableFile(*table) for table in sample.tables)
    visit = VisitClosed(facility, sample.ma_lk, 1, NOON, tables)
    event = decide(visit, "d", judge(tables, now=NOON + timedelta(hours=1)), conflict=False)
    assert isinstance(event, VisitRejected), event
    return event


async def inject(pool: Pool) -> Counter[str]:
    """Six rejected visits and a refused one of 01999, two of another facility; counts the findings of the first."""
    timeline = PostgresTimeline(pool)
    mine = [rejected("01999", code, number) for number, code in enumerate(INJECTED)]
    others = [rejected("48999", code, number) for number, code in enumerate(INJECTED[:2])]
    refused = VisitRefused(
        "01999", "TEST-R", 1, NOON, "1931", "123", "PERMANENT_DATA", "x", NOON, 1, "Sửa hồ sơ.", "Correct it."
    )
    await timeline.add([story_line(event, NOON + timedelta(minutes=n)) for n, event in enumerate([*mine, *others])])
    nobody = DeadlineChanged(
        "receipt-to-shown", "01999", "TEST-N", 1, DeadlineState.NOT_DUE, NOON, NOON, NOON, False, "NO_IDENTIFIER"
    )
    withheld = replace(nobody, ma_lk="TEST-W", reason="WITHHELD")
    await timeline.add([story_line(event, NOON) for event in (refused, nobody, withheld)])
    return Counter(finding.code for event in mine for finding in event.findings) + Counter(["123", "NO_IDENTIFIER"])


async def test_every_error_of_the_facility_is_there_and_none_of_another(pool: Pool) -> None:
    injected = await inject(pool)
    found = await facility_errors(pool, "01999", NOON, NOON + timedelta(days=1))
    assert Counter(row["code"] for row in found) == injected
    assert {row["facility"] for row in found} == {"01999"}
    assert {row["from"] for row in found} == {"validation", "gateway", "health-book"}
    assert all(row["mend_vi"] and row["mend_en"] for row in found)
    assert all(row["source"] for row in found if row["from"] == "validation")
    line = next(row for row in found if row["code"] == "X3-008")
    assert (line["table"], line["field"], line["severity"]) == ("XML3", "TYLE_TT_DV", "critical")
    assert await facility_errors(pool, "01999", NOON + timedelta(days=1), NOON + timedelta(days=2)) == []


async def test_the_officer_gets_it_as_a_table_or_a_file(pool: Pool, database_url: str, tmp_path: Path) -> None:
    injected = await inject(pool)
    days = ("--since", "2026-11-01", "--until", "2026-11-03")
    environment = {"HEALTHBOOK_DATABASE_URL": database_url, "HEALTHBOOK_HOME": str(tmp_path)}

    def errors(*arguments: str) -> str:
        answer = CliRunner().invoke(main, ["facility", "errors", "01999", *days, *arguments], env=environment)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    listed = json.loads(await asyncio.to_thread(errors, "--output", "json"))
    assert Counter(row["code"] for row in listed) == injected
    await asyncio.to_thread(errors, "--out", str(tmp_path / "errors.csv"))
    with (tmp_path / "errors.csv").open(encoding="utf-8-sig", newline="") as file:
        assert Counter(row["code"] for row in csv.DictReader(file)) == injected
    await asyncio.to_thread(errors, "--out", str(tmp_path / "errors.xlsx"))
    assert (tmp_path / "errors.xlsx").read_bytes().startswith(b"PK")
