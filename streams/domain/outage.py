"""Outages: when the gateway counts as being away, and what an outage means for who waits. Pure (decision 0016).

One breaker that opens is one process's opinion. What counts is what the attempts of all of them say, as the ledger has
it: so any number of dispatchers find the same outage, also one that was started anew in the middle of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from streams.domain.gateway_result import ResultClass
from streams.domain.held import RefusedError

NO_ANSWER = frozenset({ResultClass.UNKNOWN, ResultClass.TEMPORARY})
"""Results of an attempt to which the gateway itself gave no answer."""

OUR_OWN = frozenset({"NOT_SENT", "LEASE_EXPIRED", "LEASE_LOST", "CLIENT_ERROR"})
"""Codes of attempts that we broke off ourselves: no proof of anything about the gateway."""

ENOUGH_VISITS = 3
"""Different visits that must have failed since the gateway's last answer: one poisoned dossier is no outage."""

FLAPPING = timedelta(minutes=5)
"""An outage that is back within this time had not ended."""


class Side(StrEnum):
    """Who can be out, and whose turn it can be."""

    GATEWAY = "gateway"
    DISPLAY = "display"
    HIS = "his"
    US = "us"


class FoundBy(StrEnum):
    """The attempts of all dispatchers together showed it, or a person told it."""

    ATTEMPTS = "attempts"
    PERSON = "person"


class Phase(StrEnum):
    """Where an outage stands at some moment."""

    PLANNED = "planned"
    OPEN = "open"
    OVER = "over"
    CANCELLED = "cancelled"


DELAYED: Mapping[Side, tuple[str, ...]] = {
    Side.GATEWAY: ("closed-to-receipt",),
    Side.DISPLAY: ("receipt-to-shown",),
    Side.HIS: ("closed-to-receipt",),
    Side.US: ("closed-to-receipt", "receipt-to-shown"),
}
"""The clocks that run on while a subject is out."""

AT_GATEWAY = (Side.GATEWAY, Side.US)
"""Whose outages keep a visit from being sent."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Attempts that failed alike: proof of an outage."""

    result: str
    code: str
    http_status: int | None
    attempts: int
    visits: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Outage:
    """A line of the ledger; all instants aware. `until_at` None: it lasts."""

    id: int
    subject: Side
    facility: str | None
    announced: bool
    from_at: datetime
    until_at: datetime | None
    found_by: FoundBy
    cause: str
    proof: tuple[Failures, ...] = ()

    def phase(self, now: datetime) -> Phase:
        """Where it stands at `now`."""
        if self.until_at == self.from_at:
            return Phase.CANCELLED if self.announced else Phase.OVER
        if now < self.from_at:
            return Phase.PLANNED
        return Phase.OPEN if self.until_at is None or now < self.until_at else Phase.OVER


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the attempts of all dispatchers say, oldest first, outside of maintenance.

    `failing`: different visits that got no answer since the gateway's last one, the first of them at `failing_since`.
    `answered_at`: the first answer that came after the failures of the outage that lasts; None while none has.
    """

    failing: int
    failing_since: datetime | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Spell:
    """How long the gateway was away, and which line of the ledger says so (None: a new one)."""

    outage: Outage | None
    from_at: datetime
    until_at: datetime | None


def judged(last: Outage | None, evidence: Evidence, *, failing: bool) -> Spell | None:
    """What to write about the gateway; None: nothing.

    `last` is its newest outage that was not announced, `failing` says that somebody's breaker is open. An outage that a
    person opened is ended by the gateway's answer only if attempts had shown it: else the person ends it.
    """
    lasting = last if last is not None and last.until_at is None else None
    if evidence.failing >= ENOUGH_VISITS and evidence.failing_since is not None:
        if lasting is not None:
            return Spell(lasting, min(lasting.from_at, evidence.failing_since), None)
        if not failing:
            return None
        if last is not None and last.until_at is not None and evidence.failing_since < last.until_at + FLAPPING:
            return Spell(last, min(last.from_at, evidence.failing_since), None)
        return Spell(None, evidence.failing_since, None)
    if lasting is not None and lasting.proof and evidence.answered_at is not None:
        return Spell(lasting, lasting.from_at, max(lasting.from_at, evidence.answered_at))
    return None


def cause(proof: Sequence[Failures]) -> str:
    """How most of the attempts failed, in one line."""
    seen: Counter[str] = Counter()
    for item in proof:
        status = f" (HTTP {item.http_status})" if item.http_status is not None else ""
        seen[f"{item.result} {item.code}{status}"] += item.attempts
    return seen.most_common(1)[0][0] if seen else "no attempt failed"


def time_out(outages: Iterable[Outage], since: datetime, until: datetime) -> timedelta:
    """How much of the time between the two was outage; what overlaps counts once."""
    total, reached = timedelta(), since
    for outage in sorted(outages, key=lambda outage: outage.from_at):
        begin, end = max(outage.from_at, reached), min(outage.until_at or until, until)
        if begin < end:
            total += end - begin
            reached = end
    return total


@dataclass(frozen=True, slots=True)
class Told:
    """An outage as a person tells it: it lasts (`until_at` None), is over, or is announced."""

    subject: Side
    facility: str | None
    from_at: datetime
    until_at: datetime | None
    announced: bool

    def wrong(self, now: datetime) -> str | None:
        """What cannot be meant, and how to say it; None when nothing is."""
        if (self.subject is Side.HIS) != (self.facility is not None):
            return (
                "an outage of a HIS is that of one facility, others are of none: give --facility with his, only there"
            )
        if self.until_at is not None and self.until_at <= self.from_at:
            return "it ends before it begins"
        if self.announced:
            ahead = self.until_at is not None and self.until_at > now
            return None if ahead else "a maintenance has an end that is still to come: give --until"
        if self.from_at > now or (self.until_at is not None and self.until_at > now):
            return "what is still to come can only be announced: give --announced"
        return None

    def told_already(self, others: Iterable[Outage]) -> Outage | None:
        """The line that says the same: of this subject and kind, with some of the same time."""
        for other in others:
            same = (other.subject, other.facility, other.announced) == (self.subject, self.facility, self.announced)
            begins_before = self.until_at is None or other.from_at < self.until_at
            if same and begins_before and (other.until_at is None or other.until_at > self.from_at):
                return other
        return None


def end(outage: Outage, at: datetime | None, now: datetime) -> datetime:
    """When an outage ends that a person closes, `at` given or `now`. Raises RefusedError."""
    match outage.phase(now):
        case Phase.PLANNED:
            if at is not None:
                raise RefusedError(f"outage {outage.id} has not begun: closing it cancels it, without --at")
            return outage.from_at
        case Phase.OPEN:
            ended = at or now
            if not outage.from_at <= ended <= now:
                raise RefusedError(f"outage {outage.id} can only have ended between its begin and now")
            return ended
        case phase:
            raise RefusedError(f"outage {outage.id} is {phase} already")
