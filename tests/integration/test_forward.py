"""forward against the gateway simulator on a real socket and real PostgreSQL: each answer, each race."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from events.serde import Serde
from events.visit import VisitHeld, VisitRefused
from streams.adapters.attempts import LEASE_EXPIRED, PostgresAttempts
from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.facilities import FacilityRegister
from streams.adapters.ledger import attempts_of
from streams.simulators.pki import prepare_facilities
from streams.sla.clocks import shipped
from streams.sla.facts import Facts
from streams.stages.forward import record
from tests.support.eventually import eventually
from tests.support.forward_bench import FACILITY, OTHER


async def test_many_visits_of_two_facilities_are_accepted_with_one_token_each(bench: Any) -> None:
    async with bench() as b:
        visits = [await b.signed(n, facility=(FACILITY, OTHER)[n % 2]) for n in range(12)]
        await record(visits, b.ledger)
        await record(visits, b.ledger)  # the same again changes nothing
        async with b.dispatching():
            states = await b.settled()
        assert set(states.values()) == {"ACCEPTED"}
        assert len(states) == 12
        assert await b.events() == {"visit.accepted.v1": 12}
        assert await b.took() == 2, "parallel sends of a facility wait for one session"
        assert b.simulator.gateway.stats.concurrency()["maxConcurrentPerFacility"] <= 5


@pytest.mark.parametrize(
    ("code", "topic", "reason"),
    [
        ("205", "visit.refused.v1", "205"),
        ("123", "visit.refused.v1", "123"),
        ("1001", "visit.refused.v1", "1001"),
        ("125", "visit.held.v1", "GATEWAY_SIGNATURE"),
        ("402", "visit.held.v1", "GATEWAY_CONFIG"),
        ("701", "visit.held.v1", "GATEWAY_WINDOW"),
    ],
)
async def test_a_final_answer_is_an_event_and_never_sent_again(
    bench: Any, serde: Serde, code: str, topic: str, reason: str
) -> None:
    async with bench(f"answer=code:{code},text:loi") as b:
        visit = await b.signed(11)
        await record([visit], b.ledger)
        async with b.dispatching():
            await b.settled()
        assert await b.events() == {topic: 1}
        event_type = VisitRefused if topic == "visit.refused.v1" else VisitHeld
        event: Any = await serde.decode(event_type, await b.pool.fetchval("select value from outbox"), [])
        assert (event.code if topic == "visit.refused.v1" else event.reason) == reason
        assert event.mend_vi
        assert event.mend_en
        assert len(await attempts_of(b.pool, FACILITY, visit.ma_lk)) == 1


async def test_without_an_answer_until_the_horizon_the_visit_is_held(bench: Any) -> None:
    async with bench("answer=500", horizon=timedelta(seconds=1)) as b:
        visit = await b.signed(13, closed=datetime.now(UTC) - timedelta(hours=2))
        await record([visit], b.ledger)
        async with b.dispatching():
            assert set((await b.settled()).values()) == {"HELD"}
        assert await b.events() == {"visit.held.v1": 1}
        assert await b.pool.fetchval("select reason from submission") == "GATEWAY_UNKNOWN"


async def test_a_wrong_password_is_tried_once_and_stops_its_facility_alone(
    bench: Any, folder: Path, register: FacilityRegister, tmp_path: Path
) -> None:
    wrong = FacilityRegister(tmp_path / "facilities")
    prepare_facilities(wrong, tmp_path / "accounts", {FACILITY: "Bệnh viện Thử A"})
    async with bench() as b:
        visits = [await b.signed(17), await b.signed(18), await b.signed(19, facility=OTHER)]
        await record(visits, b.ledger)
        wrong_hash = wrong.file(FACILITY, "gateway-password-hash")
        right_hash = register.file(FACILITY, "gateway-password-hash")
        kept = right_hash.read_text()
        assert wrong_hash.exists()
        right_hash.write_text("0" * 32)
        try:
            async with b.dispatching():

                async def other_is_through() -> bool:
                    rows = await b.pool.fetch("select facility, state, attempts from submission")
                    mine = [row for row in rows if row["facility"] == FACILITY]
                    return all(row["state"] == "ACCEPTED" for row in rows if row["facility"] == OTHER) and any(
                        row["attempts"] > 0 for row in mine
                    )

                await eventually(other_is_through, timeout=30)
            answers = b.simulator.gateway.stats.answers
            refused = sum(n for (what, code), n in answers.items() if what == "take" and code != "200")
            assert refused == 1, "the same wrong password again would lock the account"
        finally:
            right_hash.write_text(kept)


async def test_a_lost_answer_wakes_the_clock_that_counts_from_the_sending_until_the_receipt_comes(bench: Any) -> None:
    async with bench("answer=500") as b:
        visit = await b.signed(35)
        store = PostgresDeadlines(b.pool, shipped)
        await store.learn([Facts(FACILITY, visit.ma_lk, 1, closed_at=visit.closed_at)])
        await record([visit], b.ledger)
        async with b.dispatching():

            async def runs() -> Any:
                await store.look()
                return [item for item in await store.of_visit(FACILITY, visit.ma_lk) if item.provisional]

            (clock,) = await eventually(runs)
        first = (await attempts_of(b.pool, FACILITY, visit.ma_lk))[0]
        assert (clock.clock, clock.started_at) == ("receipt-to-shown", first["started_at"])


async def test_a_few_visits_that_the_gateway_can_never_answer_do_not_stop_the_others(bench: Any) -> None:
    poisoned = range(71, 79)
    async with bench(*(f"answer=code:500,maLK:TEST-{n}" for n in poisoned)) as b:
        early = datetime.now(UTC) - timedelta(hours=1)
        await record([await b.signed(n, closed=early) for n in poisoned], b.ledger)
        async with b.dispatching():

            async def tripped() -> bool:
                return bool(await b.pool.fetchval("select min(attempts) >= 2 from submission"))

            await eventually(tripped, timeout=60)
            await record([await b.signed(n) for n in range(81, 91)], b.ledger)

            async def healthy_are_through() -> bool:
                found = await b.pool.fetch("select state from submission where closed_at > $1", early)
                return len(found) == 10 and {row["state"] for row in found} == {"ACCEPTED"}

            await eventually(healthy_are_through, timeout=60)


async def test_a_send_whose_lease_cannot_be_kept_is_broken_off_and_sent_again(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: Any) -> set[tuple[int, int]]:
        return set()

    monkeypatch.setattr(PostgresAttempts, "renew", lost)  # as when the database cannot be reached for so long
    async with bench("hang=seconds:30,count:1") as b:
        await record([await b.signed(91), await b.signed(92)], b.ledger)
        async with b.dispatching(lease=timedelta(seconds=1), timeout=60.0):
            states = await b.settled()
        assert set(states.values()) == {"ACCEPTED"}
        assert await b.events() == {"visit.accepted.v1": 2}
        assert await b.pool.fetchval("select max(attempts) from submission") == 2
        slowest = await b.pool.fetchval("select max(extract(epoch from duration)) from submission_attempt")
        assert slowest is None or slowest < 30


async def test_leases_are_kept_while_answers_are_being_written(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = PostgresAttempts.finish

    async def slow(self: PostgresAttempts, results: Any) -> Any:
        await asyncio.sleep(2)  # several times the pace of renewing
        return await finish(self, results)

    monkeypatch.setattr(PostgresAttempts, "finish", slow)
    async with bench() as b:
        await record([await b.signed(n) for n in (94, 95, 96)], b.ledger)
        async with b.dispatching(lease=timedelta(seconds=1.5)):
            assert set((await b.settled()).values()) == {"ACCEPTED"}
        assert await b.pool.fetchval("select max(attempts) from submission") == 1


async def test_an_attempt_that_was_taken_over_in_its_own_process_ends_alone(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease ends while the answer is being written: the same process claims the visit again meanwhile."""
    finish, slow = PostgresAttempts.finish, asyncio.Event()

    async def first_is_slow(self: PostgresAttempts, results: Any) -> Any:
        if not slow.is_set() and any(result.reply.code != LEASE_EXPIRED for result, _ in results):
            slow.set()
            await asyncio.sleep(2.5)  # longer than the lease: the sweep takes it over
        return await finish(self, results)

    async def lost(*_: Any) -> set[tuple[int, int]]:
        return set()

    monkeypatch.setattr(PostgresAttempts, "finish", first_is_slow)
    monkeypatch.setattr(PostgresAttempts, "renew", lost)
    async with bench() as b:
        await record([await b.signed(93)], b.ledger)
        async with b.dispatching(lease=timedelta(seconds=1)) as dispatcher:
            dispatcher._finish = _apart(dispatcher)
            assert set((await b.settled()).values()) == {"ACCEPTED"}
        assert await b.events() == {"visit.accepted.v1": 1}


def _apart(dispatcher: Any) -> Any:
    """Each result by itself, so that a slow one does not hold the others."""

    async def finish(result: Any) -> Any:
        (state,) = await dispatcher._attempts.finish([result])
        return state

    return finish


async def test_a_newer_revision_takes_the_place_of_one_that_waits(bench: Any) -> None:
    async with bench() as b:
        old, new = await b.signed(23, revision=1), await b.signed(23, revision=2, advice=1)
        await record([old], b.ledger)
        await record([new], b.ledger)
        late = await b.signed(24, revision=5)
        await record([late], b.ledger)
        await record([await b.signed(24, revision=4, advice=1)], b.ledger)
        async with b.dispatching():
            states = await b.settled()
        assert states == {
            ("TEST-23", 1): "SUPERSEDED",
            ("TEST-23", 2): "ACCEPTED",
            ("TEST-24", 4): "SUPERSEDED",
            ("TEST-24", 5): "ACCEPTED",
        }
        assert await b.events() == {"visit.accepted.v1": 2}


async def test_the_same_content_again_is_not_due_and_not_sent(bench: Any) -> None:
    async with bench() as b:
        await record([await b.signed(25, revision=1)], b.ledger)
        async with b.dispatching():
            await b.settled()
            await record([await b.signed(25, revision=2)], b.ledger)
            states = await b.settled()
            assert states == {("TEST-25", 1): "ACCEPTED", ("TEST-25", 2): "NOT_DUE"}
            # Back to what the gateway had before the last version: that is a new version again.
            await record([await b.signed(25, revision=3, advice=1)], b.ledger)
            await b.settled()
            await record([await b.signed(25, revision=4)], b.ledger)
            states = await b.settled()
        assert [states["TEST-25", revision] for revision in (3, 4)] == ["ACCEPTED", "ACCEPTED"]
        assert await b.pool.fetchval("select reason from submission where revision = 2") == "SAME_CONTENT"
        assert await b.events() == {"visit.accepted.v1": 3}


async def test_an_answer_for_an_overtaken_revision_is_history(bench: Any) -> None:
    async with bench("hang=seconds:1.5,count:1") as b:
        await record([await b.signed(29, revision=1)], b.ledger)
        async with b.dispatching(timeout=1.0):

            async def in_flight() -> bool:
                return bool(await b.pool.fetchval("select count(*) from submission where state = 'SENDING'"))

            await eventually(in_flight)
            await record([await b.signed(29, revision=2, advice=1)], b.ledger)
            states = await b.settled()
        assert states == {("TEST-29", 1): "SUPERSEDED", ("TEST-29", 2): "ACCEPTED"}
        assert await b.events() == {"visit.accepted.v1": 1}
        assert b.simulator.gateway.stats.concurrency()["maxConcurrentPerVisit"] == 1


async def test_the_earliest_deadline_goes_first(bench: Any) -> None:
    async with bench() as b:
        now = datetime.now(UTC)
        visits = [await b.signed(n, closed=now - timedelta(minutes=n)) for n in range(31, 37)]
        await record(visits, b.ledger)
        async with b.dispatching(parallel=1, per_facility=1):
            await b.settled()
        rows = await b.pool.fetch(
            "select ma_lk from submission join submission_attempt on submission = id order by started_at"
        )
        assert [row["ma_lk"] for row in rows] == [f"TEST-{n}" for n in reversed(range(31, 37))]


async def test_two_dispatchers_share_the_work_and_send_nothing_twice(bench: Any) -> None:
    async with bench() as b:
        await record([await b.signed(n) for n in range(41, 61)], b.ledger)
        async with b.dispatching(), b.dispatching():
            states = await b.settled()
        assert set(states.values()) == {"ACCEPTED"}
        assert await b.pool.fetchval("select max(attempts) from submission") == 1
        assert b.simulator.gateway.stats.concurrency()["maxConcurrentPerFacility"] <= 5
        assert await b.events() == {"visit.accepted.v1": 20}


async def test_a_gateway_that_is_down_opens_the_breaker_and_closes_it_when_it_is_back(bench: Any) -> None:
    from streams.metrics import BREAKER_OPEN

    async with bench("send_down") as b:
        await record([await b.signed(n, facility=(FACILITY, OTHER)[n % 2]) for n in range(80, 96)], b.ledger)
        async with b.dispatching():
            await eventually(lambda: BREAKER_OPEN._value.get() == 1, timeout=30, message="the breaker opens")
            b.simulator.gateway.faults.clear()
            assert set((await b.settled()).values()) == {"ACCEPTED"}
            await eventually(lambda: BREAKER_OPEN._value.get() == 0, timeout=30, message="the breaker closes")
        assert await b.events() == {"visit.accepted.v1": 16}
