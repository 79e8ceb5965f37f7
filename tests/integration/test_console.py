"""The console over a real database, looked at in a real browser: what officers see, and that everybody can read it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiohttp import web
from confluent_kafka import Producer
from playwright.async_api import Browser, Page, async_playwright

from events.topics import TOPICS
from streams.adapters.deadlines import PostgresDeadlines
from streams.adapters.overview import Overview
from streams.adapters.timeline import PostgresTimeline
from streams.config import Settings
from streams.console.app import Console
from streams.console.pages import today
from streams.domain.story import StoryLine
from streams.sla.clocks import shipped
from streams.sla.facts import Facts
from tests.conftest import REPOSITORY
from tests.support.eventually import eventually

AXE = REPOSITORY / "infra" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
FACILITY, OTHER = "01999", "48999"
MIDDAY = timedelta(hours=12)
EVENTS = ("visit.closed.v1", "visit.validated.v1", "visit.signed.v1", "visit.accepted.v1", "health-book.entry.v1")
DETAIL: dict[str, dict[str, Any]] = {
    "visit.accepted.v1": {"transaction_code": "01999.x", "received_at": "2026-01-31T05:00:00+00:00", "attempts": 1},
    "visit.rejected.v1": {
        "findings": [{"code": "MON-103", "table": "XML1", "field": "T_TONGCHI_BV", "message_vi": "Sai tổng chi phí"}]
    },
    "health-book.entry.v1": {"state": "ACTIVE", "withheld": []},
}


@dataclass
class Story:
    """Puts visits into the tables as `record` and `deadlines` would have."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    now: datetime

    async def tell(self, ma_lk: str, *types: str, facility: str = FACILITY, **facts: Any) -> None:
        start = self.now - timedelta(minutes=10)
        lines = [
            StoryLine(
                uuid4(), facility, ma_lk, 1, kind, start + timedelta(minutes=number), DETAIL.get(kind, {"reason": None})
            )
            for number, kind in enumerate(types)
        ]
        await PostgresTimeline(self.pool).add(lines)
        known = replace(Facts(facility, ma_lk, 1, closed_at=start), **facts)
        await PostgresDeadlines(self.pool, shipped, lambda: self.now).learn([known])


@pytest.fixture
async def story(database_url: str) -> AsyncIterator[Story]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        yield Story(pool, today() + MIDDAY)


async def gone_quiet(story: Story) -> None:
    await story.pool.execute(
        "insert into rhythm (facility, first_at, last_at, silent)"
        " values ('79999', $1, $1, true), ('01999', $1, $1, false)",
        story.now - timedelta(hours=5),
    )


async def every_state(story: Story) -> None:
    await gone_quiet(story)
    for number, reached in enumerate(range(1, 6)):
        received = story.now - timedelta(minutes=5) if reached >= 4 else None
        await story.tell(f"V{number}", *EVENTS[:reached], received_at=received)
    received = story.now - timedelta(minutes=5)
    await story.tell("SHOWN", *EVENTS, "health-book.displayed.v1", received_at=received, displayed_at=story.now)
    await story.tell("REJECTED", "visit.closed.v1", "visit.rejected.v1", facility=OTHER, stopped_by="REJECTED")
    await story.tell("LATE", *EVENTS[:3], facility=OTHER, closed_at=story.now - timedelta(minutes=40))


async def test_what_has_not_ended_waits_for_the_stage_that_is_to_act_next(story: Story) -> None:
    await every_state(story)
    waiting = {item.stage: item for item in await Overview(story.pool).waiting()}
    found = {stage: item.number for stage, item in waiting.items()}
    assert found == {"validate": 1, "sign": 1, "person": 0, "forward": 2, "publish": 1, "display": 1, "shown": 0}
    assert waiting["shown"].a_minute > 0
    assert waiting["forward"].oldest == story.now - timedelta(minutes=8)


async def test_a_days_promise_counts_each_clock_once_and_facilities_with_late_visits_come_first(story: Story) -> None:
    await every_state(story)
    overview, day = Overview(story.pool), (today(), today() + timedelta(days=1))
    receipt, shown = await overview.promises(*day)
    assert receipt.numbers == {"RUNNING": 3, "MET": 3, "NOT_DUE": 1, "BREACHED": 1}
    assert (receipt.owed, shown.numbers) == (7, {"RUNNING": 2, "MET": 1})
    league = await overview.league(*day, "", (), 10, 0)
    assert [(row["facility"], row["closed"], row["late_receipt"]) for row in league.rows] == [
        (OTHER, 2, 1),
        (FACILITY, 6, 0),
    ]
    assert [row["facility"] for row in (await overview.league(*day, "019", (), 10, 0)).rows] == [FACILITY]
    assert [row["facility"] for row in (await overview.league(*day, "no such", [OTHER], 10, 0)).rows] == [OTHER]
    assert (await overview.league(*day, "%", (), 10, 0)).rows == []
    nearest = [row["ma_lk"] for row in await overview.nearest(4, story.now)]
    assert nearest[-1] == "LATE", "what can still be kept is first, and a place is left for what is late"
    assert len(nearest) == 4
    assert [row["ma_lk"] for row in await overview.nearest(1, story.now - timedelta(minutes=30))] == ["LATE"]


@pytest.fixture
async def served(story: Story, kafka: str, declared: None, tmp_path: Path) -> AsyncIterator[str]:
    settings = Settings(home=tmp_path, kafka_bootstrap_servers=kafka)
    runner = web.AppRunner(Console(settings, story.pool).app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        yield await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)


Open = Callable[..., Any]


@pytest.fixture
async def open_page(browser: Browser, served: str) -> AsyncIterator[Open]:
    """Opens a path of the console; afterwards nothing may have been asked of anybody else."""
    contexts, asked = [], list[str]()

    async def opened(path: str, *, width: int = 1280, scheme: Any = "light") -> Page:
        # Only the accessibility checker is a script, and the pages' own policy would stop it.
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, locale="vi-VN", color_scheme=scheme, bypass_csp=True
        )
        contexts.append(context)
        page = await context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(served + path)
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert [url for url in asked if not url.startswith((served, "data:"))] == []


PAGES = (
    "/",
    "/facilities",
    "/visits?facility=01999",
    "/visit?facility=48999&ma_lk=REJECTED",
    "/visit?facility=01999&ma_lk=SHOWN",
    "/held",
    "/dead-letters",
    "/docs/runbooks/README.md",
    "/docs/observability.md",
    "/nothing-here",
)


async def serious(page: Page) -> Sequence[str]:
    await page.add_script_tag(path=AXE)
    found = await page.evaluate("async () => (await axe.run()).violations")
    return [f"{item['id']}: {item['nodes'][0]['html'][:120]}" for item in found if item["impact"] in SERIOUS]


SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_has_a_serious_accessibility_finding_in_either_language(
    story: Story, open_page: Open, scheme: str
) -> None:
    await every_state(story)
    for path in PAGES:
        for language in ("vi", "en"):
            separator = "&" if "?" in path else "?"
            page = await open_page(f"{path}{separator}lang={language}", scheme=scheme)
            assert await serious(page) == [], path
            assert await page.get_attribute("html", "lang") == language


async def test_the_checker_of_accessibility_finds_what_is_wrong(open_page: Open) -> None:
    page = await open_page("/")
    await page.evaluate("document.querySelector('main').innerHTML += '<img src=\"data:,\"><input>'")
    assert {finding.split(":")[0] for finding in await serious(page)} == {"image-alt", "label"}


async def test_on_a_phone_no_page_is_wider_than_the_screen(story: Story, open_page: Open) -> None:
    await every_state(story)
    for path in PAGES:
        page = await open_page(path, width=360)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path


async def test_an_officer_finds_a_facilitys_visit_and_reads_its_story(story: Story, open_page: Open) -> None:
    await every_state(story)
    page = await open_page("/")
    await page.click(f"section[aria-labelledby=league] a:text('{OTHER}')")
    await page.click("text=REJECTED")
    text = await page.inner_text("main")
    assert "Hồ sơ bị trả lại" in text
    assert "MON-103 XML1 · T_TONGCHI_BV Sai tổng chi phí" in " ".join(text.split())
    await page.click("text=English")
    assert "Rejected by validation" in await page.inner_text("main")


async def test_an_officer_sees_the_outage_and_who_was_late(story: Story, open_page: Open) -> None:
    story.now = datetime.now(UTC)  # whatever the hour: who was late is told of what has been
    await every_state(story)
    await story.pool.execute(
        "insert into outage (subject, from_at, found_by, cause) values ('gateway', $1, 'attempts', 'UNKNOWN')",
        story.now - timedelta(minutes=39),
    )
    page = await open_page("/?lang=en")
    assert "Gateway" in await page.inner_text("section[aria-labelledby=outages]")
    await page.click("section[aria-labelledby=nearest] a:text('LATE')")
    text = await page.inner_text("section[aria-labelledby=clocks]")
    assert "Waited for outage #1 (Gateway" in text
    assert any(f"{side}: " in text for side in ("Facility (HIS)", "The bus", "Gateway"))


async def test_an_officer_sees_which_facility_has_gone_quiet(story: Story, open_page: Open) -> None:
    page = await open_page("/?lang=en")
    assert "gone quiet" not in await page.inner_text("main"), "nothing is said while nobody is"
    await gone_quiet(story)

    async def told() -> bool:
        await page.reload()
        return "gone quiet" in await page.inner_text("main")

    await eventually(told)
    text = await page.inner_text("section[aria-labelledby=silent]")
    assert "79999" in text
    assert "01999" not in text


async def test_a_visit_that_nobody_knows_is_said_to_be_unknown_and_what_is_typed_stays_text(
    story: Story, open_page: Open
) -> None:
    page = await open_page("/visits")
    await page.fill("[name=facility]", FACILITY)
    await page.fill("[name=ma_lk]", "<b id=x>")
    await page.click("button")
    assert "<b id=x>" in await page.inner_text("[role=alert]")
    assert await page.query_selector("#x") is None


async def test_an_alert_leads_to_its_section_and_from_there_on(open_page: Open) -> None:
    page = await open_page("/docs/runbooks/flow.md?lang=en#healthbookstagestopped")
    assert await page.inner_text("h1") == "Runbook: the flow"
    assert await page.inner_text(":target") == "HealthbookStageStopped"
    await page.click("article a:text('gateway.md')")
    assert await page.inner_text("h1") == "Runbook: the gateway"


async def test_only_documents_are_served(open_page: Open) -> None:
    for path in ("/docs/runbooks/", "/docs/..%2Fpyproject.toml", "/docs/%2Fetc%2Fpasswd", "/docs/runbooks/none.md"):
        page = await open_page(f"{path}?lang=en")
        assert await page.query_selector("[role=alert]"), path


async def test_while_the_database_is_away_the_pages_say_so(story: Story, open_page: Open) -> None:
    await story.pool.close()
    page = await open_page("/held?lang=en")
    assert "A part does not answer" in await page.inner_text("main")


async def test_the_pages_allow_no_script(served: str, browser: Browser) -> None:
    page = await browser.new_page()
    answer = await page.goto(served)
    assert answer is not None
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    with pytest.raises(Exception, match="Content Security Policy"):
        await page.add_script_tag(path=AXE)
    await page.close()


async def test_dead_letters_are_listed_without_their_content(story: Story, kafka: str, open_page: Open) -> None:
    topic = TOPICS[0]
    producer = Producer({"bootstrap.servers": kafka})
    headers: dict[str, str | bytes | None] = {
        "dlq_topic": topic.name,
        "dlq_partition": "0",
        "dlq_offset": "7",
        "dlq_stage": "validate",
        "dlq_reason": "UNDECODABLE",
    }
    producer.produce(topic.dlq, key=f"{FACILITY}|CONSOLE", value=b"content of a dossier", headers=headers)
    assert await asyncio.to_thread(producer.flush, 20) == 0
    page = await open_page("/dead-letters?lang=en")
    text = await page.inner_text("main")
    assert f"{FACILITY}|CONSOLE" in text
    assert "content of a dossier" not in text
    page = await open_page(f"/visit?lang=en&facility={FACILITY}&ma_lk=CONSOLE")
    text = await page.inner_text("section[aria-labelledby=dead-letters]")
    assert (f"{topic.dlq}/" in text, "UNDECODABLE" in text) == (True, True), (
        "no event told of this visit, its letter does"
    )
    assert "content of a dossier" not in await page.inner_text("main")
