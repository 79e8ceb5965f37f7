"""A late visit tells who was late and why: in `visit show`, in the list of what is late, for any number of visits."""

from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
import pytest

from events.visit import VisitClosed
from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.lateness import causes
from streams.adapters.timeline import PostgresTimeline
from streams.sla.clocks import shipped
from streams.sla.facts import Facts
from streams.stages.record import story_line
from tests.support.commands import healthbook

FACILITY = "01999"
NOW = datetime.now(UTC)
T = NOW - timedelta(hours=2)


def at(minutes: float) -> datetime:
    return T + timedelta(minutes=minutes)


async def told(pool: "asyncpg.Pool[asyncpg.Record]", ma_lk: str, handed_over: float) -> None:
    """A visit that closed two hours ago and is still on its way."""
    event = VisitClosed(FACILITY, ma_lk, 1, T, tables=())
    await PostgresTimeline(pool).add([story_line(event, T, at(handed_over))])
    await PostgresDeadlines(pool, shipped).learn([Facts(FACILITY, ma_lk, 1, closed_at=T)])


@pytest.fixture
async def late(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await told(pool, "HIS", handed_over=110)
    await told(pool, "US", handed_over=0)
    await told(pool, "GATEWAY", handed_over=0)
    await pool.execute(
        "with added as (insert into submission (facility, ma_lk, revision, closed_at, standard, visit_type, insured,"
        " person_key_kind, envelope, envelope_sha256, payload_sha256, certificate_serial, due_at, give_up_at, attempts)"
        " values ($1, 'GATEWAY', 1, $2, '3176', '01', true, 'CCCD', '', '', '', '', $2, $2, 1) returning id)"
        " insert into submission_attempt (submission, number, started_at, endpoint, base64_bytes, envelope_sha256,"
        " certificate_serial, probe, result) select id, 1, $2, '', 1, '', '', false, 'UNKNOWN' from added",
        FACILITY,
        T,
    )
    await pool.execute(
        "insert into timeline (event_id, facility, ma_lk, revision, type, happened_at, detail)"
        " values (gen_random_uuid(), $1, 'GATEWAY', 1, 'visit.signed.v1', $2, '{}')",
        FACILITY,
        T,
    )
    await pool.execute(
        "insert into outage (subject, from_at, found_by, cause) values ('gateway', $1, 'person', 'maintenance')", T
    )


@pytest.mark.usefixtures("late")
async def test_each_late_visit_has_its_side_and_its_cause(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    store = PostgresDeadlines(pool, shipped)
    clocks = [clock for ma_lk in ("HIS", "US", "GATEWAY") for clock in await store.of_visit(FACILITY, ma_lk)]
    found = await causes(pool, [clock for clock in clocks if clock.clock == "closed-to-receipt"], NOW)
    assert {clock.ma_lk: (str(cause.side), cause.code) for clock, cause in found if cause} == {
        "HIS": ("his", "HANDED_OVER_LATE"),
        "US": ("us", "PROCESSED_LATE"),
        "GATEWAY": ("gateway", "GATEWAY_OUTAGE"),
    }
    assert await causes(pool, [], NOW) == []


@pytest.mark.usefixtures("late")
async def test_the_commands_tell_it(database_url: str) -> None:
    command = partial(healthbook, database_url=database_url)
    shown = (await command("visit", "show", FACILITY, "HIS", "--output", "json")).json
    (clock,) = shown["clocks"]
    assert (clock["state"], clock["cause"]["side"], clock["cause"]["code"]) == ("BREACHED", "his", "HANDED_OVER_LATE")
    told = (await command("visit", "show", FACILITY, "HIS")).stdout
    assert "late by his, the HIS handed the visit over late" in told

    breached = (
        await command("deadline", "list", "--breached", "--clock", "closed-to-receipt", "--output", "json")
    ).json
    assert {row["ma_lk"]: row["side"] for row in breached} == {"HIS": "his", "US": "us", "GATEWAY": "gateway"}
    assert (await command("deadline", "list", "--at-risk", "--output", "json")).json == []

    policy = (await command("deadline", "show", "closed-to-receipt", "--output", "json")).json
    assert policy["counts"] == [{"clock": "closed-to-receipt", "state": "BREACHED", "running": True, "number": 3}]
    assert [row["lasts"] for row in policy["versions"]] == ["0:15:00"]
    assert len(policy["nearest"]) == 3
    assert (await command("deadline", "show", "no-such-clock")).code == 2
