"""Every process dies at each of its crash points, forward and relay at pairs of them; every visit ends as it should.

A round kills each process at one of its points, all in one flow, and looks at the outcome from outside. `make test`
runs every point and a sample of the pairs, `make crashpoints` all of them.
"""

import os
from collections.abc import AsyncIterator
from itertools import product, zip_longest
from random import Random

import pytest

from infra.embedded.parts import Parts
from tests.crashpoints.points import Point
from tests.crashpoints.system import HIS, STAGES, Bus, system
from tests.crashpoints.table import points_of

SAMPLE = 6
SEED = 5

_SINGLES = list(zip_longest(*(points_of(process) for process in (HIS, *STAGES))))


Pair = tuple[Point, Point]


def _pairs() -> list[tuple[Pair, Pair]]:
    """Ordered pairs of forward, each beside one of relay, which has fewer."""
    forward, relay = (list(product(points_of(process), points_of(process))) for process in ("forward", "relay"))
    chance = Random(SEED)
    chance.shuffle(forward)
    chance.shuffle(relay)
    both = [(pair, relay[number % len(relay)]) for number, pair in enumerate(forward)]
    return both if os.environ.get("HEALTHBOOK_CRASH_PAIRS") == "all" else both[:SAMPLE]


@pytest.fixture(scope="module")
async def bus(private_parts: Parts) -> AsyncIterator[Bus]:
    home = private_parts.home / "crash-points"
    home.mkdir()
    async with system(private_parts.addresses, home) as found:
        yield found


@pytest.mark.parametrize("points", _SINGLES, ids=lambda points: "+".join(str(p) for p in points if p))
async def test_every_visit_ends_as_it_should_though_each_process_dies_at_a_point(
    bus: Bus, points: tuple[Point | None, ...]
) -> None:
    await bus.round(*([point] for point in points if point is not None))


@pytest.mark.parametrize("pairs", _pairs(), ids=lambda pairs: "+".join(f"{a}>{b}" for a, b in pairs))
async def test_every_visit_ends_as_it_should_though_forward_and_relay_die_twice(
    bus: Bus, pairs: tuple[Pair, Pair]
) -> None:
    await bus.round(*pairs)


async def test_every_effect_that_the_processes_had_has_a_name(bus: Bus) -> None:
    unnamed = bus.nursery.unnamed
    assert not unnamed.exists(), "name these in tests/crashpoints/table.py:\n" + unnamed.read_text(encoding="utf-8")
