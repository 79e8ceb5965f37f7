"""Corrections (GATEWAY §6.5, F07) at each point of the first revision's life, as docs/replacement.md has them.

Real PostgreSQL, dispatcher and gateway simulator.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import pytest

from events.visit import VisitAccepted, VisitHeld, VisitSigned
from streams.domain.dossier.sample import Trait
from streams.stages.forward import record
from tests.support.commands import Answer, healthbook
from tests.support.eventually import eventually
from tests.support.forward_bench import FACILITY, Bench, Benches

Command: TypeAlias = Callable[..., Awaitable[Answer]]
IN_TRANSITION = datetime(2024, 8, 2, 3, tzinfo=UTC)
LONG_AGO = datetime.now(UTC) - timedelta(days=70)
WHY = ("--reason", "the insurer opened the window", "--actor", "ngoc")


@pytest.fixture
def command(database_url: str) -> Command:
    async def run(*arguments: object) -> Answer:
        return await healthbook(*arguments, database_url=database_url)

    return run


async def corrected(b: Bench, first: VisitSigned, second: VisitSigned) -> None:
    """At the gateway the second is in force and the first is replaced, in that order."""
    versions = await b.versions(second)
    assert [(item["sha256"], item["state"]) for item in versions] == [
        (first.envelope_sha256, "replaced"),
        (second.envelope_sha256, "current"),
    ]


async def test_a_visit_sent_unpaid_is_sent_again_when_it_is_paid(bench: Benches) -> None:
    async with bench() as b:
        unpaid, paid = await b.signed(1, traits=[Trait.UNPAID]), await b.signed(1, revision=2)
        async with b.dispatching():
            for visit in (unpaid, paid):
                await record([visit], b.ledger)
                await b.settled()
        assert unpaid.payload_sha256 != paid.payload_sha256
        await corrected(b, unpaid, paid)
        assert [type(event) for visit in (unpaid, paid) for event in await b.told(visit)] == [VisitAccepted] * 2


@pytest.mark.parametrize("window", ["month+5", "closed"])
async def test_a_closed_window_holds_a_correction_once_until_a_person_decides(
    bench: Benches, command: Command, window: str
) -> None:
    """701 is never a loop: one attempt, then a person; released too early, one attempt more."""
    async with bench() as b:
        first, second = (
            await b.signed(2, discharged=LONG_AGO),
            await b.signed(2, revision=2, discharged=LONG_AGO, advice=1),
        )
        other = await b.signed(3, discharged=IN_TRANSITION)
        async with b.dispatching():
            await record([first, other], b.ledger)
            await b.settled()
            await b.window(window)
            again = await b.signed(3, revision=2, discharged=IN_TRANSITION, advice=1)
            await record([second, again], b.ledger)
            states = await b.settled()
            assert states[second.ma_lk, 2] == "HELD"
            await corrected(b, other, again)  # the widened window of QĐ 3176, while the usual one is closed
            assert [version["state"] for version in await b.versions(first)] == ["current"], "what was taken counts"
            for times in (1, 2):
                assert [attempt["code"] for attempt in await b.attempts(second)] == ["701"] * times
                told = await b.told(second)
                assert [(type(event), getattr(event, "hold", None)) for event in told] == [
                    (VisitHeld, number + 1) for number in range(times)
                ]
                if times == 2:
                    await b.window("open")
                assert (await command("held", "release", FACILITY, second.ma_lk, *WHY)).code == 0
                await eventually(partial(_ended, b, second, times + 1))
        await corrected(b, first, second)
        assert (await b.states())[second.ma_lk, 2] == "ACCEPTED"


async def _ended(b: Bench, visit: VisitSigned, attempts: int) -> bool:
    row = await b.pool.fetchrow(
        "select state, attempts from submission where ma_lk = $1 and revision = $2", visit.ma_lk, visit.revision
    )
    return row is not None and row["attempts"] == attempts and row["state"] in ("HELD", "ACCEPTED")


async def test_a_dossier_of_the_transition_is_replaced_but_not_sent_anew(bench: Benches) -> None:
    async with bench(rules={"window": "month+5"}) as b:
        never_sent = await b.signed(4, discharged=IN_TRANSITION)
        await record([never_sent], b.ledger)
        async with b.dispatching():
            await b.settled()
        (event,) = await b.told(never_sent)
        assert isinstance(event, VisitHeld)
        assert event.reason == "GATEWAY_WINDOW"


@pytest.mark.parametrize(
    ("answer", "receipts"),
    [("latency=seconds:2", 2), ("answer=code:205", 1), ("answer=code:701", 1), ("answer=code:500,when:after", 2)],
)
async def test_a_correction_waits_for_the_first_to_land_whatever_is_answered(
    bench: Benches, answer: str, receipts: int
) -> None:
    """The answer to the first is kept with its attempt and changes nothing; only the second is told."""
    slow = [] if answer.startswith("latency") else ["latency=seconds:2,maLK:TEST-5,count:1"]
    async with bench(*slow, f"{answer},maLK:TEST-5,count:1") as b:
        first, second = await b.signed(5), await b.signed(5, revision=2, advice=1)
        await record([first], b.ledger)
        async with b.dispatching():
            await eventually(lambda: sum(fault.taken for fault in b.simulator.gateway.faults), message="it is sent")
            await record([second], b.ledger)
            assert await _state_is(b, first, "OVERTAKEN")
            states = await b.settled()
        assert states == {(first.ma_lk, 1): "SUPERSEDED", (second.ma_lk, 2): "ACCEPTED"}
        assert await b.told(first) == []
        (event,) = await b.told(second)
        assert isinstance(event, VisitAccepted)
        (landed,), (sent,) = await b.attempts(first), await b.attempts(second)
        assert landed["started_at"] + timedelta(seconds=landed["seconds"]) <= sent["started_at"], "one after the other"
        versions = await b.versions(second)
        assert [version["state"] for version in versions] == ["replaced"] * (receipts - 1) + ["current"]
        assert versions[-1]["sha256"] == second.envelope_sha256
        assert b.simulator.gateway.stats.concurrency()["maxConcurrentPerVisit"] == 1


async def _state_is(b: Bench, visit: VisitSigned, state: str) -> bool:
    return (await b.states()).get((visit.ma_lk, visit.revision)) == state


async def test_the_same_content_behind_one_that_is_not_decided_takes_its_place(bench: Benches) -> None:
    """Whether the gateway has the first nobody knows yet, so the second is no repetition: one version, told once."""
    async with bench("accept_then_drop=maLK:TEST-6,count:1") as b:
        first, second = await b.signed(6), await b.signed(6, revision=2)
        assert first.payload_sha256 == second.payload_sha256
        await record([first], b.ledger)
        async with b.dispatching():
            await eventually(lambda: _tried(b, first))
            await record([second], b.ledger)
            await b.settled(second)
        versions = await b.versions(second)
        assert {version["payloadSha256"] for version in versions} == {versions[0]["payloadSha256"]}
        assert [version["state"] for version in versions][-1] == "current"
        assert await b.events() == {"visit.accepted.v1": 1}


async def _tried(b: Bench, visit: VisitSigned) -> bool:
    return any(attempt["result"] for attempt in await b.attempts(visit))


async def test_after_a_refusal_the_correction_is_the_first_that_the_gateway_has(bench: Benches) -> None:
    async with bench("answer=code:205,maLK:TEST-7,count:1") as b:
        first, second = await b.signed(7), await b.signed(7, revision=2, advice=1)
        async with b.dispatching():
            for visit in (first, second):
                await record([visit], b.ledger)
                states = await b.settled()
        assert states == {(first.ma_lk, 1): "REFUSED", (second.ma_lk, 2): "ACCEPTED"}
        assert [version["sha256"] for version in await b.versions(second)] == [second.envelope_sha256]


async def test_an_operator_sends_the_same_content_again_with_a_reason_only(bench: Benches, command: Command) -> None:
    async with bench() as b:
        first, again = await b.signed(8), await b.signed(8, revision=2)
        async with b.dispatching():
            for visit in (first, again):
                await record([visit], b.ledger)
                await b.settled()
            assert (await b.states())[again.ma_lk, 2] == "NOT_DUE"
            resend: tuple[Any, ...] = ("held", "release", FACILITY, again.ma_lk, "--revision", 2)
            assert (await command(*resend)).code == 2, "without a reason nothing is sent"
            assert len(await b.versions(again)) == 1
            assert (await command(*resend, *WHY)).code == 0
            await eventually(lambda: _state_is(b, again, "ACCEPTED"))
        assert [version["state"] for version in await b.versions(again)] == ["replaced", "current"]
        (decision,) = await b.pool.fetch("select actor, reason from decision")
        assert tuple(decision) == ("ngoc", WHY[1])
