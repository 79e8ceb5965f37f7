"""On a bad day an SRE with alerts, dashboards and console finds each cause; the report names who was late, and why."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.day import judge
from tests.day.prometheus import holding
from tests.day.report import told
from tests.day.run import Judged, past_working_day, run

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
async def day(downloads: Path) -> Judged:
    """Two hours and a half of a day, twenty times as quick; `make day` lives the whole of it."""
    return await run(past_working_day(datetime.now(UTC).date()), downloads, print, whole=False)


async def test_each_trouble_is_found_and_each_late_visit_is_told(day: Judged) -> None:
    assert not day.complaints, told(day.lived, day.troubles, day.alerts, day.complaints)


Spoil = Callable[[list[dict[str, Any]]], object]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        pytest.param(lambda late: late.pop(0), "the report knows nothing", id="a late visit is not named"),
        pytest.param(lambda late: late[0].update(code="PROCESSED_LATE", side="us"), "expected", id="a wrong cause"),
        pytest.param(lambda late: late[0].update(side="us"), "is late by us", id="a wrong side"),
        pytest.param(lambda late: late.append({**late[0], "ma_lk": "?"}), "nobody closed it", id="one too many"),
        pytest.param(lambda late: late.append(late[0]), "named twice", id="the same one twice"),
        pytest.param(lambda late: late.clear(), "made no visit late", id="nothing at all"),
    ],
)
async def test_a_report_that_is_wrong_is_complained_about(day: Judged, spoil: Spoil, complaint: str) -> None:
    lived = deepcopy(day.lived)
    lived.late.sort(key=lambda row: (row["code"] != "HANDED_OVER_LATE", row["ma_lk"]))  # that one must be late
    spoil(lived.late)
    for figures in lived.promise:  # the sums follow, so that they are not what finds it
        if figures["grouping"] == "all":
            figures["late"] = sum(row["clock"] == figures["clock"] for row in lived.late)
    assert [text for text in judge.of_report(day.troubles, lived) if complaint in text]


async def test_sums_that_differ_are_complained_about(day: Judged) -> None:
    lived = deepcopy(day.lived)
    lived.promise[0]["late"] += 1
    assert lived.promise[0]["grouping"] == "all"
    assert [text for text in judge.of_report(day.troubles, lived) if "report sla counts" in text]


async def test_a_trouble_that_nobody_is_told_of_and_a_page_without_a_trouble_are_complained_about(day: Judged) -> None:
    for trouble in day.troubles:
        unheard = [alert for alert in day.alerts if not alert.is_about(trouble.alert)]
        assert [text for text in judge.of_alerts(day.troubles, unheard) if text.startswith(trouble.name)]
    outage = next(alert for alert in day.alerts if alert.name == "HealthbookOutage")
    others = [
        replace(outage, labels={**outage.labels, "subject": "display"}),
        replace(outage, heard=day.lived.story.begin),
    ]
    for other in others:
        assert any("nothing explains" in text for text in judge.of_alerts(day.troubles, [*day.alerts, other]))


async def test_a_page_and_a_panel_that_do_not_show_it_are_complained_about(day: Judged, tmp_path: Path) -> None:
    lived = deepcopy(day.lived)
    for pages in lived.pages.values():
        pages.update(dict.fromkeys(pages, "<html><body></body></html>"))
    assert len([*judge.of_pages(day.troubles, lived)]) == len(day.troubles)
    blind = [
        replace(trouble, panels=[replace(shown, holds=lambda _: False) for shown in trouble.panels])
        for trouble in day.troubles
    ]
    async with holding(day.lived.series, tmp_path) as prometheus:
        assert len(await judge.of_panels(blind, prometheus)) == sum(len(trouble.panels) for trouble in blind)
        elsewhere = [
            replace(trouble, panels=[replace(shown, labels=(("facility", "?"),)) for shown in trouble.panels])
            for trouble in day.troubles
        ]
        assert len(await judge.of_panels(elsewhere, prometheus)) == sum(len(trouble.panels) for trouble in elsewhere)
