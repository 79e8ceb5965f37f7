"""The time that people in Vietnam read: UTC+7 all the year. Inside, every instant is UTC."""

from datetime import UTC, datetime, timedelta

VIETNAM = timedelta(hours=7)


def midnight(instant: datetime) -> datetime:
    """The instant at which the day in Vietnam began that `instant` is in."""
    return (instant.astimezone(UTC) + VIETNAM).replace(hour=0, minute=0, second=0, microsecond=0) - VIETNAM


def local(instant: datetime) -> str:
    """An instant as a person in Vietnam reads it."""
    return f"{instant.astimezone(UTC) + VIETNAM:%Y-%m-%d %H:%M:%S}"
