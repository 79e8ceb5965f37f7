"""The planted bugs are where they say: each changes the product, and its focus names something that can be hurt."""

import subprocess
import sys
from fnmatch import fnmatch

import pytest

from streams.runtime.processes import PROCESSES
from tests.faults.planted import PLANTED
from tests.faults.schedule import Kind
from tests.faults.system import NEEDS, PARTS, REPOSITORY, STAGES


def test_every_process_of_the_bus_is_there_to_be_hurt() -> None:
    assert set(STAGES.values()) == set(PROCESSES)


TARGETS = [*NEEDS, *PARTS, *(f"{process}>{part}" for process, parts in NEEDS.items() for part in parts)]


@pytest.mark.parametrize("name", PLANTED)
def test_the_focus_of_a_bug_is_a_fault_of_something_that_runs(name: str) -> None:
    for kind, pattern in PLANTED[name].focus:
        links = kind in (Kind.CUT, Kind.SLOW, Kind.HALF_OPEN)
        assert any(fnmatch(target, pattern) for target in TARGETS if (">" in target) is links), (kind, pattern)


@pytest.mark.parametrize("name", PLANTED)
def test_the_product_still_runs_with_a_bug_planted(name: str) -> None:
    """It is the module that was asked for, with its own arguments; what the bug does to visits is shown by a run."""
    command = [sys.executable, "-m", "tests.faults.planted", name, "streams", "stage", "--help"]
    shown = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "Runs the stage or processor NAME" in shown.stdout
