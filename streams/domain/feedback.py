"""What the gateway says later (GATEWAY §6.6): its portal's error lists, and which of our sendings each line is about.

No service of the gateway tells whether a dossier was found good; the portal does, within 6, 24 or 48 hours. A line
about a dossier that the gateway had taken is a late verdict: the hospital corrects it. One about a refused dossier says
more about the refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from events.visit import GatewayFinding

LONGEST_MESSAGE = 1000

MEND_VI = "Sửa hồ sơ theo lỗi của cổng rồi đóng lại lượt khám thành phiên bản mới, trong 2 ngày làm việc."
MEND_EN = "Correct the dossier by the gateway's errors and close the visit again as a new revision, in 2 working days."

_CLOCKS_DIFFER = timedelta(minutes=2)
"""By how much the portal's clock may be behind ours (its times have whole seconds)."""


@dataclass(frozen=True, slots=True)
class ToldFinding:
    """One line of an error list: about which visit, of which receipt (empty: not told), and when (aware)."""

    facility: str
    ma_lk: str
    transaction_code: str
    told_at: datetime
    finding: GatewayFinding


class GatewayFeedback(Protocol):
    """Where the gateway's error lists come from."""

    async def told(self) -> Sequence[ToldFinding]:
        """The lines of the list. Raises FeedbackError, RetryLater."""
        ...


class FeedbackError(ValueError):
    """A list cannot be used; the text says which line and column, what was expected and what is there."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One attempt to send a revision. `accepted`: whether the gateway took the revision, by this attempt or another;
    None while no answer says so.
    """

    revision: int
    started_at: datetime
    accepted: bool | None
    transaction_code: str | None


class About(StrEnum):
    """What a line of an error list is about."""

    ACCEPTED = "accepted"
    """A dossier that the gateway had taken: a late verdict."""
    REFUSED = "refused"
    """A dossier that it had not taken: more about the refusal."""
    UNANSWERED = "unanswered"
    """A sending whose answer is not known yet: nobody can say which of the two; the list has to come again."""
    FOREIGN = "foreign"
    """No dossier of ours: the hospital sent it by another way."""
    KNOWN = "known"
    """Told before."""


def about(sending: Sending | None) -> About:
    """What a line is about, by the sending that it names."""
    if sending is None:
        return About.FOREIGN
    if sending.accepted is None:
        return About.UNANSWERED
    return About.ACCEPTED if sending.accepted else About.REFUSED


def sending_of(line: ToldFinding, sendings: Sequence[Sending]) -> Sending | None:
    """Which of the visit's sendings a line is about; None when it is about none of ours.

    The receipt decides. Without one (a refusal has none, an answer may be lost), the last sending before the line was
    told.
    """
    for sending in sendings:
        if line.transaction_code and sending.transaction_code == line.transaction_code:
            return sending
    before = [sending for sending in sendings if sending.started_at <= line.told_at + _CLOCKS_DIFFER]
    return max(before, key=lambda sending: sending.started_at, default=None)
