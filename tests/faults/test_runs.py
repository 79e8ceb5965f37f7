"""The harness itself, in short: whole systems hurt from a seed. `make faults` does the same for longer."""

from pathlib import Path

import pytest

from tests.faults.report import tell_run
from tests.faults.run import Plan, run

SECONDS = 20.0


@pytest.mark.timeout(600)
async def test_nothing_is_lost_and_nothing_comes_twice_whatever_is_hurt(downloads: Path) -> None:
    report = await run(Plan(seed=101, seconds=SECONDS), downloads)
    assert report.injected.done.total() > 10
    assert len(report.history.closings) > 100
    assert not report.defects, tell_run(report)
