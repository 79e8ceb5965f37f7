"""kill -9 while 200 visits are in flight: all of them end as they should, and nothing happens twice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

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

VISITS = 200
seeds = count(101)


@pytest.fixture(scope="module")
async def system(downloads: Path, own_home: Path) -> AsyncIterator[RunningSystem]:
    # Short leases and waits: what the test waits for is the recovery, not the patience of production.
    short = {"HEALTHBOOK_GATEWAY_LEASE": "3", "HEALTHBOOK_RETRY_SCALE": "0.02"}
    async with running_system(own_home, downloads, **short) as found:
        yield found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("process", [*PROCESSES, "gateway", "vneid", "kafka", "postgres", "registry"])
async def test_all_visits_end_as_they_should_though_a_process_is_killed(
    system: RunningSystem, process: str, tmp_path: Path
) -> None:
    closing = asyncio.create_task(close_visits(system, tmp_path, next(seeds), VISITS))
    before = await _count(system)

    async def under_way() -> bool:
        return await _count(system) >= before + 40

    await eventually(under_way, timeout=60, message="visits are under way")
    pid = system.pid(process)
    os.kill(pid, signal.SIGKILL)
    closed = await closing
    assert len(closed.lines) == VISITS
    await everything_ends_as_it_should(system, closed, timeout=180)
    await nothing_happened_twice(system, closed)
    assert system.pid(process) != pid, "it was started again"
    await eventually(lambda: all(item["running"] for item in system.status()["processes"]), timeout=60)


async def _count(system: RunningSystem) -> int:
    (row,) = await system.fetch("select count(*) from timeline where type = 'visit.closed.v1'")
    return int(row["count"])
