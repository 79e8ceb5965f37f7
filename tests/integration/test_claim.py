"""Claims of attempts: who goes first, what becomes of one that nobody makes, and of a claim that the database loses."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.adapters.attempts import Limits, PostgresAttempts
from streams.adapters.gateway import GatewayClient
from streams.adapters.ledger import attempts_of
from streams.adapters.outbox import Outbox
from streams.domain.submission import Result
from streams.errors import RetryLater
from streams.stages.forward import outcome, record
from tests.support.eventually import eventually
from tests.support.forward_bench import FACILITY, OTHER

_WAITS = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


async def test_who_is_due_first_goes_first_over_all_facilities_and_within_the_limit_of_each(bench: Any) -> None:
    async with bench() as b:
        now = datetime.now(UTC)
        young = [await b.signed(n, closed=now) for n in range(20, 28)]
        await record(young, b.ledger)
        at_risk = [
            await b.signed(28, facility=OTHER, closed=now - timedelta(minutes=13)),
            await b.signed(29, closed=now - timedelta(minutes=12)),
        ]
        await record(at_risk, b.ledger)  # they came last
        attempts = PostgresAttempts(b.pool, Outbox(b.serde))
        limits = Limits(per_facility=3, rate=500.0)
        first = await attempts.claim(2, limits, [], [], probe=False)
        assert [item.visit.ma_lk for item in first] == ["TEST-28", "TEST-29"]
        then = await attempts.claim(10, limits, [], [], probe=False)
        assert len(then) == 2, "the limit of the gateway for one facility holds for whoever is at risk, too"
        assert {item.visit.facility for item in then} == {FACILITY}


async def test_the_attempt_of_a_dispatcher_that_went_away_is_taken_over_and_its_late_answer_is_history(
    bench: Any,
) -> None:
    async with bench() as b:
        visit = await b.signed(71)
        await record([visit], b.ledger)
        gone = PostgresAttempts(b.pool, Outbox(b.serde))
        limits = Limits(rate=100.0, lease=timedelta(milliseconds=50))
        (attempt,) = await gone.claim(1, limits, [], [], probe=False)
        async with GatewayClient(b.simulator.url, b.register) as client:
            reply = await client.submit(attempt.visit)  # it got an answer, and was gone before it wrote it
        async with b.dispatching():
            assert set((await b.settled()).values()) == {"ACCEPTED"}
        late = await gone.finish([(Result(attempt, reply, outcome(attempt, reply)), timedelta())])
        assert late == [None], "the fence was lost"
        assert await b.events() == {"visit.accepted.v1": 1}
        told = await attempts_of(b.pool, FACILITY, visit.ma_lk)
        assert [item["late"] for item in told] == [True, False]
        assert {item["envelope_sha256"] for item in told} == {visit.envelope_sha256}


async def test_a_claim_that_the_database_lost_before_it_was_whole_claims_nothing(bench: Any) -> None:
    """A visit at its horizon: the claim asks for how long the gateway was out, and the database fails just then."""
    async with bench(horizon=timedelta(minutes=1)) as b:
        await record([await b.signed(81)], b.ledger)
        attempts = PostgresAttempts(b.pool, Outbox(b.serde))
        async with b.pool.acquire() as other:
            async with other.transaction():
                await other.execute("lock table decision in access exclusive mode")
                claim = asyncio.create_task(attempts.claim(1, Limits(), [], [], probe=False))
                pid = await eventually(lambda: b.pool.fetchval(_WAITS))
                await b.pool.execute("select pg_terminate_backend($1)", pid)
                with pytest.raises(RetryLater):
                    await claim
            rows = await other.fetch("select state, attempts from submission")
        assert [tuple(row) for row in rows] == [("READY", 0)]
        assert len(await attempts.claim(1, Limits(), [], [], probe=False)) == 1
