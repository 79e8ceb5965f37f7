"""One day: lived through, and judged."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from streams.sla.calendar import is_working_day
from tests.day import judge
from tests.day.alerts import Alert, fired
from tests.day.live import Lived, Tell, live
from tests.day.prometheus import holding
from tests.day.story import story
from tests.day.troubles import Trouble, troubles


@dataclass(frozen=True)
class Judged:
    """A day, what there was to find in it, and what was not found."""

    lived: Lived
    troubles: Sequence[Trouble]
    alerts: Sequence[Alert]
    complaints: Sequence[str]


async def run(day: date, downloads: Path, tell: Tell, *, whole: bool) -> Judged:
    """`day` is in the past, and a working day: on another one nobody is expected to send."""
    script = story(day, whole=whole)
    expected = troubles(script)
    with tempfile.TemporaryDirectory(prefix="healthbook-day-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)  # noqa: ASYNC240 - PostgreSQL's user must be able to enter it
        lived = await live(script, home, downloads, {trouble.seen_at for trouble in expected}, tell)
        alerts = fired(lived.series, home)
        complaints = [
            *judge.of_alerts(expected, alerts),
            *judge.of_pages(expected, lived),
            *judge.of_report(expected, lived),
        ]
        async with holding(lived.series, home) as prometheus:
            complaints += await judge.of_panels(expected, prometheus)
    return Judged(lived, expected, alerts, complaints)


def past_working_day(today: date) -> date:
    """A Wednesday on which offices worked, two days ago at least, because the story ends a day later."""
    found = today - timedelta(days=2)
    while found.weekday() != 2 or not is_working_day(found):
        found -= timedelta(days=1)
    return found
