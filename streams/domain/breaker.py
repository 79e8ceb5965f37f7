"""Circuit breaker: stops sending where sending fails, and finds out with one send at a time when it works again.

Pure: time is seconds of any steady clock, given by the caller; each answer gives a new breaker.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

PAUSE, LONGEST = 15.0, 300.0
"""Seconds until the first probe, and the most between two (GATEWAY §12.7)."""


class Position(StrEnum):
    """Closed: send. Open: do not. Half-open: one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Opens when `threshold` *different* subjects failed and none succeeded between them.

    Different ones, because a single poisoned dossier that fails for ever says nothing about the others: it must not
    stop their lane. `pause` seconds after opening it is half-open; each failed probe doubles the pause up to `longest`.
    """

    threshold: int
    pause: float = PAUSE
    longest: float = LONGEST
    failing: frozenset[str] = frozenset()
    openings: int = 0
    open_until: float | None = None

    def position(self, now: float) -> Position:
        """What may be sent now."""
        if self.open_until is None:
            return Position.CLOSED
        return Position.OPEN if now < self.open_until else Position.HALF_OPEN

    def failed(self, subject: str, now: float) -> "Breaker":
        """A send about `subject` failed."""
        position = self.position(now)
        if position is Position.OPEN:
            return self  # an answer to a send from before it opened
        failing = self.failing | {subject}
        if position is Position.CLOSED and len(failing) < self.threshold:
            return replace(self, failing=failing)
        return self.tripped(now)

    def tripped(self, now: float) -> "Breaker":
        """Opens at once: the trouble is certain (the account is locked, the password is wrong)."""
        if self.position(now) is Position.OPEN:
            return self
        wait = min(self.pause * 2.0**self.openings, self.longest)
        return replace(self, failing=frozenset(), openings=self.openings + 1, open_until=now + wait)

    def doubted(self, now: float) -> "Breaker":
        """Nothing is known (a restart, a pause that was announced): half-open, with no pause before the probe."""
        return replace(self, open_until=now)

    def succeeded(self) -> "Breaker":
        """A send succeeded: closed, everything forgotten."""
        return replace(self, failing=frozenset(), openings=0, open_until=None)
