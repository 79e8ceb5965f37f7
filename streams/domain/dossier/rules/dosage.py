"""What LIEU_DUNG says (FMT-022): amount, times a day, days, in the forms that the annex of QĐ 130 shows."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?(?:/[1-9][0-9]*)?"
_DAILY = re.compile(
    rf"\s*(?P<amount>{_NUMBER})\s*[^*\[\]0-9][^*\[\]]*?\*\s*(?P<times>{_NUMBER})\s*lần\s*/\s*ngày\s*"
    rf"\*\s*(?P<days>{_NUMBER})\s*ngày\s*\[\s*(?P<total>{_NUMBER})[^\[\]]*/\s*ngày\s*\]\s*",
    re.IGNORECASE,
)
_BY_TIME_OF_DAY = re.compile(
    rf".*\b(?:sáng|trưa|chiều|tối|đêm|giờ|[0-9]+\s*h)\b.*\[\s*{_NUMBER}[^\[\]]*/\s*ngày\s*\]\s*",
    re.IGNORECASE | re.DOTALL,
)
_HERBAL = re.compile(
    rf"\s*{_NUMBER}\s*(?:g|gam|gram)\b[^*]*\*\s*{_NUMBER}\s*(?:thang|gói)[^*]*\*\s*(?P<days>{_NUMBER})\s*ngày.*",
    re.IGNORECASE | re.DOTALL,
)
_CLOSE = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Dosage:
    """Form a: amount * times * days, with the total of a day beside it."""

    amount: Decimal
    times: Decimal
    days: Decimal
    total: Decimal

    @property
    def adds_up(self) -> bool:
        return abs(self.amount * self.times - self.total) <= _CLOSE


@lru_cache(4096)
def dosage(text: str) -> Dosage | None:
    """Form a of FMT-022; None for any other text."""
    found = _DAILY.fullmatch(text)
    if found is None:
        return None
    return Dosage(*(_number(found[name]) for name in ("amount", "times", "days", "total")))


@lru_cache(4096)
def is_written_as_expected(text: str) -> bool:
    """Forms a (with the right total), b and c of FMT-022."""
    daily = dosage(text)
    if daily is not None:
        return daily.adds_up
    return bool(_BY_TIME_OF_DAY.fullmatch(text) or _HERBAL.fullmatch(text))


def days_of(text: str) -> Decimal | None:
    """For how many days it lasts, by forms a and c."""
    found = _DAILY.fullmatch(text) or _HERBAL.fullmatch(text)
    return _number(found["days"]) if found else None


def _number(text: str) -> Decimal:
    """`1/2` and `0,5` are written as often as `0.5`."""
    whole, _, divisor = text.replace(",", ".").partition("/")
    return Decimal(whole) / Decimal(divisor or 1)
