"""Faults by seed, the register that is read again, sessions, and the store that forgets nothing it acknowledged."""

import json
import os
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streams.simulators.gateway.answers import Code, Finding, Refusal
from streams.simulators.gateway.dossier import Visit
from streams.simulators.gateway.faults import KINDS, Call, FaultError, Faults, fault_from, parse_fault
from streams.simulators.gateway.journal import Journal, JournalError
from streams.simulators.gateway.judge import Verdict
from streams.simulators.gateway.registry import Register, Registry, RegistryError, load
from streams.simulators.gateway.rules import PROFILES, Rules
from streams.simulators.gateway.sessions import Sessions
from streams.simulators.gateway.stats import Stats
from streams.simulators.gateway.store import Store, error_item
from tests.support import gateway_simulator as kit

F = "01999"
NOW = datetime(2026, 11, 2, 3, 4, 5, 678000, tzinfo=UTC)


def call(visit: str = "V-1", facility: str = F, operation: str = "send") -> Call:
    return Call(operation, facility, visit)


# ---- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_is_known_by_its_name(name: str) -> None:
    assert parse_fault(name).name == name


def test_a_fault_is_written_short_or_with_its_options() -> None:
    assert parse_fault("token_ttl=2.5").options["seconds"] == 2.5
    assert parse_fault("burst_500=3").count == 3
    assert parse_fault("num_code=0.25").probability == 0.25
    assert parse_fault("701").options["code"] == "701"
    hang = parse_fault("hang=seconds:1,when:after,count:2,maCSKCB:01999,maLK:V-1")
    assert (hang.options["when"], hang.count, hang.facility, hang.visit) == ("after", 2, F, "V-1")
    assert fault_from({"fault": "html_page", "on": "any", "match": {"maLK": "V-1"}}).visit == "V-1"
    maintenance = parse_fault("maintenance=from:2026-11-02T00:00:00+07:00")
    assert maintenance.options["from"] == "2026-11-01T17:00:00+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "rest",
        "reset=when:later",
        "reset=minutes:1",
        "reset=2",
        "html_page=on:everything",
        "latency=long",
        "hang=count:some",
        "maintenance=from:noon",
        "html_page=blank:maybe",
    ],
)
def test_a_fault_that_cannot_be_is_named(text: str) -> None:
    with pytest.raises(FaultError, match=text.split("=")[0]):
        parse_fault(text)


def test_a_match_knows_two_keys_only() -> None:
    with pytest.raises(FaultError, match="match"):
        fault_from({"fault": "reset", "match": {"name": "x"}})


def strikes(faults: Faults, calls: int = 200) -> list[str | None]:
    struck = (faults.strike(call(f"V-{number}"), "reset", "html_page", "hang") for number in range(calls))
    return [active.fault.name if active else None for active in struck]


def test_the_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    chosen = (parse_fault("reset=0.2"), parse_fault("html_page=probability:0.3"))
    assert strikes(Faults(1, chosen)) == strikes(Faults(1, chosen))
    assert strikes(Faults(1, chosen)) != strikes(Faults(2, chosen))


def test_one_more_fault_leaves_the_luck_of_the_others_alone() -> None:
    two, three = (
        Faults(1, (parse_fault("reset=0.2"),)),
        Faults(1, (parse_fault("reset=0.2"), parse_fault("hang=count:0"))),
    )
    assert strikes(two) == strikes(three)


def test_faults_are_taken_in_order_and_exhausted() -> None:
    faults = Faults(0, (parse_fault("reset=count:1"), parse_fault("html_page=count:2")))
    assert strikes(faults, 4) == ["reset", "html_page", "html_page", None]


def test_a_burst_goes_on_for_its_length() -> None:
    faults = Faults(3, (parse_fault("burst_500=probability:0.05,length:4"),))
    struck = "".join("x" if faults.strike(call(), "burst_500") else "." for _ in range(300))
    runs = [len(run) for run in struck.split(".") if run]
    assert runs
    assert all(run >= 4 for run in runs)


def test_a_fault_touches_whom_it_matches() -> None:
    faults = Faults(0, (parse_fault("reset=maCSKCB:01999,maLK:V-2"),))
    assert faults.strike(call("V-1"), "reset") is None
    assert faults.strike(call("V-2", "79888"), "reset") is None
    assert faults.strike(call("V-2", operation="checkin"), "reset") is None
    assert faults.strike(call("V-2"), "reset", when="after") is None
    assert faults.strike(call("V-2"), "reset")


def test_faults_are_cleared_by_name_or_all() -> None:
    faults = Faults(0, (parse_fault("reset"), parse_fault("hang"), parse_fault("reset")))
    assert faults.clear("reset") == 2
    assert [active.fault.name for active in faults] == ["hang"]
    assert faults.clear() == 1


def test_every_profile_is_made_of_faults_that_exist() -> None:
    assert set(PROFILES) == {"strict", "lenient", "flaky", "month_end", "maintenance"}
    assert {fault.name for fault in PROFILES["flaky"].faults} == {
        "auth_in_body", "token_ttl", "html_page", "accept_then_drop", "burst_500",
    }  # fmt: skip


# ---- register and sessions ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> kit.Authority:
    return kit.Authority()


@pytest.fixture
def registered(tmp_path: Path, authority: kit.Authority) -> kit.Registered:
    register = kit.Registered(tmp_path / "accounts", authority)
    register.folder.mkdir()
    register.add(F, authority.issue(F))
    return register


def touch(folder: Path) -> None:
    """A file system with coarse times must not decide over a test."""
    path = folder / "accounts.json"
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_the_register_is_read_again_when_it_changes(registered: kit.Registered) -> None:
    register = Register(registered.folder)
    first = register.current()
    assert register.current() is first
    registered.add("79888")
    touch(registered.folder)
    assert set(register.current().accounts) == {"01999_BV", "79888_BV"}


def test_a_broken_register_leaves_the_last_good_one(registered: kit.Registered) -> None:
    register = Register(registered.folder)
    (registered.folder / "accounts.json").write_text("{")
    touch(registered.folder)
    assert set(register.current().accounts) == {"01999_BV"}


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"trusted": ["no.pem"], "accounts": []}', '{"trusted": [], "accounts": [{}]}']
)
def test_a_register_that_cannot_be_read_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "accounts.json").write_text(text)
    with pytest.raises(RegistryError, match=r"accounts\.json"):
        load(tmp_path)


def test_no_secret_stands_in_the_text_of_an_account(registered: kit.Registered) -> None:
    assert kit.password_hash(F) not in repr(load(registered.folder))


@pytest.fixture
def registry(registered: kit.Registered) -> Registry:
    return load(registered.folder)


def test_a_session_is_good_for_its_time_from_its_address(registry: Registry) -> None:
    sessions, rules, secret = Sessions(), Rules(), kit.password_hash(F)
    session = sessions.take("01999_BV", secret, "127.0.0.1", NOW, registry, rules)

    def code(token: str = session.token, id_: str = session.id, hash_: str = secret, address: str = "127.0.0.1",
             after: int = 0) -> str:  # fmt: skip
        try:
            at = NOW + timedelta(seconds=after)
            return sessions.account(token, id_, hash_, address, at, registry, rules).facility
        except Refusal as refusal:
            return str(refusal.code)

    assert session.announced == session.expires == NOW + timedelta(minutes=10)
    assert code() == code(after=599) == F
    assert {code(after=600), code(token="x"), code(id_="x"), code(hash_="x"), code(address="127.0.0.2")} == {"401"}


def test_a_free_address_is_a_switch(registry: Registry) -> None:
    sessions, rules, secret = Sessions(), Rules(ip_binding=False), kit.password_hash(F)
    session = sessions.take("01999_BV", secret, "127.0.0.1", NOW, registry, rules)
    assert sessions.account(session.token, session.id, secret, "127.0.0.2", NOW, registry, rules).facility == F


@pytest.mark.parametrize(("single", "lives"), [(False, True), (True, False)])
def test_a_new_session_ends_the_old_one_only_by_switch(registry: Registry, single: bool, lives: bool) -> None:
    sessions, rules, secret = Sessions(), Rules(single_session=single), kit.password_hash(F)
    old = sessions.take("01999_BV", secret, "127.0.0.1", NOW, registry, rules)
    sessions.take("01999_BV", secret, "127.0.0.1", NOW, registry, rules)
    refused = nullcontext() if lives else pytest.raises(Refusal, match=f"^{Code.AUTHENTICATION}:")
    with refused:
        sessions.account(old.token, old.id, secret, "127.0.0.1", NOW, registry, rules)


def test_a_lower_case_hash_is_wrong_unless_allowed(registry: Registry) -> None:
    lower = kit.password_hash(F).lower()
    with pytest.raises(Refusal):
        Sessions().take("01999_BV", lower, "", NOW, registry, Rules())
    assert Sessions().take("01999_BV", lower, "", NOW, registry, Rules(lower_case_hash=True))


# ---- store ----------------------------------------------------------------------------------------------------------


def verdict(visit: str = "V-1", payload: str = "aa") -> Verdict:
    return Verdict(F, (Visit(visit),), f"bytes of {payload}", payload, 255)


def test_the_last_received_version_is_the_current_one() -> None:
    store = Store(0)
    first = store.accept(verdict(payload="aa"), "send", "01999_BV", b"x", NOW)
    second = store.accept(verdict(payload="bb"), "send", "01999_BV", b"x", NOW)
    assert [(receipt, current) for _, receipt, current in store.versions(F, "V-1")] == [(first, False), (second, True)]
    assert store.replaces(F, "V-1")
    assert not store.replaces(F, "V-2")
    assert store.duplicates() == {}


def test_the_same_content_again_is_a_new_receipt_and_a_counted_duplicate() -> None:
    store = Store(0)
    first = store.accept(verdict(), "send", "01999_BV", b"x", NOW)
    second = store.accept(verdict(), "send", "01999_BV", b"x", NOW)
    assert first.transaction != second.transaction
    assert store.duplicates() == {(F, "V-1", "aa"): 2}


def test_a_transaction_looks_as_documented_and_follows_the_seed() -> None:
    names = [Store(seed).accept(verdict(), "send", "", b"", NOW).transaction for seed in (1, 1, 2)]
    assert names[0].startswith("01999.20261102100405678.")
    assert len(names[0].split(".")[2]) == 6
    assert names[0] == names[1] != names[2]


def test_a_check_in_is_a_receipt_but_no_version() -> None:
    store = Store(0)
    receipt = store.accept(verdict(), "checkin", "01999_BV", b"x", NOW)
    assert store.receipt(receipt.transaction) == receipt
    assert list(store.versions()) == []


def test_errors_are_shown_when_their_time_has_come() -> None:
    store = Store(0)
    finding = Finding("XML1", 1, "MA_LK", "202", "…")
    store.report(error_item(F, "V-1", finding, NOW + timedelta(hours=24), "tx"))
    assert store.errors(NOW + timedelta(hours=23)) == []
    later = NOW + timedelta(hours=24)
    assert [item.finding for item in store.errors(later, facility=F, transaction="tx")] == [finding]
    assert store.errors(later, facility="79888") == []
    assert store.errors(later, first="20261104") == store.errors(later, last="20261102") == []
    assert len(store.errors(later, first="20261103", last="20261103")) == 1


async def test_what_was_durable_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    store = Store(0, Journal(path))
    receipts = [store.accept(verdict(payload=payload), "send", "01999_BV", b"x", NOW) for payload in ("aa", "bb")]
    store.report(error_item(F, "V-1", Finding("XML1", 1, "MA_LK", "202", "…"), NOW))
    await store.durable()
    again = Store(0, Journal(path))
    assert [receipt for _, receipt, _ in again.versions()] == receipts
    assert again.errors(NOW) == store.errors(NOW)
    third = again.accept(verdict(payload="cc"), "send", "01999_BV", b"x", NOW)
    assert third.transaction not in {receipt.transaction for receipt in receipts}


async def test_a_torn_last_record_is_cut_off_and_a_damaged_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    store = Store(0, Journal(path))
    store.accept(verdict(), "send", "01999_BV", b"x", NOW)
    await store.durable()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    again = Store(0, Journal(path))
    assert again.counts() == {"receipts": 1, "visits": 1}
    assert path.read_bytes() == whole
    path.write_bytes(b"{]\n" + whole)
    with pytest.raises(JournalError, match="line 1"):
        Store(0, Journal(path))
    path.write_bytes(json.dumps({"type": "receipt"}).encode() + b"\n")
    with pytest.raises(JournalError, match="record 1"):
        Store(0, Journal(path))


async def test_a_full_disk_is_an_error_and_leaves_no_half_record(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    journal = Journal(path)
    journal.append({"n": 1})
    await journal.flush()
    whole = path.read_bytes()
    journal.close()  # the next write fails as on a disk that is gone
    journal.append({"n": 2})
    with pytest.raises(OSError, match="descriptor"):
        await journal.flush()
    assert path.read_bytes() == whole


def test_bytes_are_kept_only_under_a_known_transaction(tmp_path: Path) -> None:
    store = Store(0, keep=tmp_path / "bytes")
    receipt = store.accept(verdict(), "send", "01999_BV", b"signed", NOW)
    assert store.kept_bytes(receipt.transaction) == b"signed"
    assert store.kept_bytes("../accounts") is None
    assert Store(0).kept_bytes(receipt.transaction) is None


def test_calls_under_way_are_counted_for_all_each_facility_and_each_visit() -> None:
    stats = Stats()
    with stats.under_way(call("V-1")), stats.under_way(call("V-2")), stats.under_way(call("V-1", "79888")):
        assert stats.concurrency()["concurrent"] == 3
    assert stats.concurrency() == {
        "concurrent": 0,
        "maxConcurrent": 3,
        "maxConcurrentPerFacility": 2,
        "maxConcurrentPerVisit": 1,
        "maxSendsPerSecond": 3,
    }


def test_the_most_sends_of_any_second_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    stats = Stats()
    for moment in (0.0, 0.9, 1.1, 1.2, 1.3, 1.95, 3.0):
        monkeypatch.setattr("streams.simulators.gateway.stats.time.monotonic", lambda moment=moment: moment)
        with stats.under_way(call("V-1")):
            pass
    assert stats.concurrency()["maxSendsPerSecond"] == 4
