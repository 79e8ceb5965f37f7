"""Dead letters: what is known of one without its value, and in which order they may go back. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from events.envelope import Headers
from events.topics import DLQ_SUFFIX, topic_named
from streams.errors import Reason

_OURS = "dlq_"
_VISIT = re.compile(r"([a-z-]+\|)?[^|]{5}\|[^|]{1,100}")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where one record lies."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


def aside_headers(origin: Place, stage: str, reason: Reason, at: datetime) -> Headers:
    """What a dead letter says of itself, beside the headers that its record had."""
    told = {
        "topic": origin.topic,
        "partition": str(origin.partition),
        "offset": str(origin.offset),
        "stage": stage,
        "reason": str(reason),
        "time": at.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    return [(f"{_OURS}{name}", value.encode()) for name, value in told.items()]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `origin` is the record that its stage read; `size`: bytes, None without a value.

    `stage` is None when it was not put aside by one of ours; `origin` is its own place then.
    """

    place: Place
    origin: Place
    key: bytes | None = field(repr=False)
    stage: str | None
    reason: str | None
    at: datetime
    size: int | None
    headers: Headers = field(repr=False)

    @property
    def visit(self) -> str | None:
        """The key, when it has the form of ours; a stranger's may say anything."""
        text = (self.key or b"").decode("utf-8", "replace")
        return text if text.isprintable() and _VISIT.fullmatch(text) else None


def letter(
    place: Place, key: bytes | None, size: int | None, at: datetime, headers: Iterable[tuple[str, bytes | None]]
) -> Letter:
    """The dead letter that lies at `place`; `at`: when it was put there."""
    pairs = [(name, value) for name, value in headers if value is not None]
    told = {
        name.removeprefix(_OURS): value.decode("utf-8", "replace") for name, value in pairs if name.startswith(_OURS)
    }
    kept = [(name, value) for name, value in pairs if not name.startswith(_OURS)]
    if not (told.keys() >= {"stage", "reason"} and all(told.get(n, "").isdecimal() for n in ("partition", "offset"))):
        return Letter(place, place, key, None, None, at, size, kept)
    origin = Place(place.topic.removesuffix(DLQ_SUFFIX), int(told["partition"]), int(told["offset"]))
    return Letter(place, origin, key, told["stage"], told["reason"], at, size, kept)


class Act(StrEnum):
    """What a person does about a dead letter."""

    REDRIVEN = "REDRIVEN"
    DISMISSED = "DISMISSED"


@dataclass(frozen=True, slots=True)
class Handled:
    """What somebody did about the record at `origin`. `copy`: where it lies again; None: not known to be there."""

    origin: Place
    act: Act
    actor: str
    reason: str
    at: datetime
    copy: Place | None = None

    @property
    def settled(self) -> bool:
        """Nothing is left to do about the record."""
        return self.act is Act.DISMISSED or self.copy is not None


class Order:
    """Which letters are open, and which must go before which: records of one key stay in the order of their log.

    A record that was redriven and fell again keeps its first rank: its copy lies behind records that it precedes.
    """

    def __init__(self, letters: Sequence[Letter], handled: Sequence[Handled]) -> None:
        self._origins: dict[Place, Place] = {}
        self._handled: dict[Place, list[Handled]] = {}
        for done in handled:
            self.note(done)
        self._of_key: dict[tuple[str, bytes], list[Letter]] = {}
        for item in sorted(letters, key=self.rank):
            if item.key is not None:
                self._of_key.setdefault((item.place.topic, item.key), []).append(item)

    def note(self, done: Handled) -> None:
        """Takes one more act into account."""
        self._handled.setdefault(done.origin, []).append(done)
        if done.copy is not None:
            self._origins[done.copy] = done.origin

    def handled(self, item: Letter) -> list[Handled]:
        """What was done about it, or about another letter of the same record."""
        return self._handled.get(item.origin, [])

    def open(self, item: Letter) -> bool:
        """Whether somebody still has to do something about it."""
        return item.stage is not None and not any(done.settled for done in self.handled(item))

    def rank(self, item: Letter) -> Place:
        """Sorts letters by the first place that their record had."""
        place = item.origin
        while place in self._origins:
            place = self._origins[place]
        return place

    def waits_for(self, item: Letter) -> Letter | None:
        """The open letter of the same key that has to be redriven or dismissed before this one."""
        if item.key is None:
            return None
        same = self._of_key.get((item.place.topic, item.key), [])
        return next((other for other in same if self.open(other) and self.rank(other) < self.rank(item)), None)

    def told(self, item: Letter) -> dict[str, Any]:
        """A letter, what was done about it and what it waits for, as it is told to people: nothing of its content."""
        waits = self.waits_for(item) if self.open(item) else None
        return {
            "topic": item.place.topic,
            "partition": item.place.partition,
            "offset": item.place.offset,
            "put_aside_at": item.at,
            "stage": item.stage,
            "reason": item.reason,
            "visit": item.visit,
            "bytes": item.size,
            "open": self.open(item),
            "waits_for": waits and str(waits.place),
            "done": [
                {
                    "act": str(act.act),
                    "actor": act.actor,
                    "reason": act.reason,
                    "at": act.at,
                    "confirmed": act.settled,
                    "copy": act.copy and str(act.copy),
                }
                for act in self.handled(item)
            ],
        }

    def against(self, item: Letter, *, again: bool) -> str | None:
        """What stands against redriving it; None: nothing."""
        if item.stage is None:
            return "no stage of ours put it aside: it does not say where it came from"
        topic = topic_named(item.origin.topic)
        if topic.public and topic.outbox:
            return f"subscribers of {topic.name} would see it twice; let the reader start again (see the runbook)"
        if item.size is None:
            return f"it lies here without a value; if its record had one, the whole of it is at {item.origin}"
        done = [act for act in self.handled(item) if act.settled]
        if done and not again:
            return f"it was {done[-1].act.lower()} by {done[-1].actor} at {done[-1].at:%Y-%m-%d %H:%M:%SZ}; see --again"
        first = self.waits_for(item)
        if first is not None:
            return f"it waits for {first.place}, which comes before it: redrive or dismiss that one first"
        return None
