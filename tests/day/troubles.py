"""The five troubles of the day, and by what each is found: an alert, panels of dashboards, a page of the console."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.day.story import EXPIRING, SILENT, Story

MINUTE = timedelta(minutes=1)
AFTERWARDS = 60 * MINUTE
"""An alert that looks back an hour, or that an outage silenced, may be heard so long after its cause."""

EXPIRED = "CERTIFICATE_EXPIRED"
OF_EXPIRING, OF_SILENT = (("facility", EXPIRING),), (("facility", SILENT),)
OUTAGE = {"alertname": "HealthbookOutage", "subject": "gateway"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What one panel of one dashboard shows: a series with these labels whose value `holds`."""

    dashboard: str
    panel: str
    holds: Callable[[float], bool]
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What a row of the console says: path, section (any, when empty), pattern of the row's text."""

    path: str
    section: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """`alert`: labels of the one that must reach somebody within `within` of `since`.

    `also`: labels of other pages that may be heard for it, until its effects are over (`until`). `seen_at`: when panels
    and the console show it. `cause`: of the visits that it makes late.
    """

    name: str
    since: datetime
    until: datetime
    alert: Mapping[str, str]
    within: timedelta
    seen_at: datetime
    panels: Sequence[Shown]
    written: Written
    cause: str
    also: Sequence[Mapping[str, str]] = ()


OURS, LAW = {"clock": "closed-to-receipt"}, {"clock": "receipt-to-shown"}
LATE = [
    {"alertname": name, **OURS}
    for name in ("HealthbookBreachPredicted", "HealthbookVisitsAtRisk", "HealthbookPromiseBurnsFast")
]


def troubles(story: Story) -> list[Trouble]:
    """In the order in which they begin."""
    return [
        Trouble(
            "a certificate ends",
            since=story.begin,
            until=story.end,
            alert={"alertname": "HealthbookCertificateEndsIn1Day", "facility": EXPIRING},
            within=15 * MINUTE,
            seen_at=story.certificate_ends + 5 * MINUTE,
            panels=[
                Shown("facility", "Days left of the signing certificate", lambda days: days < 0, OF_EXPIRING),
                Shown("flow", "Held, waiting for a person", lambda held: held > 0, (("reason", EXPIRED),)),
            ],
            written=Written("/held", "", rf"^{EXPIRING} .*{EXPIRED}"),
            cause="FACILITY_HAD_TO_ACT",
            also=[{"alertname": "HealthbookPromiseBurnsFast", **OURS}],  # each of its visits is late, until the evening
        ),
        Trouble(
            "a hospital is silent",
            since=story.begin,
            until=story.caught_up + AFTERWARDS,
            alert={"alertname": "HealthbookFacilitySilent", "facility": SILENT},
            within=60 * MINUTE,
            seen_at=story.down.since - MINUTE,
            panels=[Shown("facility", "Quiet against its rhythm", lambda silent: silent == 1, OF_SILENT)],
            written=Written("/", "silent", rf"^{SILENT} "),
            cause="HANDED_OVER_LATE",
        ),
        Trouble(
            "the gateway is slow",
            since=story.slow.since,
            until=story.slow.until + AFTERWARDS,
            alert={"alertname": "HealthbookBreachPredicted", **OURS},
            within=30 * MINUTE,
            seen_at=story.slow.until - MINUTE,
            panels=[
                Shown("gateway", "Sends with a usable answer", lambda share: share < 0.95),
                Shown("gateway", "Waits for the gateway", lambda waiting: waiting >= 10),
            ],
            written=Written("/", "flow", r"\(forward\) \d\d"),
            cause="GATEWAY_SLOW",
            also=[*LATE, OUTAGE],  # now and then ten answers one after the other come too late
        ),
        Trouble(
            "the gateway is down",
            since=story.down.since,
            until=story.down.until + AFTERWARDS,
            alert=OUTAGE,
            within=10 * MINUTE,
            seen_at=story.down.until - MINUTE,
            panels=[Shown("gateway", "Outages that last", lambda open_: open_ == 1, (("subject", "gateway"),))],
            written=Written("/", "outages", "Gateway Open"),
            cause="GATEWAY_OUTAGE",
            also=LATE,
        ),
        Trouble(
            "VNeID acknowledges nothing",
            since=story.unacknowledged,
            until=story.end,
            alert={"alertname": "HealthbookNothingShown"},
            within=55 * MINUTE,
            seen_at=story.end - MINUTE,
            panels=[
                Shown("gateway", "Shown on VNeID a minute", lambda rate: rate == 0),
                Shown("gateway", "Entries handed to VNeID a minute", lambda rate: rate > 0),
            ],
            written=Written("/", "flow", r"Display on VNeID \d\d"),
            cause="DISPLAY_SILENT",
            also=[{"alertname": "HealthbookBreachPredicted", **LAW}],
        ),
    ]
