"""On a bad day an SRE with alerts, dashboards and console finds each cause; the report names who was late, and why."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.day import judge
from tests.day.report import told
from tests.day.run import Judged, past_working_day, run

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
async def day(downloads: Path) -> Judged:
    """Two hours and a half of a day, twenty times as quick; `make day` lives the whole of it."""
    return await run(past_working_day(datetime.now(UTC).date()), downloads, print, whole=False)


async def test_each_trouble_is_found_and_each_late_visit_is_told(day: Judged) -> None:
    assert not day.complaints, told(day.lived, day.troubles, day.alerts, day.complaints)
    causes = {row["code"] for row in day.lived.late}
    assert causes >= {"HANDED_OVER_LATE", "FACILITY_HAD_TO_ACT", "GATEWAY_SLOW", "GATEWAY_OUTAGE", "DISPLAY_SILENT"}


Spoil = Callable[[list[dict[str, object]]], object]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda late: late.pop(), id="a late visit is not named"),
        pytest.param(lambda late: late[0].update(code="PROCESSED_LATE", side="us"), id="a wrong cause is told"),
        pytest.param(lambda late: late.append({**late[0], "ma_lk": "?"}), id="one too many is counted"),
    ],
)
async def test_a_report_that_is_wrong_is_complained_about(day: Judged, spoil: Spoil) -> None:
    lived = deepcopy(day.lived)
    lived.late.sort(key=lambda row: json.dumps(row, default=str))
    spoil(lived.late)
    assert [*judge.of_report(lived)]


async def test_a_trouble_that_nobody_is_told_of_and_a_page_without_a_trouble_are_complained_about(day: Judged) -> None:
    for trouble in day.troubles:
        unheard = [alert for alert in day.alerts if not alert.is_about(trouble.alert)]
        assert [text for text in judge.of_alerts(day.troubles, unheard) if text.startswith(trouble.name)]
    (outage,) = [trouble for trouble in day.troubles if trouble.alert["alertname"] == "HealthbookOutage"]
    others = [trouble for trouble in day.troubles if trouble is not outage]
    assert any("nothing explains" in text for text in judge.of_alerts(others, day.alerts))
