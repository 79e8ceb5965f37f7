"""Every durable effect in the sources has a crash point or a reason why not, and nothing in the table is stale."""

from pathlib import Path

import pytest

from tests.crashpoints.effects import effects, effects_of
from tests.crashpoints.exemptions import EXEMPT, exempt
from tests.crashpoints.page import page
from tests.crashpoints.points import Effect, Site
from tests.crashpoints.table import STEPS

PAGE = Path(__file__).parents[2] / "docs" / "crash-points.md"


def test_every_durable_effect_has_a_crash_point_or_is_exempt_for_a_reason() -> None:
    named = {step.site for step in STEPS}
    missing = [str(site) for site in effects() if site not in named and not exempt(site)]
    assert not missing, "name these in tests/crashpoints/table.py: " + ", ".join(missing)


def test_every_crash_point_and_every_exemption_is_still_in_the_sources() -> None:
    found = set(effects())
    gone = [str(step.site) for step in STEPS if step.site not in found]
    unused = [place for place in EXEMPT if not any(_covers(place, site) for site in found)]
    assert (gone, unused) == ([], [])


def test_no_effect_is_both_named_and_exempt() -> None:
    assert [str(step.site) for step in STEPS if exempt(step.site)] == []


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.crashpoints.page > docs/crash-points.md"


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        ("await self._pool.execute('update hold set state = 1')", Effect.COMMIT),
        ("await self._pool.fetch(text_of(1))", Effect.COMMIT),
        ("async with connection.transaction(): await connection.execute(_ADD)", Effect.COMMIT),
        ("await self._producer.send_and_wait(topic)", Effect.SEND),
        ("async with producer.transaction(): pass", Effect.TRANSACTION),
        ("await self._consumer.commit()", Effect.OFFSETS),
        ("kafka.producer(address, transactional_id='fixed')", Effect.FENCE),
        ("await self._http.put(url)", Effect.POST),
        ("self._db.execute('DELETE FROM entry')", Effect.DISK),
        ("draft.replace(path)", Effect.FILE),
        ("path.unlink()", Effect.FILE),
    ],
)
def test_an_effect_is_found(line: str, effect: Effect) -> None:
    assert effects_of("streams.adapters.new", _function(line)) == [Site("streams.adapters.new:New.work", effect)]


@pytest.mark.parametrize(
    "line",
    [
        "await self._pool.fetch('select 1 from hold for update')",
        "await self._pool.fetch(_ASK)",
        "text.replace('a', 'b')",
        "moment.replace(tzinfo=UTC)",
        "await patiently(lambda: self._pool.fetch(_ASK), 'database')",
    ],
)
def test_what_only_looks_is_none(line: str) -> None:
    assert effects_of("streams.adapters.new", _function(line)) == []


def _function(line: str) -> str:
    return f"_ASK = 'select 1'\n_ADD = 'insert into t'\nclass New:\n    async def work(self):\n        {line}\n"


def _covers(place: str, site: Site) -> bool:
    return place == site.place or (place.endswith(":") and site.place.startswith(place))
