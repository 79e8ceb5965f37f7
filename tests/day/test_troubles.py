"""From each trouble's alert the way to its panels is written down: alert, runbook, dashboard."""

from datetime import date
from typing import Any

import pytest
import yaml

from infra.embedded.prometheus import RULES
from tests.conftest import REPOSITORY
from tests.day.story import story
from tests.day.troubles import Trouble, troubles
from tests.support.dashboards import dashboards, queries

TROUBLES = troubles(story(date(2026, 11, 25), whole=True))


def rule(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        each
        for file in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for each in group["rules"]
        if each.get("alert") == name
    ]
    assert len(found) == 1, name
    return found[0]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_the_runbook_of_its_alert_names_the_dashboard_that_shows_it(trouble: Trouble) -> None:
    page, _, section = rule(trouble.alert["alertname"])["annotations"]["runbook_url"].rpartition("/")[2].partition("#")
    text = (REPOSITORY / "docs" / "runbooks" / page).read_text(encoding="utf-8")
    (part,) = [part for part in text.split("\n## ") if part.partition("\n")[0].lower() == section]
    heading = text.partition("\n## ")[0]
    for shown in trouble.panels:
        title = dashboards()[shown.dashboard]["title"].removeprefix("healthbook / ")
        assert title in part + heading, f"{page}#{section} does not lead to {title}"


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_the_panels_that_show_it_exist(trouble: Trouble) -> None:
    panels = {(query.dashboard, query.panel) for query in queries()}
    assert {(shown.dashboard, shown.panel) for shown in trouble.panels} <= panels
