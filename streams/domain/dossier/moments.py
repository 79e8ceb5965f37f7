"""Times of the dossier: 8 digits yyyymmdd, 12 digits yyyymmddHHMM, Vietnamese local time (RULES §2)."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

VIETNAM = timezone(timedelta(hours=7), "ICT")
"""UTC+7 since 1975, no daylight saving."""

_DAY = re.compile(r"[0-9]{8}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3])[0-5][0-9]")


def day_of(text: str) -> date | None:
    """The day of a date, or of a moment (its first 8 digits); None when they are no day of the calendar."""
    if not _DAY.match(text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def is_day(text: str) -> bool:
    return len(text) == len("yyyymmdd") and day_of(text) is not None


def is_clock(text: str) -> bool:
    """4 digits 0000..2359."""
    return _CLOCK.fullmatch(text) is not None


def is_moment(text: str) -> bool:
    return is_day(text[:8]) and is_clock(text[8:])


def instant_of(text: str) -> datetime | None:
    """Aware UTC of 12 digits of Vietnamese time; None when they are no moment."""
    if not is_moment(text):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=VIETNAM).astimezone(UTC)
    except OverflowError:  # 0001-01-01 06:00 is before the first instant there is
        return None
