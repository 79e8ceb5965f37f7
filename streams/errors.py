"""Trouble has three words; the loop acts on them, once for all stages.

    Trouble
     ├─ RetryLater   the world is away (database, registry, broker): the same again, later; nothing is given up
     ├─ DeadLetter   this one record cannot be used: put it aside with its reason, go on with the next
     └─ Fatal        we ourselves are broken: stop the process, so that nothing worse happens

A refusal of a dossier is none of these: it is an event (VisitRejected, VisitRefused, VisitHeld).
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a record is a dead letter. A closed list: it is a metric label, a header and a chapter of docs/codes.md."""

    NO_VALUE = "NO_VALUE"
    NOT_AVRO = "NOT_AVRO"
    UNKNOWN_SCHEMA_ID = "UNKNOWN_SCHEMA_ID"
    KEY_MISMATCH = "KEY_MISMATCH"
    TOO_LARGE = "TOO_LARGE"
    UNEXPECTED = "UNEXPECTED"


class Trouble(Exception):  # noqa: N818 - the three words read as words
    """Base of the three; its text never holds anything from a record's value."""


class RetryLater(Trouble):
    """Something outside does not answer. `after` seconds from now it may."""

    def __init__(self, what: str, after: float = 1.0) -> None:
        super().__init__(what)
        self.after = after


class DeadLetter(Trouble):
    """This record can never be processed as it is."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Fatal(Trouble):
    """We must not go on: the text says what a person has to look at."""
