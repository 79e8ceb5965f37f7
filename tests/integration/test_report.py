"""`report sla`: its sums are those of the visits' own clocks, however the clocks are grouped."""

import csv
import io
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner
from lxml import html

from events.deadline import DeadlineState
from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.promise_report import Figures, Grouping, promise_report
from streams.cli import main
from streams.sla.clocks import CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN, shipped
from streams.sla.deadline import Deadline
from streams.sla.facts import Facts
from tests.support.commands import Answer, healthbook

CLOCKS = (CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN)
FIRST = datetime(2026, 1, 30, 17, tzinfo=UTC)  # midnight of the 31st in Vietnam
DAYS = 3
NOW = FIRST + timedelta(days=DAYS)
VISITS = 120
FACILITIES = ("01999", "48999")
VIETNAM = timedelta(hours=7)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as opened:
        await close_visits(opened)
        yield opened


async def close_visits(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Seeded visits of three days: some late, some not due, some on their way; half of them known to the ledger."""
    chance = random.Random(7)
    facts = []
    for number in range(VISITS):
        closed = FIRST + timedelta(seconds=chance.uniform(0, DAYS * 86400 - 60))
        received = closed + timedelta(minutes=chance.choice([1, 5, 14, 16, 200])) if chance.random() < 0.8 else None
        shown = (
            received + timedelta(hours=chance.choice([1, 10, 23, 25])) if received and chance.random() < 0.8 else None
        )
        facts.append(
            Facts(
                chance.choice(FACILITIES), f"V{number}", 1, closed_at=closed, received_at=received,
                displayed_at=shown if shown and shown < NOW else None,
                stopped_by="REJECTED" if received is None and chance.random() < 0.5 else None,
            )
        )  # fmt: skip
    await PostgresDeadlines(pool, shipped, lambda: NOW).learn(facts)
    await pool.executemany(
        "insert into submission (facility, ma_lk, revision, closed_at, standard, visit_type, insured, person_key_kind,"
        " envelope, envelope_sha256, payload_sha256, certificate_serial, due_at, give_up_at)"
        " values ($1, $2, 1, $3, '3176', $4, $5, 'CCCD', '', '', '', '', $3, $3)",
        [
            (item.facility, item.ma_lk, item.closed_at, chance.choice(["01", "03"]), chance.random() < 0.5)
            for item in facts[::2]
        ],
    )


async def clocks_of_visits(pool: "asyncpg.Pool[asyncpg.Record]") -> list[Deadline]:
    """Every clock as `visit show` tells it."""
    store = PostgresDeadlines(pool, tuple, lambda: NOW)
    visits = await pool.fetch("select distinct facility, ma_lk from deadline")
    return [clock for visit in visits for clock in await store.of_visit(visit["facility"], visit["ma_lk"])]


async def figures(pool: "asyncpg.Pool[asyncpg.Record]", facility: str | None = None) -> list[Figures]:
    return await promise_report(pool, FIRST, NOW, facility, list(Grouping))


@pytest.mark.parametrize("grouping", list(Grouping))
async def test_the_groups_together_are_the_clocks_of_the_visits(
    pool: "asyncpg.Pool[asyncpg.Record]", grouping: Grouping
) -> None:
    stories = await clocks_of_visits(pool)
    for clock in CLOCKS:
        mine = [item for item in stories if item.clock == clock]
        found = [item for item in await figures(pool) if (item.clock, item.grouping) == (clock, grouping)]
        assert {
            name: sum(getattr(item, name) for item in found) for name in ("in_time", "late", "running", "not_due")
        } == {
            "in_time": sum(item.state is DeadlineState.MET and not item.late for item in mine),
            "late": sum(item.late for item in mine),
            "running": sum(item.state in (DeadlineState.RUNNING, DeadlineState.AT_RISK) for item in mine),
            "not_due": sum(item.state is DeadlineState.NOT_DUE for item in mine),
        }
        assert sum(item.late for item in found) > 0, "there is something to count"
        assert sum(item.owed + item.superseded + item.not_due for item in found) == len(mine)


async def test_a_clock_belongs_to_its_day_in_vietnam_and_percentiles_are_of_clocks_that_stopped(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    mine = [item for item in await clocks_of_visits(pool) if item.clock == RECEIPT_TO_SHOWN]
    days = Counter(f"{item.started_at + VIETNAM:%Y-%m-%d}" for item in mine if item.state is not DeadlineState.NOT_DUE)
    found = [item for item in await figures(pool) if item.clock == RECEIPT_TO_SHOWN]
    told = {item.value: item.owed for item in found if item.grouping is Grouping.DAY}
    in_period = {day: number for day, number in days.items() if day < f"{NOW + VIETNAM:%Y-%m-%d}"}
    assert {day: told[day] for day in in_period} == in_period
    (all_,) = [item for item in found if item.grouping is Grouping.ALL]
    took = sorted(item.stopped_at - item.started_at for item in mine if item.stopped_at is not None)
    assert all_.p50 == took[(len(took) + 1) // 2 - 1]
    assert all_.share == all_.in_time / (all_.in_time + all_.late)


async def test_one_facility_is_the_same_as_its_group(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    whole = {item.clock: item for item in await figures(pool) if item.value == FACILITIES[0]}
    alone = {item.clock: item for item in await figures(pool, FACILITIES[0]) if item.value == FACILITIES[0]}
    assert whole == alone
    assert set(whole) == set(CLOCKS)


async def test_the_command_tells_the_same_as_table_json_csv_sheet_and_page(
    pool: "asyncpg.Pool[asyncpg.Record]", database_url: str, tmp_path: Path
) -> None:
    async def report(*arguments: str) -> Answer:
        period = ("--from", "2026-01-31", "--to", "2026-02-02")
        answer = await healthbook("report", "sla", *period, *arguments, database_url=database_url)
        assert answer.code == 0, answer.stderr
        return answer

    told = (await report("--output", "json")).json["figures"]
    assert {(row["clock"], row["grouping"]) for row in told} >= {("receipt-to-shown", "facility")}
    printed = list(csv.DictReader(io.StringIO((await report("--output", "csv")).stdout)))
    assert [row["late"] for row in printed] == [str(row["late"]) for row in told]
    for name in ("report.xlsx", "report.csv"):
        await report("--out", str(tmp_path / name))
        assert (tmp_path / name).stat().st_size > 0
    await report("--out", str(tmp_path / "report.html"), "--lang", "en")
    page = html.fromstring((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.findall(".//table")) == len({(row["clock"], row["grouping"]) for row in told})
    assert len(page.findall(".//figure")) == 4
    assert page.findall(".//script") == []
    row = next(item for item in told if (item["clock"], item["grouping"]) == ("receipt-to-shown", "all"))
    assert f"{row['share_percent']:.2f} %" in str(page.xpath("string()"))


async def test_a_period_without_clocks_is_said_to_be_one(database_url: str) -> None:
    answer = await healthbook("report", "sla", "--to", "2020-01-01", database_url=database_url)
    assert answer.code == 1
    assert "No clock started from 2019-12-26 to 2020-01-01" in answer.stderr


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    answer = CliRunner().invoke(main, ["report", "sla", "--from", "2026-02-01", "--to", "2026-01-01"])
    assert (answer.exit_code, "is after --to" in answer.stderr) == (2, True)


async def test_each_late_clock_of_the_report_is_named_with_its_side(
    pool: "asyncpg.Pool[asyncpg.Record]", database_url: str
) -> None:
    period = ("--from", "2026-01-31", "--to", "2026-02-02")
    told = (await healthbook("report", "late", *period, "--output", "json", database_url=database_url)).json
    late = sum(item.late for item in await figures(pool) if item.grouping is Grouping.ALL)
    assert len(told["late"]) == late == sum(told["by_side"].values()) > 0
    assert all(row["side"] and row["cause_vi"] and row["minutes_late"] > 0 for row in told["late"])
    table = await healthbook("report", "late", *period, "--facility", FACILITIES[0], database_url=database_url)
    assert table.code == 0
    assert FACILITIES[1] not in table.stdout
