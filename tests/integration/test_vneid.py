"""The display side on a real broker and registry: shows each version once, never an older one, and says so."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from events.health_book import EntryState
from streams.simulators.vneid.behaviour import Faults
from streams.simulators.vneid.simulator import VneidSimulator
from streams.simulators.vneid.subscriber import Channels
from tests.support.entries_topic import Bus, entries_bus, entry
from tests.support.eventually import eventually


@pytest.fixture
async def bus(kafka: str, schema_registry: str, unique: Callable[[str], str]) -> AsyncIterator[Bus]:
    async with entries_bus(
        kafka, schema_registry, unique("health-book.entry.v1"), unique("health-book.displayed.v1")
    ) as opened:
        yield opened


def vneid(bus: Bus, faults: Faults | None = None, state: Path | None = None, delay: float = 0.0) -> VneidSimulator:
    channels = Channels(bus.bootstrap, bus.registry, bus.entry_topic, bus.displayed_topic, bus.reminder_topic)
    return VneidSimulator(channels, seed=1, median_delay=delay, faults=faults, state=state)


async def get(url: str, path: str) -> Any:
    async with aiohttp.ClientSession() as http, http.get(f"{url}{path}") as answer:
        return await answer.json() if answer.status == 200 else None


async def page(url: str, ma_lk: str = "TEST-1") -> Any:
    return await get(url, f"/entries/{quote(f'01999|{ma_lk}', safe='')}")


async def displayed(url: str, version: int, ma_lk: str = "TEST-1") -> Any:
    async def shown() -> Any:
        found = await page(url, ma_lk)
        return found if found and found["displayedVersion"] == version else None

    return await eventually(shown, message=f"version {version} is shown")


async def acknowledged(bus: Bus) -> list[tuple[str, int]]:
    found = await asyncio.to_thread(bus.acknowledgements)
    return sorted((value["entryId"], value["version"]) for value, _, _ in found)


async def ignored(url: str, count: int) -> None:
    async def counted() -> bool:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("vneid_ignored_total")) >= count

    await eventually(counted, message=f"{count} records are ignored")


async def test_entry_is_shown_and_acknowledged_as_the_contract_says(bus: Bus) -> None:
    bus.write(entry())
    async with vneid(bus) as simulator:
        found = await displayed(simulator.url, 1)
        assert found["entry"]["person"]["name"] == "Nguyễn Văn Thử"
        assert found["entry"]["visit"]["leftAt"] == "2026-11-02T02:30:00+00:00"
        ((value, headers, key),) = await asyncio.to_thread(bus.acknowledgements)
    assert key == value["entryId"] == headers["ce_subject"] == "01999|TEST-1"
    assert value["version"] == 1
    assert value["displayedAt"].tzinfo is not None
    assert headers["ce_type"] == "health-book.displayed.v1"
    assert headers["content-type"] == "application/avro"
    assert {"ce_id", "ce_source", "ce_time", "ce_specversion", "ce_dataschema"} <= set(headers)


async def test_duplicate_and_older_versions_change_nothing(bus: Bus) -> None:
    async with vneid(bus) as simulator:
        bus.write(entry(version=3))
        await displayed(simulator.url, 3)
        bus.write(entry(version=3), entry(version=2), entry(version=1))
        await ignored(simulator.url, 3)
        bus.write(entry(version=4))
        await displayed(simulator.url, 4)
        assert await acknowledged(bus) == [("01999|TEST-1", 3), ("01999|TEST-1", 4)]


async def test_aborted_transactions_are_never_seen(bus: Bus) -> None:
    async with vneid(bus) as simulator:
        bus.write(entry(version=9), entry("TEST-2"), commit=False)
        bus.write(entry(version=1))
        await displayed(simulator.url, 1)
        assert await page(simulator.url, "TEST-2") is None
        assert await acknowledged(bus) == [("01999|TEST-1", 1)]


@pytest.mark.parametrize("state", [EntryState.WITHHELD, EntryState.WITHDRAWN])
async def test_version_that_must_not_be_shown_takes_the_earlier_one_away(bus: Bus, state: EntryState) -> None:
    async with vneid(bus) as simulator:
        bus.write(entry(version=1))
        await displayed(simulator.url, 1)
        bus.write(replace(entry(version=2, state=state), person=None, visit=None, summary=None, completeness=None))

        async def gone() -> bool:
            found = await page(simulator.url)
            return bool(found["state"] == state and found["displayedVersion"] is None and found["entry"] is None)

        await eventually(gone)
        assert await acknowledged(bus) == [("01999|TEST-1", 1)]


async def test_tombstone_removes_the_entry(bus: Bus) -> None:
    async with vneid(bus) as simulator:
        bus.write(entry())
        await displayed(simulator.url, 1)
        bus.write_raw([("01999|TEST-1", None)])

        async def gone() -> bool:
            return await page(simulator.url) is None

        await eventually(gone)


async def test_foreign_bytes_are_ignored_and_the_rest_goes_on(bus: Bus) -> None:
    async with vneid(bus) as simulator:
        unknown_id = b"\0\x7f\xff\xff\xff" + b"x"
        bus.write_raw([("a", b"not avro"), ("b", unknown_id), ("c", bus.value(entry())[:20])])
        await ignored(simulator.url, 3)
        bus.write(entry())
        await displayed(simulator.url, 1)


async def test_entries_are_found_by_facility_and_visit(bus: Bus) -> None:
    async with vneid(bus) as simulator:
        bus.write(entry("TEST-1"), entry("TEST-2"))
        await displayed(simulator.url, 1, "TEST-2")
        await displayed(simulator.url, 1, "TEST-1")
        (found,) = await get(simulator.url, "/entries?facility=01999&maLk=TEST-2")
        assert found["entryId"] == "01999|TEST-2"
        assert await get(simulator.url, "/entries?facility=01888") == []


async def test_silence_shows_but_never_acknowledges(bus: Bus) -> None:
    async with vneid(bus, Faults(silence_match="TEST-1$")) as simulator:
        bus.write(entry("TEST-1"), entry("TEST-2"))
        await displayed(simulator.url, 1, "TEST-1")
        await displayed(simulator.url, 1, "TEST-2")
        assert await acknowledged(bus) == [("01999|TEST-2", 1)]


async def reminded(url: str, count: int) -> None:
    async def counted() -> bool:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
            return f"vneid_reminders_total {float(count)}" in (await answer.text()).splitlines()

    await eventually(counted, message=f"{count} reminders are answered")


async def test_a_reminder_is_answered_with_the_same_acknowledgement(bus: Bus) -> None:
    async with vneid(bus, Faults(silence_until_reminded=1.0)) as simulator:
        bus.write(entry())
        found = await displayed(simulator.url, 1)
        assert await acknowledged(bus) == []
        bus.remind("TEST-1", 1, *bus.places()["01999|TEST-1"])

        async def answered() -> bool:
            return await acknowledged(bus) == [("01999|TEST-1", 1)]

        await eventually(answered)
        ((value, _, _),) = await asyncio.to_thread(bus.acknowledgements)
        shown = datetime.fromisoformat(found["displayedAt"])
        assert abs(value["displayedAt"] - shown) < timedelta(milliseconds=1), "shown since then, not since the reminder"


async def test_an_overlooked_entry_is_read_where_the_reminder_says_that_it_lies(bus: Bus, tmp_path: Path) -> None:
    state = tmp_path / "vneid.jsonl"
    async with vneid(bus, Faults(overlooked=1.0), state=state) as simulator:
        bus.write(entry("TEST-1"), entry("TEST-2"))
        await ignored(simulator.url, 2)
        assert await page(simulator.url) is None
        bus.remind("TEST-1", 1, *bus.places()["01999|TEST-1"])
        await displayed(simulator.url, 1)
    async with vneid(bus, Faults(overlooked=1.0), state=state) as simulator:
        bus.write(entry("TEST-3"))
        await ignored(simulator.url, 1)
        assert await acknowledged(bus) == [("01999|TEST-1", 1)], "nothing is read, or answered, a second time"


async def test_who_stays_silent_stays_so_when_reminded(bus: Bus) -> None:
    async with vneid(bus, Faults(silence=1.0)) as simulator:
        bus.write(entry())
        await displayed(simulator.url, 1)
        bus.remind("TEST-1", 1, *bus.places()["01999|TEST-1"])
        await reminded(simulator.url, 1)
        assert await acknowledged(bus) == []


async def test_faults_change_while_it_runs_and_bad_ones_are_refused(bus: Bus) -> None:
    async with vneid(bus) as simulator, aiohttp.ClientSession() as http:
        async with http.put(f"{simulator.url}/_sim/faults", json={"duplicate": 1, "stale": 1}) as answer:
            assert answer.status == 200
        async with http.put(f"{simulator.url}/_sim/faults", json={"silence": 2}) as answer:
            assert answer.status == 422
        bus.write(entry(version=1))
        await displayed(simulator.url, 1)
        bus.write(entry(version=2))
        await displayed(simulator.url, 2)
        # Each twice, and with the second version the first once more.
        assert await acknowledged(bus) == [("01999|TEST-1", version) for version in (1, 1, 1, 2, 2)]
        found = await asyncio.to_thread(bus.acknowledgements)
        assert len({headers["ce_id"] for _, headers, _ in found}) == 2


async def test_late_version_waits_and_the_earlier_one_stays_shown(bus: Bus) -> None:
    async with vneid(bus) as simulator, aiohttp.ClientSession() as http:
        bus.write(entry(version=1))
        await displayed(simulator.url, 1)
        await http.put(f"{simulator.url}/_sim/faults", json={"late": 1, "late_seconds": 3600})
        bus.write(entry(version=2), entry("TEST-2"))

        async def waits() -> bool:
            found = await page(simulator.url)
            return bool(found["version"] == 2 and found["displayedVersion"] == 1)

        await eventually(waits)
        assert await acknowledged(bus) == [("01999|TEST-1", 1)]


async def test_restart_with_its_state_shows_the_same_and_acknowledges_nothing_again(bus: Bus, tmp_path: Path) -> None:
    state = tmp_path / "vneid.jsonl"
    async with vneid(bus, state=state) as simulator:
        bus.write(entry())
        first = await displayed(simulator.url, 1)
    with state.open("a") as file:
        file.write('{"shown": "01999|TE')  # the process died while it wrote
    async with vneid(bus, state=state) as simulator:
        assert await displayed(simulator.url, 1) == first
        bus.write(entry("TEST-2"))
        await displayed(simulator.url, 1, "TEST-2")
        assert await acknowledged(bus) == [("01999|TEST-1", 1), ("01999|TEST-2", 1)]
    assert state.stat().st_mode & 0o077 == 0


async def test_restart_without_state_reads_everything_again_and_repeats_the_same_event(bus: Bus) -> None:
    async with vneid(bus) as simulator, aiohttp.ClientSession() as http:
        bus.write(entry())
        await displayed(simulator.url, 1)
        await http.post(f"{simulator.url}/_sim/restart")
        await displayed(simulator.url, 1)
        found = await asyncio.to_thread(bus.acknowledgements)
        assert len(found) == 2
        assert len({headers["ce_id"] for _, headers, _ in found}) == 1


async def test_kill_while_entries_wait_loses_none(bus: Bus, tmp_path: Path) -> None:
    """A process of its own, killed without warning, twice."""
    bus.write(*(entry(f"TEST-{number}") for number in range(60)))
    script = Path(__file__).with_name("vneid_process.py")
    topics = bus.entry_topic, bus.displayed_topic, bus.reminder_topic
    arguments = [bus.bootstrap, bus.registry, *topics, str(tmp_path / "vneid.jsonl")]

    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(script), *arguments])

    for kills in range(2):
        process = started()

        async def some(least: int = 15 * (kills + 1)) -> bool:
            return len(set(await acknowledged(bus))) >= least

        try:
            await eventually(some)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    process = started()
    try:

        async def all_of_them() -> bool:
            return len(set(await acknowledged(bus))) == 60

        await eventually(all_of_them)
    finally:
        process.terminate()
        process.wait()


async def test_command_announces_itself_and_ends_on_sigterm(bus: Bus, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    code = "from streams.cli.simulate_vneid import vneid; vneid()"
    options = [
        "--bootstrap",
        bus.bootstrap,
        "--registry",
        bus.registry,
        "--ready-file",
        str(ready),
        "--fault",
        "silence=0.5",
    ]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *options)
    try:
        await eventually(ready.exists)
        url = json.loads(await asyncio.to_thread(ready.read_text))["url"]
        assert (await get(url, "/_sim/faults"))["silence"] == 0.5
    finally:
        process.terminate()
    assert await process.wait() == 0
