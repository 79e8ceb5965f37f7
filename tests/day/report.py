"""What the day came to, as text: each trouble with what told of it, every alert, every late visit's cause. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from streams.domain.dossier.moments import VIETNAM
from tests.day.alerts import Alert
from tests.day.live import Lived
from tests.day.troubles import Trouble


def told(lived: Lived, troubles: Sequence[Trouble], alerts: Sequence[Alert], complaints: Sequence[str]) -> str:
    """Markdown."""
    parts = (_troubles(troubles, alerts), _alerts(alerts), _late(lived), _prediction(lived, alerts), complaints)
    return "\n\n".join("\n".join(part) for part in parts if part)


def _troubles(troubles: Sequence[Trouble], alerts: Sequence[Alert]) -> Iterator[str]:
    yield "| trouble | begins | told by | heard |"
    yield "| --- | --- | --- | --- |"
    for trouble in troubles:
        heard = [alert.heard for alert in alerts if alert.heard and alert.is_about(trouble.alert)]
        at = f"{clock(min(heard))}" if heard else "never"
        yield f"| {trouble.name} | {clock(trouble.since)} | `{trouble.alert['alertname']}` | {at} |"


def _alerts(alerts: Iterable[Alert]) -> Iterator[str]:
    yield "| alert | severity | fires | heard |"
    yield "| --- | --- | --- | --- |"
    for alert in alerts:
        about = ", ".join(
            value for name, value in sorted(alert.labels.items()) if name not in ("alertname", "job", "severity")
        )
        heard = clock(alert.heard) if alert.heard else "no: explained by another"
        span = f"{clock(alert.since)}-{clock(alert.until)}"
        yield f"| `{alert.name}` {about} | {alert.labels['severity']} | {span} | {heard} |"


def _late(lived: Lived) -> Iterator[str]:
    yield "| late on | side | cause | facility | visits |"
    yield "| --- | --- | --- | --- | --- |"
    counted = Counter(
        (row["clock"], row["side"], row["code"], row["facility"])
        for row in lived.late
        if row["ma_lk"] in {closing.ma_lk for closing in lived.story.closings()}
    )
    for (on, side, code, facility), number in sorted(counted.items()):
        yield f"| {on} | {side} | `{code}` | {facility} | {number} |"


def _prediction(lived: Lived, alerts: Iterable[Alert]) -> Iterator[str]:
    """How long before the slow gateway made the first visit late the page was heard."""
    slow = [
        datetime.fromisoformat(row["due_at"])
        for row in lived.late
        if row["clock"] == "closed-to-receipt" and row["code"] == "GATEWAY_SLOW"
    ]
    heard = [alert.heard for alert in alerts if alert.heard and alert.name == "HealthbookBreachPredicted"]
    if slow and heard:
        yield (
            f"Predicted at {clock(min(heard))}; the first visit that the slow gateway made late was due at"
            f" {clock(min(slow))}, {len(slow)} in all."
        )


def clock(at: datetime) -> str:
    """Time of day in Vietnam."""
    return f"{at.astimezone(VIETNAM):%H:%M}"
