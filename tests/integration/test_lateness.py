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


_SIGNED = """
insert into timeline (event_id, facility, ma_lk, revision, type, happened_at, detail)
values (gen_random_uuid(), $1, $2, 1, 'visit.signed.v1', $3, '{}')
"""
_SENT = """
with added as (
    insert into submission (facility, ma_lk, revision, closed_at, standard, visit_type, insured, person_key_kind,
        envelope, envelope_sha256, payload_sha256, certificate_serial, due_at, give_up_at, attempts)
    values ($1, $2, 1, $3, '3176', '01', true, 'CCCD', '', '', '', '', $3, $3, 1) returning id
)
insert into submission_attempt (submission, number, started_at, endpoint, base64_bytes, envelope_sha256,
    certificate_serial, probe, result, duration)
select id, 1, $3, '', 1, '', '', false, 'UNKNOWN', $4 from added
"""


async def told(pool: "asyncpg.Pool[asyncpg.Record]", ma_lk: str, handed_over: float, facility: str = FACILITY) -> None:
    """A visit that closed two hours ago and is still on its way."""
    event = VisitClosed(facility, ma_lk, 1, T, tables=())
    await PostgresTimeline(pool).add([story_line(event, T, at(handed_over))])
    await PostgresDeadlines(pool, shipped).learn([Facts(facility, ma_lk, 1, closed_at=T)])


async def sent(
    pool: "asyncpg.Pool[asyncpg.Record]", ma_lk: str, started_at: datetime, duration: timedelta | None = None
) -> None:
    """A visit that was sent once, without a usable answer."""
    await pool.execute(_SENT, FACILITY, ma_lk, started_at, duration)


@pytest.fixture
async def late(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await told(pool, "HIS", handed_over=110)
    await told(pool, "US", handed_over=0)
    await told(pool, "GATEWAY", handed_over=0)
    await sent(pool, "GATEWAY", T)
    await pool.execute(_SIGNED, FACILITY, "GATEWAY", T)
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


async def test_a_visit_that_waits_behind_slow_sends_of_its_facility_is_late_by_the_gateway(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    for ma_lk, facility in (("WAITS", FACILITY), ("ELSEWHERE", "48999")):
        await told(pool, ma_lk, handed_over=0, facility=facility)
        await pool.execute(_SIGNED, facility, ma_lk, T)
    for minutes in range(0, 120, 2):  # two at a time, each of them for three minutes, in the facility's name
        await sent(pool, f"SLOW-{minutes}", at(minutes), timedelta(minutes=3))
    clocks = [
        clock
        for facility, ma_lk in ((FACILITY, "WAITS"), ("48999", "ELSEWHERE"))
        for clock in await PostgresDeadlines(pool, shipped).of_visit(facility, ma_lk)
    ]
    found = {clock.ma_lk: cause.code for clock, cause in await causes(pool, clocks, NOW) if cause}
    assert found == {"WAITS": "GATEWAY_SLOW", "ELSEWHERE": "SENT_LATE"}
    await pool.execute("update submission_attempt set duration = '2 s'")
    found = {clock.ma_lk: cause.code for clock, cause in await causes(pool, clocks, NOW) if cause}
    assert found == {"WAITS": "SENT_LATE", "ELSEWHERE": "SENT_LATE"}


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
