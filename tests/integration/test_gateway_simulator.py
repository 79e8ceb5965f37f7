"""The gateway simulator over a real socket, without the product: its faults behave as the real trouble does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.simulators.gateway.clock import VirtualClock
from streams.simulators.gateway.faults import parse_fault
from streams.simulators.gateway.rules import PROFILES
from streams.simulators.gateway.server import GatewaySimulator
from tests.support import gateway_simulator as kit
from tests.support.gateway_simulator import Facility

F = "01999"


@pytest.fixture(scope="module")
def authority() -> kit.Authority:
    return kit.Authority()


@pytest.fixture(scope="module")
def identity(authority: kit.Authority) -> kit.Identity:
    return authority.issue(F)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory, authority: kit.Authority, identity: kit.Identity) -> Path:
    registered = kit.Registered(tmp_path_factory.mktemp("accounts"), authority)
    registered.cards = [
        {"maThe": kit.ASKED["maThe"], "hoTen": "NGUYỄN VĂN THỬ", "ngaySinh": "01/01/1990"},
        {"maThe": "001090000009", "hoTen": "Nguyễn Văn Thử", "ngaySinh": "01/01/1990", "maKetQua": "110"},
    ]
    registered.add(F, identity, officers={kit.ASKED["cccdCb"]: kit.ASKED["hoTenCb"]})
    return registered.folder


@asynccontextmanager
async def gateway(accounts: Path, *faults: str, **given: Any) -> AsyncIterator[tuple[GatewaySimulator, Facility]]:
    async with (
        GatewaySimulator(accounts, faults=faults, **given) as simulator,
        Facility(F, simulator.url, kit.password_hash(F)) as facility,
    ):
        yield simulator, facility


def dossier(identity: kit.Identity, visit: str = "V-1") -> bytes:
    return kit.sign(kit.envelope(F, kit.tables(F, visit)), identity)


async def codes(facility: Facility, data: bytes, times: int) -> list[str]:
    """HTTP status when it is not 200, else the code of the answer."""
    found = []
    for _ in range(times):
        status, body = await facility.post(kit.DOSSIER, data=facility.form(data), headers=facility.headers)
        found.append(str(body.get("maKetQua")) if status == 200 else str(status))
    return found


@pytest.mark.parametrize("fault", ["auth_in_body", "auth_http_empty", "ip_change"])
async def test_a_session_that_died_stays_dead_until_a_new_one_is_taken(
    accounts: Path, identity: kit.Identity, fault: str
) -> None:
    """Who just repeats the call with the same token must not get through."""
    async with gateway(accounts, f"{fault}=count:1") as (_, facility):
        data = dossier(identity)
        assert await codes(facility, data, 3) == ["401", "401", "401"]
        await facility.take()
        assert await codes(facility, data, 1) == ["200"]


async def test_answers_of_faults_are_spelled_like_any_other(accounts: Path, identity: kit.Identity) -> None:
    async with gateway(accounts, "answer=code:205,text:sai", "num_code", "alt_keys", "reason_in_magd") as (_, facility):
        answer = await facility.send(dossier(identity))
        assert answer == {"MaKetQua": 205, "MaGD": "sai", "ThoiGianTiepNhan": "", "GhiChu": ""}


async def test_a_maintenance_says_when_it_ends_if_that_was_announced(accounts: Path, identity: kit.Identity) -> None:
    now = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
    begin, end = now + timedelta(hours=12), now + timedelta(hours=14)
    announced = f"maintenance=from:{begin:%Y%m%dT%H%M%SZ},until:{end:%Y%m%dT%H%M%SZ}"
    async with gateway(accounts, announced, clock=VirtualClock(now, frozen=True)) as (simulator, _):

        async def asked() -> tuple[int, str | None]:
            async with aiohttp.ClientSession() as http, http.post(simulator.url + kit.TAKE, data={}) as answer:
                return answer.status, answer.headers.get("Retry-After")

        assert await asked() == (200, None), "announced, not begun"
        simulator.gateway.clock.advance(timedelta(hours=13, minutes=30))
        assert await asked() == (503, "1800")
        simulator.gateway.clock.advance(timedelta(minutes=30))
        assert await asked() == (200, None)
        simulator.gateway.faults.add(parse_fault("maintenance"))
        assert await asked() == (503, None), "nobody knows for how long"


async def run(accounts: Path, sent: list[bytes], seed: int) -> list[object]:
    """Everything that a caller gets to see of the profile `flaky`, in order; sessions have random names."""
    now = datetime.now(UTC).replace(microsecond=0)
    seen: list[object] = []
    clock = VirtualClock(now, frozen=True)
    async with gateway(accounts, profile="flaky", seed=seed, clock=clock) as (_, facility):
        for data in sent:
            try:
                status, body = await facility.post(kit.DOSSIER, data=facility.form(data), headers=facility.headers)
            except aiohttp.ClientError as error:
                seen.append(type(error).__name__)
            else:
                seen.append((status, body.get("maKetQua"), str(body.get("maGiaoDich")).rpartition(".")[2]))
                if body.get("maKetQua") == "401":
                    await facility.take()
            clock.advance(timedelta(seconds=1))
    return seen


async def test_the_same_seed_and_order_of_requests_give_the_same_behaviour(
    accounts: Path, identity: kit.Identity
) -> None:
    sent = [dossier(identity, f"V-{number}") for number in range(50)]
    first, again, other = [await run(accounts, sent, seed) for seed in (256, 256, 257)]
    assert first == again
    assert first != other
    kinds = {answer[:2] if isinstance(answer, tuple) else answer for answer in first}
    assert len(kinds) >= 5, "accepted, 401, 500, a page, a broken connection"


# ---- look-up of cards (GATEWAY §8) ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, "000"),
        ({"ngaySinh": "1990"}, "000"),
        ({"ngaySinh": "01/1990"}, "000"),
        ({"hoTen": "nguyễn  văn thử"}, "000"),
        ({"maThe": "001090000009"}, "110"),
        ({"maThe": "001090000008"}, "050"),
        ({"maThe": "GD401"}, "051"),
        ({"cccdCb": "001090000002"}, "054"),
        ({"hoTenCb": "Trần Thị Khác"}, "055"),
        ({"hoTen": "Lê Văn Thử"}, "060"),
        ({"hoTen": "Nguyễn Việt Thử"}, "061"),
        ({"ngaySinh": "02/01/1990"}, "070"),
        ({"ngaySinh": "01011990"}, "205"),
        ({"hoTen": ""}, "205"),
    ],
)
async def test_a_card_is_judged_as_documented(accounts: Path, changed: dict[str, Any], code: str) -> None:
    async with gateway(accounts) as (_, facility):
        answer = await facility.look_up(**changed)
        assert answer["maKetQua"] == code
        assert bool(answer["maThe"]) == bool(answer["hoTen"]) == (code in ("000", "110"))
        assert answer["dsLichSuKCB2018"] is None


async def test_history_takes_a_form_only_and_the_card_takes_json(accounts: Path) -> None:
    async with gateway(accounts) as (_, facility):
        assert (await facility.look_up(kit.HISTORY))["maKetQua"] == "205"
        history = await facility.look_up(kit.HISTORY, as_form=True)
        assert (history["maKetQua"], history["dsLichSuKCB2025"]) == ("000", None)
    async with gateway(accounts, "form_only") as (_, facility):
        assert (await facility.look_up())["maKetQua"] == "205"
        assert (await facility.look_up(as_form=True))["maKetQua"] == "000"


async def test_a_look_up_needs_the_session_of_its_account(accounts: Path) -> None:
    async with gateway(accounts) as (_, facility):
        facility.headers["accessToken"] = "x"
        assert (await facility.look_up())["maKetQua"] == "401"
    async with gateway(accounts, "auth_http_empty=on:lookup") as (_, facility):
        with pytest.raises(AssertionError, match="401"):
            await facility.look_up()


async def test_a_restricted_account_is_told_by_500_and_a_text(accounts: Path) -> None:
    async with gateway(accounts, "restricted") as (_, facility):
        answer = await facility.look_up()
        assert (answer["maKetQua"], answer["maThe"]) == ("500", "")
        assert answer["ghiChu"]


async def test_rules_and_profiles_are_switched_while_it_runs(accounts: Path, identity: kit.Identity) -> None:
    async with gateway(accounts) as (simulator, facility):

        async def post(path: str, document: dict[str, Any]) -> tuple[int, Any]:
            status, answer = await facility.post(f"/_sim/{path}", json=document)
            return status, answer

        assert (await facility.send(dossier(identity)))["maKetQua"] == "200"
        status, rules = await post("rules", {"window": "closed", "allow_batch": True})
        assert (status, rules["window"], rules["allow_batch"]) == (200, "closed", "True")
        assert (await facility.send(dossier(identity)))["maKetQua"] == "701", "what is replaced as well"
        assert (await post("rules", {"window": "ajar"}))[0] == 400
        assert (await post("rules", {"window": "open"}))[0] == 200
        assert (await facility.send(dossier(identity)))["maKetQua"] == "200"

        status, faults = await post("profile", {"profile": "maintenance", "seed": 3})
        assert (status, [fault["fault"] for fault in faults]) == (200, ["maintenance"])
        assert await codes(facility, dossier(identity), 1) == ["503"]
        assert (await post("profile", {"profile": "sunny"}))[0] == 400
        assert (await post("profile", {"profile": "strict"}))[0] == 200
        assert (await facility.send(dossier(identity)))["maKetQua"] == "200"
        assert simulator.gateway.rules.allow_batch is False, "a profile takes the place of every rule"


@pytest.mark.parametrize("name", PROFILES)
async def test_a_profile_and_its_seed_mean_the_same_at_the_start_and_at_run_time(accounts: Path, name: str) -> None:
    at_start = GatewaySimulator(accounts, profile=name, seed=7).gateway
    async with gateway(accounts) as (simulator, caller):
        await caller.post("/_sim/profile", json={"profile": name, "seed": 7})
        switched = simulator.gateway
        assert switched.rules == at_start.rules
        assert [each.fault for each in switched.faults] == [each.fault for each in at_start.faults]
        assert [each.dice.random() for each in switched.faults] == [each.dice.random() for each in at_start.faults]
