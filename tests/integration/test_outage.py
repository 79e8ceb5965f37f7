"""Outages of the gateway: found in the attempts, told by people, waited for by visits."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import pytest

from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.outages import DELAYED_VISITS, listed, open_outage, running, which
from streams.adapters.timeline import PostgresTimeline
from streams.domain.outage import FoundBy, Outage, Phase, Side, Told
from streams.metrics import BREAKER_OPEN, OUTAGE_OPEN
from streams.sla.clocks import shipped
from streams.sla.facts import Facts
from streams.stages.forward import record
from streams.stages.record import story_line
from tests.support.commands import Answer, healthbook
from tests.support.eventually import eventually
from tests.support.forward_bench import FACILITY, OTHER, Bench

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Command: TypeAlias = Callable[..., Awaitable[Answer]]
SECOND = timedelta(seconds=1)
WHY = ("--reason", "the insurer wrote", "--actor", "ngoc", "--output", "json")
LONG_AGO = Outage(1, Side.DISPLAY, None, False, datetime(2026, 1, 1, tzinfo=UTC), None, FoundBy.PERSON, "-")
LONG_AGO = replace(LONG_AGO, until_at=LONG_AGO.from_at + timedelta(hours=2))
RECENT = replace(LONG_AGO, from_at=LONG_AGO.from_at + timedelta(days=34), until_at=None)


@pytest.fixture
def command(database_url: str) -> Command:
    async def run(*arguments: object) -> Answer:
        return await healthbook("outage", *arguments, database_url=database_url)

    return run


async def outages(pool: Pool) -> list[Outage]:
    return await listed(pool, Side.GATEWAY, datetime(2020, 1, 1, tzinfo=UTC), 100)


async def lasting(b: Bench) -> Outage:
    """Once one lasts: the only one."""

    async def look() -> Outage:
        return _only(await outages(b.pool), over=False)

    return await eventually(look, timeout=40, message="an outage is found")


async def over(b: Bench) -> Outage:
    async def look() -> Outage:
        return _only(await outages(b.pool), over=True)

    return await eventually(look, timeout=40, message="the outage is over")


def _only(found: list[Outage], *, over: bool) -> Outage:
    assert len(found) == 1
    assert (found[0].until_at is not None) == over
    return found[0]


def _instants(sent: list[Any]) -> set[datetime]:
    return {row["started_at"] for row in sent}


def gauge(*, announced: bool = False) -> float:
    return float(OUTAGE_OPEN.labels("gateway", str(announced).lower())._value.get())


async def some(b: Bench, first: int = 100, number: int = 16, **given: Any) -> None:
    await record(
        [await b.signed(first + n, facility=(FACILITY, OTHER)[n % 2], **given) for n in range(number)], b.ledger
    )


async def short_maintenance(b: Bench) -> datetime:
    """Announced, and running for four seconds more: its end."""
    now = datetime.now(UTC)
    maintenance = Told(Side.GATEWAY, None, now, now + timedelta(seconds=4), announced=True)
    await open_outage(b.pool, maintenance, "ngoc", "the insurer wrote", dry_run=False)
    return now + timedelta(seconds=4)


async def test_a_gateway_that_is_away_is_one_outage_from_its_first_failure_to_its_first_answer(bench: Any) -> None:
    async with bench("send_down") as b:
        await some(b)
        async with b.dispatching(), b.dispatching():
            found = await lasting(b)
            assert (found.subject, found.found_by, found.announced) == (Side.GATEWAY, FoundBy.ATTEMPTS, False)
            assert found.cause == "UNKNOWN NOT_READABLE (HTTP 503)"
            assert found.proof[0].visits >= 3
            await eventually(lambda: gauge() == 1)
            await b.mend()
            await b.settled()
            ended = await over(b)
            await eventually(lambda: gauge() == 0)
        first_failure, first_answer = await b.pool.fetchrow(
            "select min(started_at) filter (where http_status = 503), "
            "min(started_at + duration) filter (where code = '200') from submission_attempt"
        )
        assert (ended.from_at, ended.until_at) == (first_failure, first_answer)
        assert sum(item.attempts for item in ended.proof) == await b.pool.fetchval(
            "select count(*) from submission_attempt where http_status = 503"
        )


async def test_a_hospital_alone_finds_it_with_a_few_visits(bench: Any) -> None:
    async with bench("reset") as b:
        await record([await b.signed(n) for n in range(4)], b.ledger)
        async with b.dispatching():
            assert (await lasting(b)).cause == "UNKNOWN NO_ANSWER"
            await b.mend()
            await b.settled()
            await over(b)


async def test_a_facility_that_fails_alone_is_no_outage(bench: Any) -> None:
    async with bench(f"answer=code:500,maCSKCB:{FACILITY}") as b:
        await some(b, number=8)
        async with b.dispatching() as dispatcher:

            async def answered_between() -> bool:
                """The other facility goes on to get answers."""
                await record([await b.signed(next(numbers), facility=OTHER)], b.ledger)
                return bool(
                    await b.pool.fetchval("select bool_and(attempts >= 2) from submission where facility = '01999'")
                )

            numbers = iter(range(400, 900))
            await eventually(answered_between, timeout=60)
            assert dispatcher._breakers.failing(dispatcher.progress)
            assert await outages(b.pool) == []
            await b.mend()
            await b.settled()


async def test_a_dispatcher_that_starts_within_an_outage_asks_with_one_send_and_ends_it(bench: Any) -> None:
    async with bench("send_down") as b:
        await some(b)
        async with b.dispatching():
            await lasting(b)
        tried = await b.pool.fetchval("select count(*) from submission_attempt")
        await b.mend()
        async with b.dispatching():
            assert set((await b.settled()).values()) == {"ACCEPTED"}
            await over(b)
        first = await b.pool.fetchrow(
            "select * from submission_attempt order by started_at, submission offset $1", tried
        )
        assert first["probe"], "the first send after a restart finds out, the others wait for it"


async def test_what_flaps_is_one_outage(bench: Any) -> None:
    async with bench("send_down") as b:
        await some(b)
        async with b.dispatching():
            await lasting(b)
            await b.mend()
            await b.settled()
            first = await over(b)
            await b.fault("send_down")
            await some(b, 200)
            again = await lasting(b)
            assert (again.id, again.from_at) == (first.id, first.from_at)
            await b.mend()
            await b.settled()
            ended = await over(b)
        assert ended.until_at is not None
        assert first.until_at is not None
        assert ended.until_at > first.until_at


async def test_what_comes_back_later_is_another_outage(bench: Any) -> None:
    async with bench("send_down") as b:
        await some(b)
        async with b.dispatching():
            await lasting(b)
            await b.mend()
            await b.settled()
            await over(b)
        await b.earlier(timedelta(hours=1))
        await b.fault("send_down")
        await some(b, 200)
        async with b.dispatching():

            async def two() -> bool:
                return [item.phase(datetime.now(UTC)) for item in await outages(b.pool)] == [Phase.OPEN, Phase.OVER]

            await eventually(two, timeout=40)
            await b.mend()
            await b.settled()


async def test_while_a_maintenance_lasts_nothing_is_sent_and_nobody_is_alarmed(bench: Any, command: Command) -> None:
    async with bench() as b:
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        opened = (await command("open", "--subject", "gateway", "--until", until, "--announced", *WHY)).json
        assert (opened["phase"], opened["found_by"]) == ("open", "person")
        await b.fault("maintenance")
        await some(b, number=30)
        async with b.dispatching() as dispatcher:
            await eventually(lambda: gauge(announced=True) == 1)
            began = dispatcher.progress
            await eventually(lambda: dispatcher.progress > began + 1.5, message="many claims and a few looks")
            assert await b.pool.fetchval("select count(*) from submission_attempt") == 0
            assert BREAKER_OPEN._value.get() == 0
            await b.mend()
            closed = (await command("close", opened["outage"], *WHY)).json
            assert closed["phase"] == "over"
            assert set((await b.settled()).values()) == {"ACCEPTED"}
            await eventually(lambda: gauge(announced=True) == 0)
        first, second = await b.pool.fetch("select * from submission_attempt order by started_at, submission limit 2")
        assert first["probe"]
        assert second["started_at"] >= first["started_at"] + first["duration"], "one asks before the others follow"
        assert [item.id for item in await outages(b.pool)] == [opened["outage"]]


async def test_sending_goes_on_by_itself_when_the_maintenance_ends(bench: Any) -> None:
    async with bench() as b:
        await some(b, number=6)
        until = await short_maintenance(b)
        async with b.dispatching():
            assert set((await b.settled()).values()) == {"ACCEPTED"}
        assert await b.pool.fetchval("select min(started_at) from submission_attempt") >= until


async def test_a_gateway_that_stays_away_after_its_maintenance_is_an_outage_of_its_own(bench: Any) -> None:
    async with bench("send_down") as b:
        await some(b)
        until = await short_maintenance(b)
        async with b.dispatching():

            async def found() -> Outage:
                told = await outages(b.pool)
                assert [item.announced for item in told] == [False, True]
                return told[0]

            newest = await eventually(found, timeout=40)
            assert newest.from_at >= until
            await b.mend()
            await b.settled()


async def test_an_outage_is_no_reason_to_hold_however_long_it_was(bench: Any) -> None:
    """Past its horizon by days, and the first answers after the outage decide nothing: still nobody has to act."""
    async with bench("send_down", horizon=timedelta(hours=24)) as b:
        await some(b)
        async with b.dispatching():
            await lasting(b)
        await b.earlier(timedelta(hours=72))
        await b.mend()
        for late in ("TEST-114", "TEST-115"):  # of each facility the last one: no probe
            await b.fault("answer", code="500", maLK=late, count=2)
        async with b.dispatching():
            assert set((await b.settled()).values()) == {"ACCEPTED"}
        assert await b.events() == {"visit.accepted.v1": 16}


async def test_a_backlog_drains_by_its_deadlines_within_the_rate_however_many_dispatchers_there_are(bench: Any) -> None:
    rate = 6
    async with bench("send_down", horizon=timedelta(hours=24)) as b:
        await some(b, number=12)
        async with b.dispatching(rate=float(rate)):
            await lasting(b)
        for hours in range(6):  # closed while the gateway was away, in no order
            await some(b, 200 + 10 * hours, 6, closed=datetime.now(UTC) - timedelta(hours=hours * 5 % 6))
        await b.earlier(timedelta(hours=72))
        tried = await b.pool.fetchval("select max(started_at) from submission_attempt")
        await b.mend()
        async with b.dispatching(rate=float(rate)), b.dispatching(rate=float(rate)):
            assert set((await b.settled()).values()) == {"ACCEPTED"}
        sent = await b.pool.fetch(
            "select facility, started_at, due_at, probe from submission join submission_attempt on submission = id "
            "where started_at > $1 order by started_at, due_at",
            tried,
        )
        most = max(sum(begin <= row["started_at"] < begin + SECOND for row in sent) for begin in _instants(sent))
        assert most <= rate
        # Their way to the gateway may push some together.
        assert b.simulator.gateway.stats.concurrency()["maxSendsPerSecond"] <= 1.5 * rate
        for facility in (FACILITY, OTHER):
            due = [row["due_at"] for row in sent if row["facility"] == facility and not row["probe"]]
            assert due == sorted(due), "the earliest deadline goes first"


async def test_the_horizon_runs_again_after_the_outage(bench: Any) -> None:
    async with bench("send_down", horizon=timedelta(hours=24)) as b:
        await some(b, number=15)
        async with b.dispatching():
            await lasting(b)
            await b.mend()
            await b.settled()
            await over(b)
        await record([await b.signed(300)], b.ledger)
        await b.earlier(timedelta(hours=25))
        await b.fault("answer", code="500", maLK="TEST-300")
        async with b.dispatching():
            assert (await b.settled())["TEST-300", 1] == "HELD"


async def test_a_late_visit_tells_the_outage_it_waited_for_and_the_outage_its_visits(
    bench: Any, command: Command, database_url: str
) -> None:
    async with bench("send_down") as b:
        late, quick = await b.signed(1), await b.signed(2)
        await record([late], b.ledger)
        await some(b)
        async with b.dispatching():
            await lasting(b)
            await b.earlier(timedelta(hours=3))
            await b.mend()
            await b.settled()
            ended = await over(b)
        await record([quick], b.ledger)
        async with b.dispatching():
            await b.settled()
        clocks = PostgresDeadlines(b.pool, shipped)
        for visit, closed in ((late, late.closed_at - timedelta(hours=3)), (quick, quick.closed_at)):
            await PostgresTimeline(b.pool).add([story_line(event, datetime.now(UTC)) for event in await b.told(visit)])
            receipt = await b.pool.fetchval(
                "select received_at from submission_attempt join submission on submission = id "
                "where ma_lk = $1 and code = '200'",
                visit.ma_lk,
            )
            await clocks.learn([Facts(FACILITY, visit.ma_lk, 1, closed, receipt)])

        shown = (await command("show", ended.id, "--output", "json")).json
        assert (shown["waited"], shown["late"]) == (1, 1)
        assert [(visit["ma_lk"], visit["late"]) for visit in shown["visits"]] == [(late.ma_lk, True)]
        assert shown["proof"][0]["code"] == "NOT_READABLE"
        story = await healthbook("visit", "show", FACILITY, late.ma_lk, database_url=database_url)
        assert f"Revision 1 waited for outage #{ended.id} (gateway, " in story.stdout
        other = await healthbook("visit", "show", FACILITY, quick.ma_lk, database_url=database_url)
        assert other.code == 0
        assert "waited for" not in other.stdout.splitlines()[-1]


async def test_people_tell_outages_once_with_who_and_why(command: Command, pool: Pool) -> None:
    tried = await command("open", "--subject", "display", *WHY, "--dry-run")
    assert tried.json["dry_run"] is True
    assert await running(pool) == []
    opened = (await command("open", "--subject", "display", *WHY)).json
    assert (await command("open", "--subject", "display", *WHY)).code == 1
    assert (await command("open", "--subject", "his", *WHY)).code == 2
    assert (await command("open", "--subject", "his", "--facility", FACILITY, *WHY)).code == 0
    assert (await command("close", opened["outage"], "--at", "2020-01-01", *WHY)).code == 1
    assert (await command("close", opened["outage"], *WHY)).json["phase"] == "over"
    assert (await command("close", opened["outage"], *WHY)).code == 1
    assert (await command("close", 999, *WHY)).code == 1
    assert (await command("show", 999)).code == 1
    past = ("--from", "2026-01-02T11:00", "--until", "2026-01-02T14:00")
    recorded = (await command("open", "--subject", "us", *past, *WHY)).json
    assert (recorded["phase"], recorded["from_at"]) == ("over", "2026-01-02 04:00:00+00:00")
    told = (await command("show", opened["outage"], "--output", "json")).json
    assert [(act["act"], act["actor"]) for act in told["acts"]] == [("OPENED", "ngoc"), ("CLOSED", "ngoc")]
    rows = (await command("list", "--since", "2026-01-01", "--output", "json")).json
    assert [row["subject"] for row in rows] == ["his", "display", "us"]


async def test_a_maintenance_may_be_cancelled_before_it_begins(command: Command, pool: Pool) -> None:
    begin = datetime.now(UTC) + timedelta(hours=12)
    span = ("--from", begin.isoformat(), "--until", (begin + timedelta(hours=4)).isoformat(), "--announced")
    opened = (await command("open", "--subject", "gateway", *span, *WHY)).json
    assert opened["phase"] == "planned"
    assert (await command("open", "--subject", "gateway", *span, *WHY)).code == 1
    assert (await command("close", opened["outage"], *WHY)).json["phase"] == "cancelled"
    assert (await command("open", "--subject", "gateway", *span, *WHY)).json["phase"] == "planned"


@pytest.mark.parametrize("outage", [RECENT, LONG_AGO], ids=["recent", "long ago"])
async def test_who_waited_for_an_outage_is_found_by_an_index(pool: Pool, outage: Outage) -> None:
    """Not by reading every clock there ever was: of a million, few ran while somebody was out."""
    await pool.execute(
        "insert into deadline (clock, facility, ma_lk, revision, started_at, due_at, state, late, stopped_at)"
        " select 'receipt-to-shown', '01999', 'M' || n, 1, at, at + interval '1 day', 'MET', false,"
        " at + interval '1 hour' from (select n, $1::timestamptz + n * interval '1 minute' as at"
        " from generate_series(1, 50000) as n) as clock",
        LONG_AGO.from_at,
    )
    await pool.execute("analyze deadline")
    async with pool.acquire() as connection:
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain {DELAYED_VISITS}", *which(outage), 100))
    assert f"on {'deadline_ran' if outage is RECENT else 'deadline'}" in plan, plan
    assert "Seq Scan on deadline" not in plan, plan
