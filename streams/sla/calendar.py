"""Working days in Vietnam: public holidays and working Saturdays by the library `holidays`, and what is decreed later.

List `DAYS_OFF` (docs/code-lists.md) overrules the library: `code` is a day yyyymmdd, `kind` is `off` or `working`.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

from streams.domain.dossier.codelists import CodeList
from streams.domain.dossier.moments import VIETNAM, day_of

LIST = "DAYS_OFF"
OFF, WORKING = "off", "working"

_DAY = timedelta(days=1)

Decreed = Callable[[date], CodeList | None]
"""The list `DAYS_OFF` as it stands on a day."""


def nothing_decreed(day: date) -> None:
    """Nobody loaded a list."""
    del day


def problems(listed: CodeList) -> Iterator[str]:
    """Why a list of days cannot be taken as it is."""
    for row in listed.rows:
        if day_of(row["code"]) is None or len(row["code"]) != 8:
            yield f"{row['code']}: the code must be a day yyyymmdd"
        elif row.get("kind") not in (OFF, WORKING):
            yield f"{row['code']}: kind must be {OFF} or {WORKING}"


def is_working_day(day: date, decreed: Decreed = nothing_decreed) -> bool:
    """Whether public offices work on this day."""
    listed = decreed(day)
    for row in listed.by_code.get(f"{day:%Y%m%d}", ()) if listed else ():
        return row.get("kind") == WORKING
    return bool(_vietnamese().is_working_day(day))


@cache
def _vietnamese() -> Any:
    from holidays import country_holidays  # 0.1 s: not for every command that shows a clock

    return country_holidays("VN")


def end_of_working_day(start: datetime, days: int, decreed: Decreed = nothing_decreed) -> datetime:
    """When the period of so many working days after `start` ends: 24:00 of the last one in Vietnam.

    The first day does not count, and the last one must be a working day (Civil Code 2015, Articles 147.2, 148.5-6).
    """
    day = start.astimezone(VIETNAM).date()
    while days:
        day += _DAY
        days -= is_working_day(day, decreed)
    return datetime.combine(day + _DAY, time(), VIETNAM)
