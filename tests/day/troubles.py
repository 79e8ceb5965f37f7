"""The five troubles of the day, and by what each is found: an alert, panels of dashboards, a page of the console."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.day.story import EXPIRING, SILENT, Story

MINUTE = timedelta(minutes=1)
EXPIRED = "CERTIFICATE_EXPIRED"


@dataclass(frozen=True, slots=True)
class Shown:
    """What one panel of one dashboard shows: a series with these labels whose value `holds`."""

    dashboard: str
    panel: str
    holds: Callable[[float], bool]
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """`alert`: labels of the one that must reach somebody within `within` of `since`; `also`: other pages it explains.

    `seen_at`: when the panels show it, and the page of the console (path, pattern of its text).
    """

    name: str
    since: datetime
    alert: Mapping[str, str]
    within: timedelta
    seen_at: datetime
    panels: Sequence[Shown]
    page: tuple[str, str]
    also: Sequence[str] = ()


def troubles(story: Story) -> list[Trouble]:
    """In the order in which they begin."""
    return [
        Trouble(
            "a certificate ends",
            story.begin,
            {"alertname": "HealthbookCertificateEndsIn1Day", "facility": EXPIRING},
            15 * MINUTE,
            story.certificate_ends + 5 * MINUTE,
            [
                Shown(
                    "facility",
                    "Days left of the signing certificate",
                    lambda days: days < 0,
                    (("facility", EXPIRING),),
                ),
                Shown("flow", "Held, waiting for a person", lambda held: held > 0, (("reason", EXPIRED),)),
            ],
            ("/held", rf"{EXPIRING}.*{EXPIRED}"),
        ),
        Trouble(
            "a hospital is silent",
            story.begin,
            {"alertname": "HealthbookFacilitySilent", "facility": SILENT},
            60 * MINUTE,
            story.down.since - MINUTE,
            [Shown("facility", "Quiet against its rhythm", lambda silent: silent == 1, (("facility", SILENT),))],
            ("/", rf"gone quiet.*{SILENT}"),
        ),
        Trouble(
            "the gateway is slow",
            story.slow.since,
            {"alertname": "HealthbookBreachPredicted", "clock": "closed-to-receipt"},
            25 * MINUTE,
            story.slow.until - MINUTE,
            [
                Shown("gateway", "Sends with a usable answer", lambda share: share < 0.95),
                Shown("gateway", "Waits for the gateway", lambda waiting: waiting >= 10),
            ],
            ("/", r"\(forward\) \d\d"),
            also=("HealthbookVisitsAtRisk", "HealthbookBacklogOld", "HealthbookPromiseBurnsFast"),
        ),
        Trouble(
            "the gateway is down",
            story.down.since,
            {"alertname": "HealthbookOutage", "subject": "gateway"},
            10 * MINUTE,
            story.down.until - MINUTE,
            [Shown("gateway", "Outages that last", lambda open_: open_ == 1, (("subject", "gateway"),))],
            ("/", r"Gateway Open \d"),
        ),
        Trouble(
            "VNeID acknowledges nothing",
            story.unacknowledged,
            {"alertname": "HealthbookNothingShown"},
            55 * MINUTE,
            story.end - MINUTE,
            [
                Shown("gateway", "Shown on VNeID a minute", lambda rate: rate == 0),
                Shown("gateway", "Entries handed to VNeID a minute", lambda rate: rate > 0),
            ],
            ("/", r"Display on VNeID \d\d"),
            also=("HealthbookBreachPredicted",),
        ),
    ]
