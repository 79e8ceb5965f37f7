"""What can be said about a clock that the law or we ourselves set: see `streams/sla/deadline.py`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class DeadlineState(StrEnum):
    """States of HEALTHBOOK §5."""

    RUNNING = "RUNNING"
    AT_RISK = "AT_RISK"
    BREACHED = "BREACHED"
    MET = "MET"
    SUPERSEDED = "SUPERSEDED"
    NOT_DUE = "NOT_DUE"


@dataclass(frozen=True, slots=True)
class DeadlineChanged:
    """A clock of one revision of a visit entered a state, or reached a warning mark in it.

    `late` stays true once its due time passed unmet. `warned`: highest mark reached, in percent of the time. A
    `provisional` clock counts from a sending whose answer was lost; the receipt corrects start, due time and `late`.
    """

    topic: ClassVar[str] = "deadline.changed.v1"
    stage: ClassVar[str] = "deadlines"

    clock: str
    facility: str
    ma_lk: str
    revision: int
    state: DeadlineState
    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    late: bool
    reason: str | None
    warned: int = 0
    provisional: bool = False

    @property
    def key(self) -> str:
        """Clock and subject, so that the changes of one clock stay in order."""
        return f"{self.clock}|{self.visit_key}"

    @property
    def visit_key(self) -> str:
        """Key of the visit that the clock is about."""
        return f"{self.facility}|{self.ma_lk}"

    @property
    def occurrence(self) -> str:
        """A clock enters each state, and reaches each mark in it, at most once for one start."""
        entered = f"{self.state}|{self.started_at.isoformat()}"
        return f"{entered}|{self.warned}" if self.warned else entered
