"""Two workers of every process at once: together, restarted one after another, and frozen past every timeout."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.runtime.processes import PROCESSES
from tests.support.eventually import eventually
from tests.support.system import (
    RunningSystem,
    close_visits,
    everything_ends_as_it_should,
    nothing_happened_twice,
    running_system,
)

SHARED = ("validate", "sign", "publish", "record", "deadlines", "flow")  # they divide partitions
WORKERS = [worker for stage in PROCESSES for worker in (stage, f"{stage}-2")]
# Short timeouts: what the tests wait for is the recovery, not the patience of production.
SHORT = {
    "KAFKA_SESSION": "4",
    "GATEWAY_LEASE": "3",
    "RELAY_LEASE": "3",
    "TRANSACTION_IDLE": "3",
    "RETRY_SCALE": "0.02",
}
seeds = count(501)


@pytest.fixture(scope="module")
async def system(downloads: Path, own_home: Path) -> AsyncIterator[RunningSystem]:
    settings = {f"HEALTHBOOK_{name}": value for name, value in SHORT.items()}
    async with running_system(own_home, downloads, HEALTHBOOK_WORKERS="2", **settings) as found:
        yield found


@asynccontextmanager
async def traffic(system: RunningSystem, folder: Path, visits: int) -> AsyncIterator[None]:
    """While the block runs, visits are under way; behind it all have ended as they should, and nothing twice."""
    before = await recorded(system)
    closing = asyncio.create_task(close_visits(system, folder, next(seeds), visits))

    async def under_way() -> bool:
        return await recorded(system) >= before + 20

    await eventually(under_way, timeout=60, message="visits are under way")
    yield
    closed = await closing
    assert len(closed.lines) == visits
    await everything_ends_as_it_should(system, closed, timeout=120)
    await nothing_happened_twice(system, closed)


async def recorded(system: RunningSystem) -> int:
    (row,) = await system.fetch("select count(*) from timeline where type = 'visit.closed.v1'")
    return int(row["count"])


@pytest.mark.timeout(300)
async def test_two_workers_share_the_work_and_nothing_happens_twice(system: RunningSystem, tmp_path: Path) -> None:
    async with traffic(system, tmp_path, 150):
        pass
    assert {item["name"] for item in system.status()["processes"]} >= set(WORKERS)
    idle = [worker for stage in SHARED for worker in (stage, f"{stage}-2") if await handled(system, worker) == 0]
    assert not idle, "each worker has partitions of its own"


@pytest.mark.timeout(400)
async def test_a_restart_one_after_another_loses_and_repeats_nothing(system: RunningSystem, tmp_path: Path) -> None:
    drained = {worker: told(system, worker, "drained") for worker in WORKERS}
    async with traffic(system, tmp_path, 200):
        for worker in WORKERS:
            pid = announced(system, worker)["pid"]
            os.kill(pid, signal.SIGTERM)
            await eventually(partial(is_ready_again, system, worker, pid), timeout=60)
    assert {worker: told(system, worker, "drained") for worker in WORKERS} == {
        worker: before + 1 for worker, before in drained.items()
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "stages", [("validate", "record", "publish"), ("sign", "deadlines", "relay"), ("forward", "flow")], ids=" ".join
)
async def test_a_worker_frozen_past_every_timeout_is_replaced_and_what_it_does_late_changes_nothing(
    system: RunningSystem, stages: Sequence[str], tmp_path: Path
) -> None:
    # Slow answers: the dispatcher is frozen while attempts of its own are in flight.
    await slow_gateway(system, seconds=1.0, answers=30 if "forward" in stages else 1)
    frozen: list[int] = []
    try:
        async with traffic(system, tmp_path / "frozen", 60):
            for stage in stages:
                worker = await busy_relay(system) if stage == "relay" else stage
                frozen.append(announced(system, worker)["pid"])
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
        assert frozen, "everything ended while they were frozen"
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    async with traffic(system, tmp_path / "back", 60):  # now those who came back work again, or try to
        pass
    assert [item["name"] for item in system.status()["processes"] if not item["running"]] == []


async def slow_gateway(system: RunningSystem, seconds: float, answers: int) -> None:
    fault = {"fault": "latency", "seconds": seconds, "count": answers}
    async with aiohttp.ClientSession() as http:
        await http.post(system.addresses["gateway"] + "/_sim/faults", json=fault)


async def busy_relay(system: RunningSystem) -> str:
    """The worker that holds the shards with traffic: the other one would be frozen without anybody missing it."""
    query = """
    select application_name as name, count(*) from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and application_name like 'relay%' group by name order by count desc
    """
    rows = await system.fetch(query)
    return str(rows[0]["name"]).partition(".")[0]


async def handled(system: RunningSystem, worker: str) -> float:
    """Events that this worker has counted since it started."""
    async with aiohttp.ClientSession() as http, http.get(f"{announced(system, worker)['url']}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("healthbook_events_total{"))


async def is_ready_again(system: RunningSystem, worker: str, before: int) -> bool:
    """The process in place of `before` has what it needs."""
    found = announced(system, worker)
    if found["pid"] == before:
        return False
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{found['url']}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError as error:
        raise AssertionError("it does not answer yet") from error


def announced(system: RunningSystem, worker: str) -> dict[str, Any]:
    """pid and url, as it wrote them itself."""
    file = system.home / "run" / "http" / f"{worker}.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def told(system: RunningSystem, worker: str, what: str) -> int:
    """How often its log says so."""
    return (system.home / "log" / f"{worker}.log").read_text(encoding="utf-8").count(f'"event": "{what}"')
