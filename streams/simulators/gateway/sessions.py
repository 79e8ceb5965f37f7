"""Sessions: what `token/take` gives and what every other call must bring back (GATEWAY §3).

`access_token` is an HMAC over account, caller's address, session id and instant, recomputed at each use; so a token
works only from the address that took it, and dies with this process.
"""

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from streams.simulators.gateway.answers import Code, Refusal
from streams.simulators.gateway.registry import Account, Registry
from streams.simulators.gateway.rules import Rules


@dataclass(frozen=True, slots=True)
class Session:
    """`announced` is what the caller is told; a fault may end the session earlier."""

    id: str
    token: str
    username: str
    taken: datetime
    expires: datetime
    announced: datetime


class Sessions:
    """The server's cache of sessions."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._sessions: dict[str, Session] = {}

    def take(
        self,
        username: str,
        password_hash: str,
        address: str,
        now: datetime,
        registry: Registry,
        rules: Rules,
        *,
        life: timedelta | None = None,
        silent: bool = False,
    ) -> Session:
        """A new session. `life` shortens it; `silent` announces the usual life even so. Raises Refusal 401, 403."""
        account = _account(username, password_hash, registry, rules)
        self._forget(now, username if rules.single_session else None)
        usual = timedelta(seconds=rules.token_seconds)
        expires = now + (usual if life is None else life)
        id_ = str(uuid.uuid4())
        session = Session(
            id=id_,
            token=self._token(account.username, address, id_, now),
            username=account.username,
            taken=now,
            expires=expires,
            announced=now + usual if silent else expires,
        )
        self._sessions[id_] = session
        return session

    def account(
        self, token: str, id_: str, password_hash: str, address: str, now: datetime, registry: Registry, rules: Rules
    ) -> Account:
        """The account that a call belongs to. Raises Refusal 401, 403."""
        session = self._sessions.get(id_)
        if session is None or now >= session.expires:
            raise Refusal(Code.AUTHENTICATION, "Phiên làm việc không tồn tại hoặc đã hết hạn")
        expected = self._token(session.username, address, id_, session.taken) if rules.ip_binding else session.token
        if not hmac.compare_digest(expected.encode(), token.encode()):
            raise Refusal(Code.AUTHENTICATION, "Token không đúng")
        return _account(session.username, password_hash, registry, rules)

    def end(self, id_: str) -> None:
        """The session dies before its time."""
        self._sessions.pop(id_, None)

    def _token(self, username: str, address: str, id_: str, at: datetime) -> str:
        text = "\n".join((username, address, id_, at.isoformat()))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def _forget(self, now: datetime, username: str | None) -> None:
        """Expired sessions, and those of `username`, end."""
        self._sessions = {
            id_: session
            for id_, session in self._sessions.items()
            if session.expires > now and session.username != username
        }


def _account(username: str, password_hash: str, registry: Registry, rules: Rules) -> Account:
    account = registry.accounts.get(username)
    given = password_hash.upper() if rules.lower_case_hash else password_hash
    if account is None or not hmac.compare_digest(account.password_hash.encode(), given.encode()):
        raise Refusal(Code.AUTHENTICATION, "Tài khoản hoặc mật khẩu không đúng")
    if account.locked:
        raise Refusal(Code.FORBIDDEN, "Tài khoản bị khóa hoặc không có quyền")
    return account
