"""Sessions: after which refusals the same account is tried again by itself, and after which never."""

from datetime import UTC, datetime

import pytest

from streams.adapters.gateway_session import WRONG_PASSWORD, Account, SessionRefusedError, Sessions, Token
from streams.domain.gateway_result import Reply, ResultClass


@pytest.mark.parametrize(
    ("code", "tries"), [(WRONG_PASSWORD, 1), ("SESSION_NOT_READABLE", 3), ("SESSION_501", 3), ("SESSION_999", 3)]
)
async def test_only_a_wrong_password_is_never_tried_again(code: str, tries: int) -> None:
    """A proxy's bare 401 passes; the breaker spaces the tries (GATEWAY §3)."""
    asked = 0

    async def take(_account: Account) -> Token:
        nonlocal asked
        asked += 1
        raise SessionRefusedError(Reply(ResultClass.AUTH, code))

    sessions = Sessions(take, lambda: datetime.now(UTC))
    for _ in range(3):
        with pytest.raises(SessionRefusedError, match=code):
            await sessions.token(Account("01999", "01999_BV", "0" * 32))
    assert asked == tries
