"""The harness itself, in short: whole systems hurt from a seed. `make faults` does the same for longer."""

from pathlib import Path

import pytest

from tests.faults.report import tell_run
from tests.faults.run import Plan, run


@pytest.mark.timeout(600)
async def test_nothing_is_lost_and_nothing_comes_twice_whatever_is_hurt(downloads: Path) -> None:
    report = await run(Plan(seed=101, seconds=20), downloads)
    assert report.injected.done.total() > 10
    assert len(report.history.closings) > 50
    assert not report.defects, tell_run(report)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", ["signed-again"])
async def test_a_planted_bug_is_caught_as_what_it_is(bug: str, downloads: Path) -> None:
    """Which processes meet when is chance, also under the same seed: a bug that needs a race gets several."""
    reports = []
    for seed in (1, 2, 3):
        reports.append(await run(Plan(seed, seconds=15, plant=bug), downloads))
        if reports[-1].caught:
            return
    pytest.fail("\n".join(map(tell_run, reports)))
