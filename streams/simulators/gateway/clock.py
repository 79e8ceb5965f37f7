"""The gateway's virtual clock: a month end or a night of deadlines passes in a test without waiting."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

VIETNAM = timezone(timedelta(hours=7))
"""No daylight saving since 1979; `thoiGianTiepNhan` is written in it (GATEWAY §6.4)."""


def _system() -> datetime:
    return datetime.now(UTC)


class VirtualClock:
    """Runs with the system's clock from wherever it was last set, or stands still when frozen."""

    def __init__(
        self, at: datetime | None = None, *, frozen: bool = False, source: Callable[[], datetime] = _system
    ) -> None:
        self._source = source
        self.frozen = frozen
        self._base = at or source()
        self._since = source()

    def now(self) -> datetime:
        """Aware, UTC."""
        return self._base if self.frozen else self._base + (self._source() - self._since)

    def set(self, at: datetime, *, frozen: bool | None = None) -> None:
        self._base, self._since = at.astimezone(UTC), self._source()
        self.frozen = self.frozen if frozen is None else frozen

    def advance(self, by: timedelta) -> None:
        self.set(self.now() + by)


def fourteen_digits(at: datetime) -> str:
    """`yyyyMMddHHmmss` in Vietnamese time: how the gateway writes an instant."""
    return f"{at.astimezone(VIETNAM):%Y%m%d%H%M%S}"


def instant(text: str) -> datetime:
    """An ISO 8601 instant; without a zone it is Vietnamese time. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=VIETNAM)).astimezone(UTC)
