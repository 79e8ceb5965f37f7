"""Every quirk of the real gateway (GATEWAY §11) and every profile (§13), survived by the real dispatcher.

Real sockets, real PostgreSQL. In each test a quirk strikes one visit, `sick`, while others must pass as if nothing was
wrong. What is looked at is the outcome: versions and receipts at the gateway, states in the ledger, events in the
outbox. The list of quirks is the table in docs/gateway-simulator.md; the last tests hold it against this file.
"""

import inspect
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from events.visit import TableFile, VisitHeld, VisitRefused, VisitSigned
from streams.domain.dossier.moments import VIETNAM
from streams.simulators.gateway.clock import VirtualClock
from streams.simulators.gateway.faults import KINDS, parse_fault
from streams.simulators.gateway.rules import PROFILES
from streams.stages.forward import record
from tests.support import gateway_simulator as kit
from tests.support.eventually import eventually
from tests.support.forward_bench import FACILITY, OTHER, Bench, Benches

CATALOGUE = Path(__file__).parents[2] / "docs" / "gateway-simulator.md"
SICK = "maLK:TEST-1"


async def owed(b: Bench) -> tuple[VisitSigned, list[VisitSigned]]:
    """The visit that faults for SICK strike, and two that they do not: one of the same facility, one of another."""
    sick, well = await b.signed(1), [await b.signed(2), await b.signed(3, facility=OTHER)]
    await record([sick, *well], b.ledger)
    return sick, well


# ---- sessions -------------------------------------------------------------------------------------------------------


async def test_q01_a_session_that_died_is_told_in_the_body(bench: Benches) -> None:
    async with bench(f"auth_in_body={SICK},count:1") as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled()
        await b.accepted(sick, *well)
        assert len(await b.attempts(sick)) == 1, "a new session and the same call again, in one attempt"
        assert await b.took() == 3


async def test_q02_a_session_that_died_is_told_by_http_401_and_nothing_else(bench: Benches) -> None:
    async with bench(f"auth_http_empty={SICK},count:1") as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled()
        await b.accepted(sick, *well)
        assert len(await b.attempts(sick)) == 1
        assert await b.took() == 3


@pytest.mark.parametrize("silent", ["true", "false"])
async def test_q03_a_token_that_ended_between_take_and_send_is_renewed_once(bench: Benches, silent: str) -> None:
    async with bench(f"token_ttl=seconds:0,silent:{silent},maCSKCB:{FACILITY},count:1") as b:
        sick = await b.signed(1)
        await record([sick], b.ledger)
        async with b.dispatching():
            await b.settled()
        await b.accepted(sick)
        assert len(await b.attempts(sick)) == 1
        assert await b.answers("send") == {"401": 1, "200": 1}
        assert await b.took() == 2


async def test_q04_behind_another_address_the_token_is_worth_nothing(bench: Benches) -> None:
    async with bench() as b:
        before = await b.signed(4)
        await record([before], b.ledger)
        async with b.dispatching():
            await b.settled()
            await b.fault("ip_change", maCSKCB=FACILITY, count=1)
            sick, well = await owed(b)
            await b.settled()
        await b.accepted(before, sick, *well)
        assert (await b.answers("send"))["401"] >= 1
        assert await b.took() == 3, "one for each facility, and one from the new address"


async def test_q05_the_session_service_is_down_while_a_live_token_still_sends(bench: Benches) -> None:
    """The announced life is shorter than our reserve, so that every send would rather have a new token."""
    async with bench("token_ttl=seconds:50") as b:
        early = await b.signed(5)
        await record([early], b.ledger)
        async with b.dispatching():
            await b.settled(early)
            await b.fault("take_down")
            live, none = await b.signed(6), await b.signed(7, facility=OTHER)
            await record([live, none], b.ledger)
            await b.settled(live)
            await eventually(lambda: _tried(b, none))
            assert not await b.versions(none), "without a session nothing is sent"
            await b.mend()
            await b.settled()
        await b.accepted(early, live, none)
        assert {attempt["result"] for attempt in (await b.attempts(none))[:-1]} == {"TEMPORARY"}


async def test_q05_sending_is_down_while_the_session_service_works(bench: Benches) -> None:
    async with bench(f"send_down=maCSKCB:{FACILITY}") as b:
        sick, well = await b.signed(1), await b.signed(3, facility=OTHER)
        await record([sick, well], b.ledger)
        async with b.dispatching():
            await eventually(lambda: _tried(b, sick))
            await b.settled(well)
            assert not await b.told(sick)
            await b.mend()
            await b.settled()
        await b.accepted(sick, well)
        assert await b.took() == 2, "an answer that is none says nothing about the session"


async def _tried(b: Bench, visit: VisitSigned, times: int = 2) -> bool:
    return len([attempt for attempt in await b.attempts(visit) if attempt["result"]]) >= times


# ---- answers that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "receipts"),
    [
        ("status:200", 1),
        ("status:502", 1),
        ("status:503", 1),
        ("status:200,blank:true", 1),
        ("status:502,blank:true", 1),
        ("status:502,when:after", 2),
    ],
)
async def test_q06_a_page_instead_of_an_answer_decides_nothing(bench: Benches, page: str, receipts: int) -> None:
    async with bench(f"html_page={page},{SICK},count:1") as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled()
        await b.accepted(sick, receipts=receipts)
        await b.accepted(*well)
        assert [attempt["result"] for attempt in await b.attempts(sick)] == ["UNKNOWN", "ACCEPTED"]


@pytest.mark.parametrize(("fault", "code"), [("reset=", "NO_ANSWER"), ("hang=seconds:30,", "TIMEOUT")])
async def test_q07_a_connection_that_breaks_or_hangs_is_no_answer(bench: Benches, fault: str, code: str) -> None:
    async with bench(f"{fault}{SICK},count:1") as b:
        sick, well = await owed(b)
        async with b.dispatching(timeout=1.5):
            await b.settled(*well)
            await b.settled()
        await b.accepted(sick, *well)
        assert [attempt["code"] for attempt in await b.attempts(sick)] == [code, "200"]


@pytest.mark.parametrize("fault", ["accept_then_drop=", "reset=when:after,", "hang=when:after,seconds:30,"])
async def test_q08_accepted_but_the_answer_is_lost(bench: Benches, fault: str) -> None:
    """Nobody can ask the gateway (GATEWAY §6.6): the second receipt of the same bytes cannot be avoided; a second
    version, a second event, or a third receipt can."""
    async with bench(f"{fault}{SICK},count:1") as b:
        sick, well = await owed(b)
        async with b.dispatching(timeout=1.5):
            await b.settled()
        await b.accepted(sick, receipts=2)
        await b.accepted(*well)
        assert [attempt["result"] for attempt in await b.attempts(sick)] == ["UNKNOWN", "ACCEPTED"]


async def test_q09_a_burst_of_500_is_waited_out(bench: Benches) -> None:
    async with bench(f"burst_500=maCSKCB:{FACILITY},length:9,count:9") as b:
        sick = [await b.signed(n) for n in range(10, 18)]
        well = [await b.signed(n, facility=OTHER) for n in range(10, 14)]
        await record([*sick, *well], b.ledger)
        async with b.dispatching():
            await b.settled()
        await b.accepted(*sick, *well)
        assert (await b.answers("send"))["burst_500"] == 9
        assert all([len(await b.attempts(visit)) == 1 for visit in well]), "of another facility: not even slowed"


async def test_q09_a_500_that_stored_is_followed_by_the_same_bytes(bench: Benches) -> None:
    async with bench(f"answer=code:500,when:after,{SICK},count:1") as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled()
        await b.accepted(sick, receipts=2)
        await b.accepted(*well)


@pytest.mark.parametrize("faults", [["num_code"], ["alt_keys"], ["num_code", "alt_keys"]])
async def test_q10_other_spellings_of_the_same_answer_are_understood(bench: Benches, faults: list[str]) -> None:
    async with bench(*faults) as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled()
        await b.accepted(sick, *well)
        assert [attempt["code"] for attempt in await b.attempts(sick)] == ["200"]


async def test_q11_a_reason_in_the_place_of_the_receipt_is_no_receipt(bench: Benches) -> None:
    reason = "Sai định dạng bảng XML3"
    async with bench("reason_in_magd", f"answer=code:123,text:{reason},{SICK}") as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled()
        await b.accepted(*well)
        (event,) = await b.told(sick)
        assert isinstance(event, VisitRefused)
        assert (event.code, event.message) == ("123", reason), "the facility must learn why"
        (attempt,) = await b.attempts(sick)
        assert attempt["transaction_code"] is None
        assert await b.versions(sick) == []


async def test_q12_slow_is_not_lost_and_holds_up_nobody(bench: Benches) -> None:
    async with bench(f"latency=seconds:2,jitter:0.5,{SICK}") as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled(*well)
            await b.settled()
        await b.accepted(sick, *well)
        assert len(await b.attempts(sick)) == 1
        ended = "select max(changed_at) from submission where facility = $1 and ma_lk = $2"
        first, *others = [await b.pool.fetchval(ended, visit.facility, visit.ma_lk) for visit in (sick, *well)]
        assert max(others) < first, "others did not wait for the slow one"


async def test_q12_a_slow_look_up_is_the_callers_alone(bench: Benches) -> None:
    """The product does not look cards up, and nothing repeats a look-up (GATEWAY §12.9)."""
    async with bench("latency=seconds:1,jitter:2,on:lookup") as b:
        sick, well = await owed(b)
        async with b.dispatching(), b.caller(FACILITY) as caller:
            assert (await caller.look_up())["maKetQua"] == "054", "an answer, late: nobody registered this officer"
            await b.settled()
        await b.accepted(sick, *well)
        assert await b.answers("lookup") == {"054": 1}


# ---- what the gateway does with a dossier ---------------------------------------------------------------------------


async def test_q13_two_receipts_for_one_content_are_one_event(bench: Benches) -> None:
    async with bench(f"accept_then_drop={SICK},count:1") as b:
        sick, well = await owed(b)
        await record([sick, *well], b.ledger)  # handed over twice: no reason for a second receipt
        async with b.dispatching():
            await b.settled()
            again = await b.signed(2, revision=2)
            await record([again], b.ledger)  # the same content as a new revision: neither
            await b.settled()
        await b.accepted(sick, receipts=2)
        await b.accepted(*well)
        assert (await b.states())[again.ma_lk, 2] == "NOT_DUE"
        assert await b.told(again) == []
        (duplicate,) = (await b.sim("stats"))["duplicates"]
        assert (duplicate["maLK"], duplicate["receipts"]) == (sick.ma_lk, 2)


async def test_q14_a_dossier_of_another_facility_never_leaves_us(bench: Benches) -> None:
    async with bench("lenient_sender") as b:
        foreign = replace(await b.signed(20, facility=OTHER), facility=FACILITY)
        well = await b.signed(21)
        await record([foreign, well], b.ledger)
        async with b.dispatching():
            await b.settled()
        await b.accepted(well)
        (event,) = await b.told(foreign)
        assert isinstance(event, VisitRefused)
        assert event.code == "FACILITY_MISMATCH"
        assert await b.answers("send") == {"200": 1}, "only the other visit was sent"
        async with b.caller(FACILITY) as caller:  # what would have happened: booked under the wrong sender, silently
            assert (await caller.send(foreign.envelope))["maKetQua"] == "200"
        assert [version["maCSKCB"] for version in await b.versions(foreign)] == [FACILITY]


@pytest.mark.parametrize("hours", [6, 24, 48])
async def test_q15_a_refusal_hours_after_the_receipt_is_mended_by_a_new_revision(bench: Benches, hours: int) -> None:
    """Nobody tells us: the portal lists it. What was accepted stays accepted; the correction replaces it."""
    async with bench(f"async_errors=hours:{hours},{SICK},count:1") as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled()
            assert await b.sim("loi") == []
            await b.pass_time(timedelta(hours=hours))
            (item,) = await b.sim("loi")
            assert (item["maLK"], item["maLoi"]) == (sick.ma_lk, f"SIM-{hours}H")
            assert (await b.states())[sick.ma_lk, 1] == "ACCEPTED"
            mended = await b.signed(1, revision=2, advice=1)
            await record([mended], b.ledger)
            await b.settled()
        await b.accepted(*well)
        old, new = await b.versions(sick)
        assert (old["state"], old["sha256"]) == ("replaced", sick.envelope_sha256)
        assert (new["state"], new["sha256"], new["errors"]) == ("current", mended.envelope_sha256, [])
        assert [len(await b.told(visit)) for visit in (sick, mended)] == [1, 1]


@pytest.mark.parametrize("by_rule", [True, False])
async def test_q16_outside_the_sending_window_a_person_decides(bench: Benches, *, by_rule: bool) -> None:
    faults = [] if by_rule else [f"701={SICK}"]
    async with bench(*faults, rules={"window": "month+5" if by_rule else "open"}) as b:
        long_ago = datetime.now(UTC) - timedelta(days=70)
        sick = await b.signed(1, discharged=long_ago if by_rule else None)
        well = [await b.signed(2), await b.signed(3, facility=OTHER)]
        await record([sick, *well], b.ledger)
        async with b.dispatching():
            await b.settled()
        await b.accepted(*well)
        (event,) = await b.told(sick)
        assert isinstance(event, VisitHeld)
        assert event.reason == "GATEWAY_WINDOW"
        assert [attempt["code"] for attempt in await b.attempts(sick)] == ["701"], "never a loop"
        assert await b.versions(sick) == []


async def test_q17_too_large_for_the_hour_is_for_the_facility_to_mend(bench: Benches) -> None:
    monday = datetime.now(VIETNAM).date() + timedelta(days=7 - datetime.now(VIETNAM).weekday())
    busy, quiet = (datetime.combine(monday, time(hour), VIETNAM) for hour in (9, 12))
    async with bench(rules={"size_rule": "by_hour"}, clock=VirtualClock(busy, frozen=True)) as b:
        rows = kit.services("TEST-1", lines=6500, note="x" * 2000)
        large, again = [
            await b.sign(replace(visit, tables=(visit.tables[0], TableFile("XML3", rows))))
            for visit in (b.validated(1), b.validated(1, revision=2))
        ]
        well = await b.signed(2)
        await record([large, well], b.ledger)
        async with b.dispatching():
            await b.settled()
        (event,) = await b.told(large)
        assert isinstance(event, VisitRefused)
        assert event.code == "TOO_LARGE", "above our own limit nothing is sent at any hour"
        assert await b.answers("send") == {"200": 1}
        second = replace(large, revision=2)
        async with b.dispatching(max_base64_bytes=100 * 1024 * 1024):
            await record([second], b.ledger)
            await b.settled()
            (event,) = await b.told(second)
            assert isinstance(event, VisitRefused)
            assert (event.code, len(await b.attempts(second))) == ("1001", 1)
            await b.sim("clock", {"set": quiet.isoformat()}, method="POST")
            third = replace(again, revision=3)
            await record([third], b.ledger)
            await b.settled()
        await b.accepted(third, well)


# ---- other functions ------------------------------------------------------------------------------------------------


async def test_q18_check_in_is_down_and_dossiers_pass(bench: Benches) -> None:
    """The product sends no check-ins; one that fails must not hold a dossier up (GATEWAY §7)."""
    async with bench("checkin_down") as b:
        sick, well = await owed(b)
        async with b.dispatching(), b.caller(FACILITY) as caller:
            form = caller.form(kit.check_in(FACILITY, sick.ma_lk), loaiHoSo="0")
            status, _ = await caller.post(kit.CHECK_IN, data=form, headers=caller.headers)
            assert status == 503
            await b.settled()
        await b.accepted(sick, *well)


async def test_q19_an_account_restricted_from_look_ups_still_sends(bench: Benches) -> None:
    """The product looks nothing up, so it can neither be restricted nor make it worse by repeating."""
    async with bench("restricted") as b:
        sick, well = await owed(b)
        async with b.dispatching(), b.caller(FACILITY) as caller:
            answer = await caller.look_up()
            assert answer["maKetQua"] == "500"
            assert "hạn chế tra cứu" in answer["ghiChu"]
            await b.settled()
        await b.accepted(sick, *well)
        assert await b.answers("lookup") == {"500": 1}


async def test_q20_a_maintenance_window_is_waited_out(bench: Benches) -> None:
    async with bench() as b:
        until = datetime.now(UTC) + timedelta(minutes=50)
        await b.fault("maintenance", until=until.isoformat())
        sick, well = await owed(b)
        async with b.dispatching():
            await eventually(lambda: _tried(b, sick, 1))
            waits = "select next_attempt_at from submission where ma_lk = $1 and facility = $2"
            assert await b.pool.fetchval(waits, sick.ma_lk, FACILITY) > until - timedelta(minutes=5), "as it was asked"
            assert await b.events() == {}
            await b.pass_time(timedelta(minutes=51))
            await b.settled()
        await b.accepted(sick, *well)


async def test_q21_a_function_that_refuses_json_gets_forms_from_us(bench: Benches) -> None:
    async with bench("form_only") as b:
        sick, well = await owed(b)
        async with b.dispatching(), b.caller(FACILITY) as caller:
            login = {"username": f"{FACILITY}_BV", "password": caller.secret}
            assert (await caller.post(kit.TAKE, json=login))[1]["maKetQua"] == "205"
            assert (await caller.look_up(kit.HISTORY))["maKetQua"] == "205", "form only, although the guide says JSON"
            assert (await caller.look_up(kit.HISTORY, as_form=True))["maKetQua"] == "054"
            await b.settled()
        await b.accepted(sick, *well)


async def test_q22_too_many_requests_waits_as_long_as_it_was_asked(bench: Benches) -> None:
    async with bench(f"rate_limit=retry_after:2,{SICK},count:1") as b:
        sick, well = await owed(b)
        async with b.dispatching():
            await b.settled(*well)
            await b.settled()
        await b.accepted(sick, *well)
        limited, taken = await b.attempts(sick)
        assert limited["http_status"] == 429
        assert taken["started_at"] - limited["started_at"] >= timedelta(seconds=2)


# ---- profiles (§13) -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["strict", "lenient"])
async def test_profiles_without_faults_take_each_visit_at_once(bench: Benches, profile: str) -> None:
    async with bench(profile=profile) as b:
        visits = [await b.signed(n, facility=(FACILITY, OTHER)[n % 2]) for n in range(30, 40)]
        await record(visits, b.ledger)
        async with b.dispatching():
            await b.settled()
        await b.accepted(*visits)
        assert await b.answers("send") == {"200": 10}


async def test_profile_flaky_ends_with_one_version_and_one_event_of_each_visit(bench: Benches) -> None:
    async with bench(profile="flaky", seed=256) as b:
        visits = [await b.signed(n, facility=(FACILITY, OTHER)[n % 2]) for n in range(100, 155)]
        await record(visits, b.ledger)
        async with b.dispatching():
            await b.settled()
        for visit in visits:
            await b.accepted(visit, receipts=len(await b.versions(visit)))
        assert await b.events() == {"visit.accepted.v1": len(visits)}
        stats = await b.sim("stats")
        struck = set(stats["answers"]["send"]) - {"200", "401"}
        assert struck >= {"auth_in_body", "html_page", "accept_then_drop after 200", "burst_500"}, "the seed says so"
        lost = stats["answers"]["send"]["accept_then_drop after 200"]
        assert stats["receipts"] == len(visits) + lost, "a second receipt only where the first one was lost"


async def test_profile_month_end_is_slow_and_refuses_only_what_is_too_large(bench: Benches) -> None:
    monday = datetime.now(VIETNAM).date() + timedelta(days=7 - datetime.now(VIETNAM).weekday())
    async with bench(profile="month_end", seed=3, clock=VirtualClock(datetime.combine(monday, time(9), VIETNAM))) as b:
        rows = TableFile("XML3", kit.services("TEST-50", lines=6500, note="x" * 2000))
        validated = b.validated(50)
        large = await b.sign(replace(validated, tables=(validated.tables[0], rows)))
        visits = [await b.signed(n, facility=(FACILITY, OTHER)[n % 2]) for n in range(51, 75)]
        await record([large, *visits], b.ledger)
        async with b.dispatching(max_base64_bytes=100 * 1024 * 1024):
            states = await b.settled()
        assert states[large.ma_lk, 1] == "REFUSED"
        await b.accepted(*visits)
        assert (await b.answers("send")).keys() == {"200", "1001", "rate_limit"}


async def test_profile_maintenance_loses_nothing_and_holds_nothing(bench: Benches) -> None:
    async with bench(profile="maintenance") as b:
        visits = [await b.signed(n, facility=(FACILITY, OTHER)[n % 2]) for n in range(80, 92)]
        await record(visits, b.ledger)
        async with b.dispatching():
            await eventually(lambda: _tried(b, visits[0], 1))
            assert await b.events() == {}
            await b.mend()
            await b.settled()
        await b.accepted(*visits)


# ---- nothing is left out --------------------------------------------------------------------------------------------


def catalogue() -> dict[str, list[str]]:
    """Quirk → its faults, as the table of the documentation says."""
    rows = re.findall(r"^\| (Q\d\d) \|.*?\| ([^|]*) \|[^|]*\|$", CATALOGUE.read_text(encoding="utf-8"), re.MULTILINE)
    return {quirk: re.findall(r"`(\w+)", faults) for quirk, faults in rows}


def sources() -> dict[str, str]:
    """Quirk → source of its tests."""
    found: dict[str, str] = {}
    for name, test in inspect.getmembers(sys.modules[__name__], inspect.iscoroutinefunction):
        if match := re.match(r"test_(q\d\d)_", name):
            found[match[1].upper()] = found.get(match[1].upper(), "") + inspect.getsource(test)
    return found


def test_no_quirk_is_without_a_fault_and_no_fault_without_a_test() -> None:
    told, tested = catalogue(), sources()
    assert list(told) == [f"Q{number:02}" for number in range(1, 23)]
    assert tested.keys() == told.keys()
    assert [quirk for quirk, faults in told.items() if not faults] == ["Q13"], "the gateway's own way, without a fault"
    for quirk, faults in told.items():
        assert [fault for fault in faults if fault not in tested[quirk]] == []
    named = {parse_fault(fault).name for faults in told.values() for fault in faults}
    assert named == KINDS.keys()


def test_every_profile_has_a_test() -> None:
    source = inspect.getsource(sys.modules[__name__])
    assert [name for name in PROFILES if f'"{name}"' not in source] == []
