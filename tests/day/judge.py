"""Was each trouble of the day found, by what an SRE and an officer have: alerts, panels, pages, reports? Pure but for
Prometheus. Every check answers with complaints; none is what should be.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lxml import html

from streams.domain.lateness import REASONS
from tests.day.alerts import Alert
from tests.day.live import Lived
from tests.day.prometheus import Prometheus
from tests.day.story import EXPIRING, SILENT, Closing, Story
from tests.day.troubles import Shown, Trouble
from tests.support.dashboards import queries

TARGET = timedelta(minutes=15)
_SOON = timedelta(minutes=10)
"""Within this of a change (gateway quick again, back) a visit may be in time or not."""


def of_alerts(troubles: Sequence[Trouble], alerts: Sequence[Alert]) -> Iterator[str]:
    """Each trouble has its alert in time; every page that was heard belongs to a trouble of that time."""
    for trouble in troubles:
        found = [alert for alert in alerts if alert.is_about(trouble.alert)]
        if not any(alert.heard and trouble.since <= alert.heard <= trouble.since + trouble.within for alert in found):
            yield f"{trouble.name}: {dict(trouble.alert)} was not heard within {trouble.within}, but {found or 'never'}"
    for alert in alerts:
        if alert.heard and alert.labels["severity"] == "page" and not _explained(alert, alert.heard, troubles):
            yield f"nothing explains the page {dict(alert.labels)} at {alert.heard:%H:%M}"


def _explained(alert: Alert, heard: datetime, troubles: Iterable[Trouble]) -> bool:
    return any(
        trouble.since <= heard <= trouble.until and any(map(alert.is_about, (trouble.alert, *trouble.also)))
        for trouble in troubles
    )


async def of_panels(troubles: Sequence[Trouble], prometheus: Prometheus) -> list[str]:
    """The panels show each trouble while it lasts."""
    return [
        f"{trouble.name}: {shown.dashboard} / {shown.panel} shows {values} at {trouble.seen_at:%H:%M}"
        for trouble in troubles
        for shown in trouble.panels
        if not any(map(shown.holds, values := await _values(shown, trouble.seen_at, prometheus)))
    ]


async def _values(shown: Shown, at: datetime, prometheus: Prometheus) -> list[float]:
    exprs = [query.expr for query in queries() if (query.dashboard, query.panel) == (shown.dashboard, shown.panel)]
    assert exprs, f"no such panel: {shown.dashboard} / {shown.panel}"
    asked = [expr.replace("$__rate_interval", "5m").replace("$facility", ".*") for expr in exprs]
    samples = [sample for expr in asked for sample in await prometheus.at(at, expr)]
    return [sample.value for sample in samples if set(shown.labels) <= sample.labels.items()]


def of_pages(troubles: Sequence[Trouble], lived: Lived) -> Iterator[str]:
    """The console shows each trouble while it lasts, in one row."""
    for trouble in troubles:
        written = trouble.written
        rows = rows_of(lived.pages[trouble.seen_at][written.path], written.section)
        if not any(re.search(written.pattern, row) for row in rows):
            yield f"{trouble.name}: no row of {written} at {trouble.seen_at:%H:%M}, but {rows}"


def rows_of(page: str, section: str) -> list[str]:
    """What a reader sees of the tables of a page, or of one of its sections."""
    where = f"//section[@aria-labelledby='{section}']//tbody/tr" if section else "//tbody/tr"
    rows: Any = html.fromstring(page).xpath(where)
    return [" ".join(" ".join(row.itertext()).split()) for row in rows]


def of_report(troubles: Sequence[Trouble], lived: Lived) -> Iterator[str]:
    """The report names every late visit once, and only those; for each who was late, and why."""
    story = lived.story
    late: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in lived.late:
        key = row["clock"], row["facility"], row["ma_lk"]
        if key in late:
            yield f"{key} is named twice"
        late[key] = row
    for closing in story.closings():
        told = late.pop(("closed-to-receipt", closing.facility, closing.ma_lk), None)
        yield from _compared(closing, "closed-to-receipt", told, *_expected_of_us(story, closing))
        told = late.pop(("receipt-to-shown", closing.facility, closing.ma_lk), None)
        yield from _compared(closing, "receipt-to-shown", told, *_expected_of_the_law(story, closing))
    yield from (f"{key} is named, and nobody closed it" for key in late)
    told_of = Counter(row["code"] for row in lived.late)
    yield from (f"{trouble.name}: made no visit late" for trouble in troubles if not told_of[trouble.cause])
    yield from _sums(lived)


def _expected_of_us(story: Story, closing: Closing) -> tuple[set[str], bool]:
    """For *closed to receipt*: the causes of which one may be told (none: in time), and whether it must be late."""
    at = closing.closed_at
    if closing.facility == SILENT:
        return {"HANDED_OVER_LATE"}, closing.at - at > TARGET
    if closing.facility == EXPIRING and at >= story.certificate_ends:
        return {"FACILITY_HAD_TO_ACT"}, True
    causes: set[str] = set()
    if closing.facility == EXPIRING and at >= story.certificate_ends - TARGET:
        causes.add("FACILITY_HAD_TO_ACT")  # signed in time, and not sent before the certificate ended
    if story.slow.since - TARGET <= at < story.slow.until + _SOON:
        causes.add("GATEWAY_SLOW")
    if story.down.since - TARGET <= at < story.down.until + _SOON:
        causes.add("GATEWAY_OUTAGE")
    return causes, story.down.since + _SOON <= at < story.down.until - TARGET


def _expected_of_the_law(story: Story, closing: Closing) -> tuple[set[str], bool]:
    """The same for *receipt to shown*."""
    if closing.facility == EXPIRING and closing.at >= story.certificate_ends - TARGET:
        # Of one that was sent before, the answer may be lost: its clock runs until somebody mends the certificate.
        return {"FACILITY_HAD_TO_ACT"} if closing.at < story.certificate_ends else set(), False
    may = closing.at >= story.unacknowledged - TARGET or closing.closed_at in story.down
    return {"DISPLAY_SILENT"} if may else set(), closing.at >= story.unacknowledged


def _compared(
    closing: Closing, clock: str, told: Mapping[str, Any] | None, causes: Iterable[str], must: bool
) -> Iterator[str]:
    if told is None:
        if must:
            yield f"{clock}: {closing.ma_lk}, closed {closing.closed_at:%H:%M}, was late, and the report knows nothing"
    elif told["code"] not in causes or told["side"] != REASONS[told["code"]].side:
        yield (
            f"{clock}: {closing.ma_lk}, closed {closing.closed_at:%H:%M}, is late by {told['side']}, {told['code']}:"
            f" expected {', '.join(causes) or 'in time'}"
        )


def _sums(lived: Lived) -> Iterator[str]:
    """What `report sla` counts is what `report late` names."""
    for figures in lived.promise:
        if figures["grouping"] == "all":
            named = sum(row["clock"] == figures["clock"] for row in lived.late)
            if figures["late"] != named:
                yield f"{figures['clock']}: report sla counts {figures['late']} late, report late names {named}"
