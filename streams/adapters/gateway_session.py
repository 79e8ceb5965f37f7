"""Sessions of the gateway: one token for each facility, taken once however many sends wait for it (GATEWAY §3)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.domain.gateway_result import Answer, Reply, ResultClass, classify

WRONG_PASSWORD = "SESSION_401"  # noqa: S105 - the code of an answer
"""The one answer to `take` after which the same account is never tried again by itself (GATEWAY §3): every further try
would help to lock it. Anything else (a proxy's bare 401, 501, 999) may pass; the breaker spaces those tries."""

REFRESH_EARLY = timedelta(seconds=60)
USUAL_LIFE = timedelta(minutes=10)
"""The gateway's own session limit; used when `expires_in` cannot be read."""


@dataclass(frozen=True, slots=True)
class Account:
    """With what a facility signs in. `password_hash` is the credential itself (GATEWAY §2)."""

    facility: str
    username: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """What a send carries in its headers."""

    access_token: str = field(repr=False)
    token_id: str = field(repr=False)
    expires_at: datetime


class SessionRefusedError(Exception):
    """There is no session: `reply` says why. No byte of a dossier was sent."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.code)
        self.reply = reply


Take = Callable[[Account], Awaitable[Token]]
"""Asks the gateway for a token. Raises SessionRefusedError."""


class Sessions:
    """Keeps the tokens of one process: a token is bound to the address that took it, so it is shared with nobody."""

    def __init__(self, take: Take, now: Callable[[], datetime]) -> None:
        self._take = take
        self._now = now
        self._tokens: dict[str, Token] = {}
        self._taking: dict[str, asyncio.Task[Token]] = {}
        self._wrong: dict[str, tuple[Account, Reply]] = {}

    async def token(self, account: Account) -> Token:
        """A token that is good for a while. Raises SessionRefusedError."""
        held = self._tokens.get(account.facility)
        if held and self._now() < held.expires_at - REFRESH_EARLY:
            return held
        try:
            return await self._shared(account)
        except SessionRefusedError:
            # The session service may be down while sends with a live token still work (quirk Q05).
            if held and self._tokens.get(account.facility) is held and self._now() < held.expires_at:
                return held
            raise

    def drop(self, account: Account, token: Token) -> None:
        """The gateway refused this token. One that was taken meanwhile stays."""
        if self._tokens.get(account.facility) is token:
            del self._tokens[account.facility]

    async def _shared(self, account: Account) -> Token:
        """Parallel callers wait for one request; it goes on when one of them is cancelled."""
        task = self._taking.get(account.facility)
        if task is None:
            task = asyncio.create_task(self._renew(account))
            self._taking[account.facility] = task
            task.add_done_callback(lambda _: self._taking.pop(account.facility, None))
        return await asyncio.shield(task)

    async def _renew(self, account: Account) -> Token:
        wrong = self._wrong.get(account.facility)
        if wrong and wrong[0] == account:
            raise SessionRefusedError(wrong[1])  # the same wrong password again would lock the account (GATEWAY §3)
        try:
            token = await self._take(account)
        except SessionRefusedError as refused:
            if refused.reply.code == WRONG_PASSWORD:
                self._wrong[account.facility] = account, refused.reply
            raise
        self._tokens[account.facility] = token
        return token


def read_token(http_status: int, body: bytes, now: datetime) -> Token:
    """The token in the answer to `take`. Raises SessionRefusedError: AUTH, PERMANENT_CONFIG, or TEMPORARY."""
    answer = Answer.read(body)
    if answer is not None and answer.code == "200":
        key = answer.fields.get("apikey")
        inner = Answer({str(name).lower(): value for name, value in key.items()}) if isinstance(key, dict) else answer
        access_token, token_id = inner.text("access_token"), inner.text("id_token")
        if _header_safe(access_token) and _header_safe(token_id):
            return Token(access_token, token_id, _expiry(inner.fields.get("expires_in"), now))
        raise SessionRefusedError(Reply(ResultClass.TEMPORARY, "NO_TOKEN", http_status=http_status))
    reply = classify(http_status, body)
    final = reply.code in {"401", "402", "403"} or reply.result is ResultClass.AUTH
    result = reply.result if final else ResultClass.TEMPORARY
    raise SessionRefusedError(Reply(result, f"SESSION_{reply.code}", reply.message, http_status))


def _header_safe(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def _expiry(value: Any, now: datetime) -> datetime:
    """`expires_in`: an instant in UTC as text [S:4], else an epoch or a number of seconds [S:1]."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return _instant(text) or now + USUAL_LIFE
    try:
        if number > 1e11:  # milliseconds
            return datetime.fromtimestamp(number / 1000, UTC)
        return datetime.fromtimestamp(number, UTC) if number > 1e9 else now + timedelta(seconds=number)
    except (OverflowError, ValueError, OSError):
        return now + USUAL_LIFE


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
