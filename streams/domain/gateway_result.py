"""What an answer of the gateway means (GATEWAY §§3–6). The body decides, not the HTTP status. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

GATEWAY_ZONE = timezone(timedelta(hours=7))
"""`thoiGianTiepNhan` is Vietnamese local time, which has no daylight saving (GATEWAY §6.4)."""

KEPT_CHARACTERS = 2000


class ResultClass(StrEnum):
    """What the client does next (GATEWAY §6.2)."""

    ACCEPTED = "ACCEPTED"
    PERMANENT_DATA = "PERMANENT_DATA"
    PERMANENT_SIZE = "PERMANENT_SIZE"
    PERMANENT_SIGN = "PERMANENT_SIGN"
    PERMANENT_CONFIG = "PERMANENT_CONFIG"
    PERMANENT_WINDOW = "PERMANENT_WINDOW"
    AUTH = "AUTH"
    TEMPORARY = "TEMPORARY"
    """No byte of the dossier was sent: it is certain that the gateway does not have it."""
    UNKNOWN = "UNKNOWN"
    """The gateway may have stored the dossier: only the same bytes may follow."""


CLASSES: Mapping[str, ResultClass] = {
    "200": ResultClass.ACCEPTED,
    "123": ResultClass.PERMANENT_DATA,
    "124": ResultClass.PERMANENT_DATA,
    "125": ResultClass.PERMANENT_SIGN,
    "201": ResultClass.PERMANENT_DATA,
    "202": ResultClass.PERMANENT_DATA,
    "204": ResultClass.PERMANENT_DATA,
    "205": ResultClass.PERMANENT_DATA,
    "401": ResultClass.AUTH,
    "402": ResultClass.PERMANENT_CONFIG,
    "403": ResultClass.PERMANENT_CONFIG,
    "500": ResultClass.UNKNOWN,
    "501": ResultClass.AUTH,
    "701": ResultClass.PERMANENT_WINDOW,
    "999": ResultClass.AUTH,
    "1001": ResultClass.PERMANENT_SIZE,
}
"""`maKetQua` of a send. A code that is not here is UNKNOWN."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The gateway's word that it has the dossier: `maGiaoDich` and `thoiGianTiepNhan` (aware UTC)."""

    transaction_code: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or our own word for why there is none.

    `code` is `maKetQua`, else one of ours (`NO_RECEIPT`, `NOT_READABLE`, `NO_ANSWER`, `NO_CONNECTION`, …). `message` is
    the gateway's text, cut and without anything that looks like a number of a person or a credential.
    """

    result: ResultClass
    code: str
    message: str = field(default="", repr=False)
    http_status: int | None = None
    receipt: Receipt | None = None
    retry_after: timedelta | None = None
    duration: timedelta = timedelta()


def classify(http_status: int, body: bytes, retry_after: timedelta | None = None) -> Reply:
    """The meaning of the answer to a send. Never raises: what cannot be read is UNKNOWN."""
    answer = Answer.read(body)
    if answer is None or not answer.code:
        # Some functions answer an expired session with 401 and nothing else (quirk Q02).
        result = ResultClass.AUTH if http_status == 401 else ResultClass.UNKNOWN
        text = readable(body.decode("utf-8", "replace"))
        return Reply(result, "NOT_READABLE", text, http_status, retry_after=retry_after)
    result = CLASSES.get(answer.code, ResultClass.UNKNOWN)
    if result is not ResultClass.ACCEPTED:
        return Reply(result, answer.code, answer.reason, http_status, retry_after=retry_after)
    receipt = answer.receipt()
    if receipt is None:
        return Reply(ResultClass.UNKNOWN, "NO_RECEIPT", answer.message, http_status)
    return Reply(result, answer.code, answer.message, http_status, receipt)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object whose keys are spelled in several ways: looked up without regard to case, by their aliases."""

    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, body: bytes) -> "Answer | None":
        """None when the body is no JSON object (an HTML page, blank)."""
        try:
            found = json.loads(body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return None
        return cls({str(key).lower(): value for key, value in found.items()}) if isinstance(found, dict) else None

    def text(self, *aliases: str) -> str:
        """The first alias that has a text or a number, as text; empty when none has."""
        for alias in aliases:
            value = self.fields.get(alias)
            if isinstance(value, str | int) and not isinstance(value, bool):
                return str(value).strip()
        return ""

    @property
    def code(self) -> str:
        """`maKetQua`; a text of another kind than a short code is not one."""
        found = self.text("maketqua")
        return found if re.fullmatch(r"[0-9A-Za-z_-]{1,20}", found) else ""

    @property
    def message(self) -> str:
        """`thongDiep`, for people only: nothing is decided by it."""
        return readable(self.text("thongdiep", "ghichu"))

    @property
    def reason(self) -> str:
        """Why not: the message, else what stands in the place of the receipt (quirk Q11). For people only."""
        return self.message or readable(self._transaction)

    @property
    def _transaction(self) -> str:
        return self.text("magiaodich", "magd")

    def receipt(self) -> Receipt | None:
        """None when either half is missing or unreadable. Ask only after code 200 (quirk Q11)."""
        code = self._transaction
        received_at = _instant(self.text("thoigiantiepnhan"))
        if received_at is None or not 0 < len(code) <= 100 or not code.isprintable():
            return None
        return Receipt(code, received_at)


def _instant(digits: str) -> datetime | None:
    if not re.fullmatch(r"[0-9]{14}", digits):
        return None
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=GATEWAY_ZONE).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def readable(text: str) -> str:
    """Text to keep: cut, on one line, and long numbers (citizen, card, token, hash) made unreadable."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * KEPT_CHARACTERS]).split())
    return re.sub(r"[0-9A-Fa-f]{9,}", "…", line)[:KEPT_CHARACTERS]
