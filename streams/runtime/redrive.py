"""Redrive: a dead letter's record goes back to the topic it came from, in the order of its visit, with who and why.

Who and why are written down first, then the record is produced, then where it lies: a crash in between leaves an act
that is not confirmed, never a record that nobody answers for. Doing it once more brings the same event again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from events.topics import Topic
from streams.adapters import kafka
from streams.adapters.dead_letters import DeadLetterActs, DeadLetterTopics, no_letter
from streams.domain.dead_letter import Act, Handled, Letter, Order, Place
from streams.errors import RetryLater


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter: redriven, or what stood against it."""

    letter: Letter
    against: str | None


class Redrive:
    """One person's errand over dead letters of one topic. `dry_run`: the same answers, and nothing is done."""

    def __init__(
        self,
        topics: DeadLetterTopics,
        acts: DeadLetterActs,
        producer: Any,
        actor: str,
        reason: str,
        *,
        again: bool = False,
        dry_run: bool = False,
    ) -> None:
        self._topics = topics
        self._acts = acts
        self._producer = producer
        self._actor = actor
        self._reason = reason
        self._again = again
        self._dry_run = dry_run

    async def run(self, topic: Topic, chosen: Place | None) -> list[Outcome]:
        """Redrives one letter, or all that are open, the first of each visit first. Raises RetryLater, LookupError."""
        letters = await self._topics.letters()
        order = Order(letters, await self._acts.of([topic.name]))
        wanted = [_one(letters, chosen)] if chosen else [item for item in letters if order.open(item)]
        told = []
        for item in sorted(wanted, key=order.rank):
            if chosen is None and not order.open(item):
                continue  # went with another letter of the same record
            against = order.against(item, again=self._again)
            if against is None:
                order.note(await self._redrive(item))
            told.append(Outcome(item, against))
        return told

    async def dismiss(self, topic: Topic, chosen: Place) -> Outcome:
        """Says of one letter that nothing is to be done about it any more. Raises RetryLater, LookupError."""
        letters = await self._topics.letters()
        item = _one(letters, chosen)
        if not Order(letters, await self._acts.of([topic.name])).open(item):
            return Outcome(item, "it is not open: redriven, dismissed, or not put aside by a stage of ours")
        if not self._dry_run:
            await self._begin(item, Act.DISMISSED)
        return Outcome(item, None)

    async def _redrive(self, item: Letter) -> Handled:
        if self._dry_run:
            return self._handled(item, datetime.now(UTC), replace(item.origin, offset=-1))
        _, value = await self._topics.letter(item.place)
        number, at = await self._begin(item, Act.REDRIVEN)
        try:
            sent = await self._producer.send_and_wait(
                item.origin.topic, partition=item.origin.partition, key=item.key, value=value, headers=item.headers
            )
        except kafka.AWAY as error:
            raise RetryLater(f"{item.place}: {type(error).__name__}") from error
        copy = replace(item.origin, offset=sent.offset)
        await self._acts.done(number, copy)
        return self._handled(item, at, copy)

    async def _begin(self, item: Letter, act: Act) -> tuple[int, datetime]:
        return await self._acts.begin(item.origin, act, self._actor, self._reason)

    def _handled(self, item: Letter, at: datetime, copy: Place) -> Handled:
        return Handled(item.origin, Act.REDRIVEN, self._actor, self._reason, at, copy)


def _one(letters: Sequence[Letter], place: Place) -> Letter:
    found = [item for item in letters if item.place == place]
    if not found:
        raise no_letter(place)
    return found[0]
