"""Limits that depend on the hour and the month: file size (1001) and the sending window (701). GATEWAY §6.5, §6.7."""

from datetime import date, datetime

from streams.simulators.gateway.answers import Code, Refusal
from streams.simulators.gateway.clock import VIETNAM
from streams.simulators.gateway.dossier import Visit
from streams.simulators.gateway.rules import Rules, SizeRule, Window

MEGABYTE = 1024 * 1024
BUSY_LIMIT = 20 * MEGABYTE
QUIET_LIMIT = 100 * MEGABYTE
_BUSY_HOURS = frozenset([*range(8, 11), *range(14, 19)])
LAST_DAY_OF_GRACE = 5


def size_limit(rule: SizeRule, now: datetime) -> int:
    """Characters of `fileHSBase64` allowed at this instant."""
    local = now.astimezone(VIETNAM)
    busy = local.weekday() < 5 and local.hour in _BUSY_HOURS
    return BUSY_LIMIT if rule is SizeRule.STRICT or busy else QUIET_LIMIT


def check_size(characters: int, rule: SizeRule, now: datetime) -> None:
    """Raises Refusal 1001."""
    if characters > size_limit(rule, now):
        raise Refusal(Code.SIZE, "Dung lượng tệp vượt quá giới hạn")


def check_window(rules: Rules, visit: Visit, now: datetime, *, replaces: bool) -> None:
    """`month+5`: costs are taken in their month and until the 5th of the next. `closed`: nothing is taken any more.

    A replacement of a dossier whose discharge is in `rules.replacement` is always taken. Raises Refusal 701.
    """
    window = rules.window
    if window is Window.OPEN:
        return
    if replaces and visit.discharged and visit.discharged in rules.replacement:
        return
    if window is Window.CLOSED or (visit.period and now.astimezone(VIETNAM).date() > _last_day(visit.period)):
        raise Refusal(Code.WINDOW, "Ngoài thời gian được phép gửi hồ sơ")


def _last_day(period: tuple[int, int]) -> date:
    year, month = period
    return date(year + month // 12, month % 12 + 1, LAST_DAY_OF_GRACE)
