"""Planted bugs that a crash at one point must bring to light, each by the check that is meant for it.

Not part of `make test`: every one is waited for until it is certain that the round will not end well any more. The last
one spoils the topic for whoever comes after it.
"""

import re
import traceback
from collections.abc import AsyncIterator

import pytest

from infra.embedded.parts import Parts
from tests.crashpoints.system import Bus, system
from tests.crashpoints.table import POINTS

PATIENCE = 40.0

_LOST = "what must be held is held did not come true|not accepted, but None"

CAUGHT = [
    ("commit-before-produce", "validate.produced-before", _LOST),
    ("spool-forgets-early", "his.sent-before", _LOST),
    ("signed-again", "forward.result-before", "one effective version, the newest|a revision has one content"),
    ("position-from-database", "relay.floor-before", "left twice"),
]


@pytest.fixture(scope="module")
async def bus(private_parts: Parts) -> AsyncIterator[Bus]:
    home = private_parts.home / "crash-points"
    home.mkdir()
    async with system(private_parts.addresses, home) as found:
        yield found


@pytest.mark.parametrize(("bug", "point", "shows_as"), CAUGHT)
async def test_a_planted_bug_is_caught(bus: Bus, bug: str, point: str, shows_as: str) -> None:
    (armed,) = [each for each in POINTS if str(each) == point]
    bus.nursery.bug = bug
    with pytest.raises((AssertionError, ExceptionGroup)) as caught:
        await bus.round([armed], patience=PATIENCE)
    assert re.search(shows_as, "".join(traceback.format_exception(caught.value)))
