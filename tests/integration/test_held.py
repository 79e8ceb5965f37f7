"""What waits for a person at the gateway: released, abandoned, superseded; audited, and never by halves."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import aiohttp
import asyncpg
import pytest
from prometheus_client import REGISTRY

from events.deadline import DeadlineState
from events.serde import Serde
from events.visit import VisitClosed, VisitHeld
from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.held import Decision, decide
from streams.adapters.timeline import PostgresTimeline
from streams.domain.held import RefusedError
from streams.domain.submission import Happening
from streams.sla.clocks import shipped
from streams.sla.facts import Facts
from streams.stages.forward import record
from streams.stages.record import story_line
from tests.support.commands import Answer, healthbook, started
from tests.support.eventually import eventually
from tests.support.forward_bench import FACILITY, Bench

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
WHO = ("--actor", "ngoc")
WHY = ("--reason", "the insurer opened the window")


Command: TypeAlias = Callable[..., Awaitable[Answer]]


@pytest.fixture
def command(database_url: str) -> Command:
    """`healthbook` with this test's database."""

    async def run(*arguments: object, **settings: str) -> Answer:
        return await healthbook(*arguments, database_url=database_url, **settings)

    return run


async def states(pool: Pool) -> dict[int, str]:
    rows = await pool.fetch("select revision, state from submission order by revision")
    return {row["revision"]: row["state"] for row in rows}


async def at_the_gateway(b: Bench) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(f"{b.simulator.url}/_sim/hoso") as answer:
        found: list[dict[str, Any]] = await answer.json()
        return found


async def nothing_was_decided(pool: Pool) -> None:
    assert await pool.fetchval("select count(*) from decision") == 0


async def test_what_is_released_is_accepted_with_the_bytes_that_were_signed(bench: Any, command: Command) -> None:
    async with bench("answer=code:701,count:1") as b:
        visit = await b.signed(1)
        await record([visit], b.ledger)
        async with b.dispatching():
            assert set((await b.settled()).values()) == {"HELD"}
            (listed,) = (await command("held", "list", "--output", "json")).json
            assert (listed["ma_lk"], listed["stage"], listed["reason"]) == ("TEST-1", "forward", "GATEWAY_WINDOW")
            assert listed["waits_for"] == "a decision: held release or held abandon"
            shown = (await command("held", "show", FACILITY, "TEST-1", "--output", "json")).json
            assert all(shown["held"][0][text] for text in ("message_vi", "message_en", "mend_vi", "mend_en"))

            done = await command("held", "release", FACILITY, "TEST-1", *WHY, *WHO, "--output", "json")
            assert (done.json["revision"], done.json["state"]) == (1, "READY")
            assert set((await b.settled()).values()) == {"ACCEPTED"}
        (version,) = await at_the_gateway(b)
        assert version["sha256"] == visit.envelope_sha256
        assert await b.events() == {"visit.held.v1": 1, "visit.accepted.v1": 1}
        assert (await command("held", "list", "--output", "json")).json == []
        assert (await command("held", "show", FACILITY, "TEST-1")).code == 1


async def test_a_released_visit_has_one_more_horizon(bench: Any, command: Command) -> None:
    async with bench("answer=500", horizon=timedelta(seconds=1)) as b:
        await record([await b.signed(2, closed=datetime.now(UTC) - timedelta(hours=2))], b.ledger)
        async with b.dispatching():
            assert set((await b.settled()).values()) == {"HELD"}
            before = await b.pool.fetchval("select attempts from submission")
            released = await command("held", "release", FACILITY, "TEST-2", *WHY, send_horizon="3600")
            assert released.code == 0, released.stderr

            async def tried_again() -> bool:
                state, attempts = await b.pool.fetchrow("select state, attempts from submission")
                assert state != "HELD", "held again at once"
                return bool(attempts >= before + 2)

            try:
                await eventually(tried_again, timeout=30)
            finally:
                b.simulator.gateway.faults.clear()
            assert set((await b.settled()).values()) == {"ACCEPTED"}


async def test_the_horizon_is_counted_from_the_close_with_an_hour_for_those_who_come_late(bench: Any) -> None:
    async with bench() as b:
        now = datetime.now(UTC)
        await record([await b.signed(12, closed=now), await b.signed(13, closed=now - timedelta(days=3))], b.ledger)
        fresh, late = await b.pool.fetch("select *, give_up_at - added_at as left from submission order by ma_lk")
        assert fresh["give_up_at"] == fresh["closed_at"] + timedelta(days=1)
        assert timedelta(hours=1) <= late["left"] < timedelta(hours=2)


async def test_held_again_is_told_again(bench: Any, command: Command, serde: Serde) -> None:
    async with bench("answer=code:125,text:loi") as b:
        await record([await b.signed(3)], b.ledger)
        async with b.dispatching():
            await b.settled()
            assert (await command("held", "release", FACILITY, "TEST-3", *WHY)).code == 0

            async def told_twice() -> bool:
                return bool((await b.events())["visit.held.v1"] == 2)

            await eventually(told_twice, timeout=30)
        rows = await b.pool.fetch("select event_id, value from outbox")
        assert len({row["event_id"] for row in rows}) == 2
        assert {(await serde.decode(VisitHeld, row["value"])).hold for row in rows} == {1, 2}
        (listed,) = (await command("held", "list", "--output", "json")).json
        assert listed["holds"] == 2


async def test_what_is_abandoned_is_not_due_its_clock_ends_and_a_release_starts_it_again(
    bench: Any, command: Command, pool: Pool
) -> None:
    clocks = PostgresDeadlines(pool, shipped)
    async with bench("answer=code:402,count:1") as b:
        closed = datetime.now(UTC) - timedelta(hours=1)
        visit = await b.signed(4, closed=closed)
        await record([visit], b.ledger)
        await clocks.learn([Facts(FACILITY, "TEST-4", 1, closed_at=closed)])

        async def clock() -> tuple[DeadlineState, str | None]:
            while await clocks.look():
                pass
            (found,) = await clocks.of_visit(FACILITY, "TEST-4")
            return found.state, found.reason

        async with b.dispatching():
            await b.settled()
            assert await clock() == (DeadlineState.BREACHED, None)
            assert (await command("held", "abandon", FACILITY, "TEST-4", *WHY)).code == 0
            assert await clock() == (DeadlineState.NOT_DUE, "ABANDONED")
            assert await states(pool) == {1: "NOT_DUE"}
            refused = await command("held", "abandon", FACILITY, "TEST-4", *WHY)
            assert refused.code == 1
            assert "no revision of it is held" in refused.stderr

            again = await command("held", "release", FACILITY, "TEST-4", "--revision", 1, *WHY)
            assert again.code == 0, again.stderr
            assert await clock() == (DeadlineState.BREACHED, None)
            assert set((await b.settled()).values()) == {"ACCEPTED"}
        assert len(await at_the_gateway(b)) == 1


async def test_content_that_the_gateway_has_goes_again_by_a_persons_decision_only(bench: Any, command: Command) -> None:
    """GATEWAY §12.5."""
    async with bench() as b:
        await record([await b.signed(5)], b.ledger)
        async with b.dispatching():
            await b.settled()
            await record([await b.signed(5, revision=2)], b.ledger)
            assert (await b.settled())["TEST-5", 2] == "NOT_DUE"
            assert (await command("held", "release", FACILITY, "TEST-5", *WHY)).code == 1, "it is not held"
            assert (await command("held", "release", FACILITY, "TEST-5", "--revision", 2, *WHY)).code == 0

            async def accepted() -> bool:
                return await states(b.pool) == {1: "ACCEPTED", 2: "ACCEPTED"}

            await eventually(accepted, timeout=30)


async def test_an_older_revision_is_never_put_over_a_newer_one(bench: Any, command: Command) -> None:
    async with bench("answer=code:402,count:2") as b:
        async with b.dispatching():
            await record([await b.signed(6)], b.ledger)
            await b.settled()
            assert (await command("held", "abandon", FACILITY, "TEST-6", *WHY)).code == 0
            await record([await b.signed(6, revision=2, advice=1)], b.ledger)
            await b.settled()
            await record([await b.signed(6, revision=3, advice=2)], b.ledger)
            assert set((await b.settled()).values()) == {"NOT_DUE", "SUPERSEDED", "ACCEPTED"}
        for revision in (1, 2):  # the abandoned one, and the one that was held when the newest came
            refused = await command("held", "release", FACILITY, "TEST-6", "--revision", revision, *WHY)
            assert refused.code == 1
            assert "SUPERSEDED: revision 3 took its place" in refused.stderr
        assert await states(b.pool) == {1: "NOT_DUE", 2: "SUPERSEDED", 3: "ACCEPTED"}
        assert await b.pool.fetchval("select count(*) from decision") == 1


async def test_a_release_and_a_newer_revision_at_the_same_moment(bench: Any) -> None:
    async with bench() as b:
        old = [await b.signed(n) for n in range(20, 32)]
        new = [await b.signed(n, revision=2, advice=1) for n in range(20, 32)]
        await record(old, b.ledger)
        await b.pool.execute("update submission set state = 'HELD', reason = 'GATEWAY_WINDOW'")

        async def release(ma_lk: str) -> bool:
            decision = Decision(Happening.RELEASED, "ngoc", "race")
            try:
                await decide(b.pool, (FACILITY, ma_lk), 1, decision, timedelta(days=1), dry_run=False)
            except RefusedError:
                return False
            return True

        released = [(await asyncio.gather(release(visit.ma_lk), record([visit], b.ledger)))[0] for visit in new]
        rows = await b.pool.fetch("select distinct revision, state from submission order by revision")
        assert [tuple(row) for row in rows] == [(1, "SUPERSEDED"), (2, "READY")]
        assert await b.pool.fetchval("select count(*) from decision") == sum(released)


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(bench: Any, command: Command) -> None:
    async with bench("answer=code:402") as b:
        await record([await b.signed(7)], b.ledger)
        async with b.dispatching():
            await b.settled()
        before = await b.pool.fetch("select * from submission")
        for act, state in (("release", "READY"), ("abandon", "NOT_DUE")):
            done = await command("held", act, FACILITY, "TEST-7", *WHY, *WHO, "--dry-run", "--output", "json")
            assert (done.json["state"], done.json["dry_run"], done.json["actor"]) == (state, True, "ngoc")
        assert await b.pool.fetch("select * from submission") == before
        await nothing_was_decided(b.pool)


LOCKS = "select bool_or(not granted) from pg_locks where relation = 'deadline_wake'::regclass"
"""None without a lock, True while somebody waits for one."""


async def test_killed_between_the_effect_and_its_audit_nothing_has_happened(
    bench: Any, pool: Pool, database_url: str
) -> None:
    async with bench("answer=code:402") as b:
        await record([await b.signed(8)], b.ledger)
        async with b.dispatching():
            await b.settled()
        async with pool.acquire() as clocks:
            # The decision's last step wakes the clocks; by then all its other rows are written.
            await clocks.execute("begin; lock table deadline_wake")
            killed = await started("held", "release", FACILITY, "TEST-8", *WHY, database_url=database_url)

            async def waits() -> bool:
                assert killed.returncode is None
                return bool(await pool.fetchval(LOCKS))

            await eventually(waits, timeout=30)
            killed.kill()
            await killed.wait()
            await clocks.execute("rollback")

            async def gone() -> bool:
                return await pool.fetchval(LOCKS) is None

            await eventually(gone, timeout=30)
        assert await states(pool) == {1: "HELD"}
        await nothing_was_decided(pool)


async def test_the_story_tells_who_decided_what_and_what_a_revision_waits_for(bench: Any, command: Command) -> None:
    async with bench() as b:
        closed = VisitClosed(FACILITY, "TEST-9", 1, datetime.now(UTC), tables=())
        await PostgresTimeline(b.pool).add([story_line(closed, closed.closed_at)])
        await record([await b.signed(9)], b.ledger)
        await b.pool.execute("update submission set state = 'HELD', reason = 'GATEWAY_WINDOW', holds = 1")
        assert (await command("held", "release", FACILITY, "TEST-9", *WHY, *WHO)).code == 0
        await b.pool.execute("update submission set state = 'SENDING', attempts = 1")  # a slow answer
        await record([await b.signed(9, revision=2, advice=1)], b.ledger)
        told = (await command("visit", "show", FACILITY, "TEST-9", "--output", "json")).json
        assert [(item["act"], item["actor"], item["reason"]) for item in told["decisions"]] == [
            ("RELEASED", "ngoc", WHY[1])
        ]
        assert {item["revision"]: item["waits_for"] for item in told["standing"]} == {
            1: "the gateway's answer",
            2: "the answer to revision 1, which is in flight",
        }
        table = (await command("visit", "show", FACILITY, "TEST-9")).stdout
        assert "released by ngoc" in table
        assert "the answer to revision 1" in table


async def test_the_gauge_counts_what_waits_for_a_person_wherever_it_is_kept(bench: Any, command: Command) -> None:
    def gauge() -> dict[str, float]:
        (family,) = [family for family in REGISTRY.collect() if family.name == "healthbook_held"]
        return {sample.labels["reason"]: sample.value for sample in family.samples}

    async with bench("answer=code:402,maLK:TEST-10", "answer=code:402,maLK:TEST-11") as b:
        await record([await b.signed(10), await b.signed(11)], b.ledger)
        await b.pool.execute(
            "insert into hold (facility, ma_lk, revision, held_by, reason, held_at, topic, value)"
            " values ($1, 'TEST-12', 1, 'sign', 'KEY_MISSING', now(), 'visit.validated.v1', '')",
            FACILITY,
        )
        async with b.dispatching():
            await eventually(lambda: gauge() == {"GATEWAY_CONFIG": 2, "KEY_MISSING": 1}, timeout=30)
            assert (await command("held", "abandon", FACILITY, "TEST-10", *WHY)).code == 0
            assert (await command("held", "release", FACILITY, "TEST-12", *WHY)).code == 0
            await eventually(lambda: gauge() == {"GATEWAY_CONFIG": 1}, timeout=30)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("held", "release", FACILITY, "TEST-404", *WHY), 1, "no revision of it is held"),
        (("held", "release", FACILITY, "TEST-404", "--revision", 3, *WHY), 1, "revision 3 of it is not held"),
        (("held", "abandon", FACILITY, "TEST-404", "--reason", " "), 2, "is empty"),
        (("held", "abandon", FACILITY, "TEST-404", "--reason", "one\ntwo"), 2, "one line"),
        (("held", "abandon", FACILITY, "TEST-404", "--reason", "x" * 501), 2, "at most 500"),
        (("held", "abandon", FACILITY, "TEST-404"), 2, "--reason"),
        (("held", "list", "--stage", "validate"), 2, "sign"),
    ],
)
async def test_what_cannot_be_done_is_said_clearly(
    command: Command, pool: Pool, given: tuple[object, ...], code: int, said: str
) -> None:
    answer = await command(*given)
    assert answer.code == code, answer
    assert said in answer.stderr
    assert answer.stdout == ""
    await nothing_was_decided(pool)
