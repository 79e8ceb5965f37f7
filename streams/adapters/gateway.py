"""The BHXH gateway over HTTP: style A, form fields and three headers (GATEWAY §§2–6).

Nothing here logs: URLs, tokens and the password hash are secrets, and answers may quote a dossier.
"""

import base64
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self
from urllib.parse import quote_plus, urlencode

import aiohttp
from multidict import CIMultiDict

from events.visit import VisitSigned
from events.xml import XmlError, parse
from streams.adapters.gateway_session import Account, SessionRefusedError, Sessions, Token, read_token
from streams.domain.dossier.standard import standards
from streams.domain.gateway_result import Reply, ResultClass, classify
from streams.metrics import GATEWAY_REQUESTS

TAKE_PATH = "/api/token/take"
FORM = "application/x-www-form-urlencoded"
DOSSIER_KIND = "130"
"""`loaiHoSo` of a dossier, of decision 3176 as well."""

CONNECT_SECONDS, TAKE_SECONDS = 5.0, 10.0
_ANSWER_BYTES = 64 * 1024

_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""Raised before the first byte of a request: it is certain that nothing was sent."""


class _Facility(Protocol):
    @property
    def gateway_username(self) -> str: ...
    @property
    def has_foreign_account(self) -> bool: ...


class Accounts(Protocol):
    """Where the gateway accounts of facilities are kept (`streams/adapters/facilities.py`)."""

    def get(self, code: str) -> _Facility | None:
        """None when the facility is not registered. Raises ValueError when its entry cannot be used."""
        ...

    def gateway_password_hash(self, code: str) -> str:
        """Raises ValueError when there is none that can be used."""
        ...


class GatewayClient:
    """Port `Gateway` of forward. One connection pool, one token for each facility, every wait bounded."""

    def __init__(
        self,
        url: str,
        accounts: Accounts,
        *,
        timeout: float = 60.0,
        max_base64_bytes: int = 20 * 1024 * 1024,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url.rstrip("/")
        self._accounts = accounts
        self._max_base64_bytes = max_base64_bytes
        self._now = now
        self._paths = {standard.name: standard.endpoint for standard in standards()}
        self._sessions = Sessions(self._take, now)
        self._send_timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(CONNECT_SECONDS, timeout))
        self._take_timeout = aiohttp.ClientTimeout(total=TAKE_SECONDS, sock_connect=CONNECT_SECONDS)
        self._http: aiohttp.ClientSession | None = None
        for operation in ("take", "send"):
            for result in ResultClass:
                GATEWAY_REQUESTS.labels(operation, result)

    async def __aenter__(self) -> Self:
        # The dispatcher bounds the number of sends; a second limit here would only hide a wait inside the timeout.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
        self._http = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def submit(self, visit: VisitSigned) -> Reply:
        """One attempt; a refused session is renewed and the call repeated exactly once (GATEWAY §3)."""
        started = time.monotonic()
        reply = await self._submit(visit)
        return replace(reply, duration=timedelta(seconds=time.monotonic() - started))

    async def _submit(self, visit: VisitSigned) -> Reply:
        wrong = self._refusal(visit)
        if wrong is not None:
            return wrong
        try:
            account = self._account(visit.facility)
            token = await self._sessions.token(account)
            reply = await self._send(visit, account, token)
            if reply.result is not ResultClass.AUTH:
                return reply
            self._sessions.drop(account, token)
            return await self._send(visit, account, await self._sessions.token(account))
        except SessionRefusedError as refused:
            return refused.reply

    def _refusal(self, visit: VisitSigned) -> Reply | None:
        """What we refuse ourselves, before a call. The gateway books a dossier of another facility silently."""
        size = (len(visit.envelope) + 2) // 3 * 4
        if size > self._max_base64_bytes:
            limit = self._max_base64_bytes // 1024
            text = (
                f"Hồ sơ {size // 1024} KB (base64), giới hạn {limit} KB / {size // 1024} KB of base64, limit {limit} KB"
            )
            return Reply(ResultClass.PERMANENT_SIZE, "TOO_LARGE", text)
        if _facility_inside(visit.envelope) != visit.facility:
            text = "MACSKCB trong hồ sơ khác cơ sở đã đóng lượt khám / MACSKCB inside is not the facility of the visit"
            return Reply(ResultClass.PERMANENT_DATA, "FACILITY_MISMATCH", text)
        if visit.standard not in self._paths:
            return Reply(ResultClass.PERMANENT_CONFIG, "NO_ENDPOINT")
        return None

    def _account(self, facility: str) -> Account:
        """The facility's own account; there is no other to fall back to (GATEWAY §2)."""
        try:
            entry = self._accounts.get(facility)
            if entry is None:
                raise SessionRefusedError(Reply(ResultClass.AUTH, "FACILITY_NOT_REGISTERED"))
            account = Account(facility, entry.gateway_username, self._accounts.gateway_password_hash(facility))
        except (ValueError, OSError):
            raise SessionRefusedError(Reply(ResultClass.AUTH, "ACCOUNT_NOT_USABLE")) from None
        if entry.has_foreign_account:
            raise SessionRefusedError(Reply(ResultClass.PERMANENT_CONFIG, "ACCOUNT_MISMATCH"))
        return account

    async def _take(self, account: Account) -> Token:
        form = urlencode({"username": account.username, "password": account.password_hash}).encode()
        try:
            status, body, answered = await self._post(TAKE_PATH, form, {}, self._take_timeout)
            token = read_token(status, body, self._now())
        except (aiohttp.ClientError, TimeoutError, OSError):
            reply = Reply(ResultClass.TEMPORARY, "SESSION_NO_ANSWER")
        except SessionRefusedError as refused:
            reply = replace(refused.reply, retry_after=_retry_after(answered))
        else:
            GATEWAY_REQUESTS.labels("take", ResultClass.ACCEPTED).inc()
            return token
        GATEWAY_REQUESTS.labels("take", reply.result).inc()
        raise SessionRefusedError(reply)

    async def _send(self, visit: VisitSigned, account: Account, token: Token) -> Reply:
        headers = {
            "accessToken": token.access_token,
            "tokenId": token.token_id,
            "passwordHash": account.password_hash,
        }
        try:
            form = _form(visit, account)
            status, body, answered = await self._post(self._paths[visit.standard], form, headers, self._send_timeout)
            reply = classify(status, body, _retry_after(answered))
        except _NOT_CONNECTED:
            reply = Reply(ResultClass.TEMPORARY, "NO_CONNECTION")
        except TimeoutError:
            reply = Reply(ResultClass.UNKNOWN, "TIMEOUT")
        except (aiohttp.ClientError, OSError):
            # Also a kept connection that the gateway closed: the request may have been read before.
            reply = Reply(ResultClass.UNKNOWN, "NO_ANSWER")
        GATEWAY_REQUESTS.labels("send", reply.result).inc()
        return reply

    async def _post(
        self, path: str, form: bytes, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout
    ) -> tuple[int, bytes, Mapping[str, str]]:
        assert self._http is not None, "used outside of `async with`"  # noqa: S101 - a mistake of the caller
        async with self._http.post(
            self._url + path,
            data=form,
            headers=CIMultiDict({**headers, "Content-Type": FORM}),
            timeout=timeout,
            allow_redirects=False,
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(_ANSWER_BYTES):
                body += chunk
                if len(body) >= _ANSWER_BYTES:  # no answer of the gateway is that long: a page of somebody else
                    break
            return response.status, bytes(body), response.headers


def _form(visit: VisitSigned, account: Account) -> bytes:
    """The form body. `maTinh` is always taken from the facility code (GATEWAY §2)."""
    fields = {
        "username": account.username,
        "loaiHoSo": DOSSIER_KIND,
        "maTinh": visit.facility[:2],
        "maCSKCB": visit.facility,
    }
    # `+` unescaped would arrive as a blank. Replaced in C: quote_plus takes 40 times as long for a dossier.
    content = base64.b64encode(visit.envelope).replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")
    head = "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items())
    return head.encode() + b"&fileHSBase64=" + content


def _facility_inside(envelope: bytes) -> str | None:
    with suppress(XmlError):
        return (parse(envelope).findtext("THONGTINDONVI/MACSKCB") or "").strip()
    return None


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    seconds = headers.get("Retry-After", "")
    return timedelta(seconds=min(int(seconds), 3600)) if seconds.isascii() and seconds.isdigit() else None
