"""What waits for a process: on its topics, or in the ledger."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many wait, and since when the oldest does (Unix time; None when nothing waits)."""

    waiting: int = 0
    oldest: float | None = None

    def __add__(self, other: "Backlog") -> "Backlog":
        known = [item.oldest for item in (self, other) if item.oldest is not None]
        return Backlog(self.waiting + other.waiting, min(known, default=None))

    @property
    def oldest_seconds(self) -> float:
        """Its age."""
        return 0.0 if self.oldest is None else time.time() - self.oldest
