"""The words: a durable effect, where it happens, and the crash points before and after it."""

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What outlives the process."""

    COMMIT = "PostgreSQL commit"
    SEND = "record acknowledged"
    OFFSETS = "offsets committed"
    FENCE = "InitProducerId"
    TRANSACTION = "Kafka transaction committed"
    POST = "HTTP request answered"
    DISK = "SQLite commit"
    FILE = "file renamed or removed"


class Moment(StrEnum):
    """On which side of the effect the process dies."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Site:
    """Where an effect happens: module and function, as `effects.py` reads it and `trap.py` finds it on the stack."""

    place: str
    effect: Effect

    def __str__(self) -> str:
        return f"{self.place} ({self.effect})"


@dataclass(frozen=True, slots=True)
class Step:
    """A durable effect of a process, and what the next process finds when it died on either side of it."""

    process: str
    name: str
    site: Site
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Point:
    """One crash point, `forward.sent-before`."""

    step: Step
    moment: Moment

    @property
    def process(self) -> str:
        return self.step.process

    def __str__(self) -> str:
        return f"{self.process}.{self.step.name}-{self.moment}"
