"""The console's pages without a database: texts in both languages, one answer for all who ask, days, languages."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from events.topics import TOPICS
from streams.adapters.overview import FLOW, PROMISES
from streams.console import pages
from streams.console.app import Kept
from streams.domain.outage import Phase, Side

TEMPLATES = sorted((pages.HERE / "templates").glob("*.html"))
_ASKED = re.compile(r'\bt\("(\w+)", "([\w.-]+)"\)')


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_text_that_a_page_asks_for_is_there_in_both_languages(template: Path) -> None:
    asked = set(_ASKED.findall(template.read_text(encoding="utf-8")))
    missing = [(section, name) for section, name in asked if len(set(pages._WORDS[section].get(name, []))) != 2]
    assert missing == []


def test_stages_clocks_and_events_have_names_for_people() -> None:
    assert set(FLOW) <= set(pages._WORDS["flow"])
    assert set(Side) <= set(pages._WORDS["side"])
    assert set(Phase) <= set(pages._WORDS["outage"])
    assert set(PROMISES) <= set(pages._WORDS["promise"])
    assert {topic.name for topic in TOPICS if topic.name.startswith("visit.")} <= set(pages._WORDS["event"])


def test_a_name_that_no_text_knows_is_shown_as_it_is() -> None:
    assert pages.words("vi")("event", "visit.invented.v1") == "visit.invented.v1"


@pytest.mark.parametrize(
    ("path", "accepts", "language"),
    [
        ("/", "", "vi"),
        ("/", "fr-FR, en;q=0.8", "en"),
        ("/", "de", "vi"),
        ("/?lang=en", "vi", "en"),
        ("/?lang=xx", "en-GB", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_then_the_browsers_then_vietnamese(
    path: str, accepts: str, language: str
) -> None:
    assert pages.language_of(make_mocked_request("GET", path, headers={"Accept-Language": accepts})) == language


def test_times_are_those_of_vietnam_and_ages_have_two_units() -> None:
    assert pages.local(datetime(2026, 1, 31, 17, 0, tzinfo=UTC)) == "2026-02-01 00:00:00"
    assert pages.local("2026-01-31T17:00:00+00:00") == "2026-02-01 00:00:00"
    assert [pages.age(value) for value in (59, 61, 3600, -90061)] == ["59 s", "1 min 01 s", "1 h 00 min", "1 d 01 h"]


async def test_an_answer_is_asked_for_once_for_all_who_want_it_and_trouble_is_not_kept() -> None:
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise LookupError
        await asyncio.sleep(0)
        return asked

    kept = Kept(ask, 60)
    with pytest.raises(LookupError):
        await kept.get()
    assert await asyncio.gather(*(kept.get() for _ in range(20))) == [2] * 20
