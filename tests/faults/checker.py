"""What is wrong with a history. Pure, and blind to how the product works: it knows what was promised (README).

Each rule is a function from a history to defects; each has a history that it must report (`test_checker.py`).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from tests.faults.history import (
    ACCEPTED,
    CLOSED,
    ENTRY,
    HELD,
    ONCE,
    REFUSED,
    REJECTED,
    REPEATED,
    SHOWN,
    SIGNED,
    VALIDATED,
    Closing,
    History,
    Record,
    Revision,
    Visit,
)

ON_ITS_WAY = 20.0
"""Seconds that a sending may take to arrive: its timeout, the longest pause of the gateway, and some more."""


class Wrong(StrEnum):
    """Every kind of defect."""

    LOST = "lost"
    STUCK = "stuck"
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    UNSIGNED = "unsigned"
    WRONGLY_SIGNED = "wrongly-signed"
    OTHER_BYTES = "other-bytes"
    PHANTOM = "phantom"
    MISJUDGED = "misjudged"


@dataclass(frozen=True, slots=True)
class Defect:
    wrong: Wrong
    visit: Visit
    what: str

    def __str__(self) -> str:
        return f"{self.wrong.upper()}: {self.visit}: {self.what}"


def ended(history: History, closing: Closing) -> bool:
    """Whether a revision has come to the end that its HIS expects, as far as anybody outside can see."""
    revision = closing.revision
    if closing.expected == SHOWN:
        page = history.book.get(revision.visit)
        return bool(history.tells(revision, ENTRY)) and page is not None and page.shown == revision.number
    return bool(history.tells(revision, REJECTED))


def all_ended(history: History) -> bool:
    """Nothing more is to be waited for."""
    return history.finished and all(ended(history, closing) for closing in history.due)


def check(history: History) -> list[Defect]:
    """Every defect, the worst first in the order of the rules."""
    return [defect for rule in RULES for defect in rule(history)]


def unfinished(history: History) -> Iterator[Defect]:
    """Lost, when something behind it in the same log went on; stuck, when nothing did: then it may still come."""
    due = {closing.revision for closing in history.due}
    for closing in history.closings:
        revision = closing.revision
        if missing := _missing(history, closing, due=revision in due):
            wrong, what = missing
            yield Defect(wrong, revision.visit, f"revision {revision.number}: {what}")


def _missing(history: History, closing: Closing, *, due: bool) -> tuple[Wrong, str] | None:
    revision = closing.revision
    handed = history.tells(revision, CLOSED)
    if not handed:
        wrong = Wrong.LOST if history.finished else Wrong.STUCK
        return wrong, "the HIS holds its receipt, the bus has never seen it"
    for topic, answers in ((CLOSED, (VALIDATED, REJECTED)), (VALIDATED, (SIGNED, HELD))):
        for record in history.tells(revision, topic)[:1]:
            if not history.tells(revision, *answers):
                return _passed(history, record, answers), f"on {topic}, and nothing came of it"
    if not due or not history.tells(revision, SIGNED):
        return None  # a revision that was overtaken may end anywhere behind the signature
    if not history.tells(revision, ACCEPTED, REFUSED, HELD):
        digests = {record.envelope for record in history.tells(revision, SIGNED)}
        taken = any(receipt.digest in digests for receipt in history.taken.get(revision.visit, ()))
        return Wrong.STUCK, f"signed, {'at the gateway' if taken else 'not at the gateway'}, and no word of it"
    for record in history.tells(revision, ACCEPTED)[:1]:
        if not history.tells(revision, ENTRY):
            return _passed(history, record, (ENTRY,)), "accepted, and no entry"
        if closing.expected == SHOWN and not ended(history, closing):
            return Wrong.STUCK, "its entry is on the bus, and the citizen does not see it"
    return None


def _passed(history: History, waiting: Record, answers: tuple[str, ...]) -> Wrong:
    """A repeat behind it says nothing: what was answered was the first."""
    place = waiting.topic, waiting.partition
    behind = [
        first
        for (_, revision), (first, *_) in history.told.items()
        if (first.topic, first.partition) == place
        and first.offset > waiting.offset
        and history.tells(revision, *answers)
    ]
    return Wrong.LOST if behind else Wrong.STUCK


def duplicated(history: History) -> Iterator[Defect]:
    """Through the outbox each event comes once."""
    for (topic, revision), records in history.told.items():
        again = [(number, event) for event, number in Counter(r.event_id for r in records).items() if number > 1]
        if topic == ENTRY and len(records) > 1 and not again:
            again = [(len(records), "")]
        if topic in ONCE and again:
            offsets = ", ".join(f"{record.partition}/{record.offset}" for record in records)
            yield Defect(
                Wrong.DUPLICATED,
                revision.visit,
                f"revision {revision.number} {again[0][0]} times on {topic}: {offsets}",
            )


def sent_again(history: History) -> Iterator[Defect]:
    """What was accepted is done with: only what was on its way already may still reach the gateway."""
    counts = {(r.revision.visit, r.envelope): r.transaction for r in history.records if r.topic == ACCEPTED}
    for visit, receipts in history.taken.items():
        for digest in {receipt.digest for receipt in receipts}:
            same = [receipt for receipt in receipts if receipt.digest == digest]
            told = next((r.at for r in same if r.transaction == counts.get((visit, digest))), None)
            if told and _seconds(told, same[-1].at) > ON_ITS_WAY:
                after = f"{_seconds(told, same[-1].at):.0f} s after the receipt that counts"
                yield Defect(Wrong.DUPLICATED, visit, f"the gateway was sent the same again, {after}")


def _seconds(before: str, after: str) -> float:
    return (datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds()


def reordered(history: History) -> Iterator[Defect]:
    """Entries of a visit rise; so does what the gateway holds of it, in the order in which it took it."""
    entries: dict[Visit, list[Record]] = defaultdict(list)
    for record in history.records:
        if record.topic == ENTRY:
            entries[record.revision.visit].append(record)
    for visit, records in entries.items():
        if len({record.partition for record in records}) > 1:
            yield Defect(Wrong.REORDERED, visit, "its entries are on several partitions")
        for before, after in pairwise(sorted(records, key=lambda record: (record.partition, record.offset))):
            if after.revision.number < before.revision.number:
                yield Defect(Wrong.REORDERED, visit, _behind("entry", after.revision, before.revision))
    signed = _signed(history)
    for visit, receipts in history.taken.items():
        known = [signed[receipt.digest] for receipt in receipts if receipt.digest in signed]
        for earlier, later in pairwise(known):
            if later.number < earlier.number:
                yield Defect(Wrong.REORDERED, visit, _behind("at the gateway", later, earlier))


def _behind(what: str, late: Revision, early: Revision) -> str:
    return f"{what}: revision {late.number} came behind revision {early.number}"


def signatures(history: History) -> Iterator[Defect]:
    """What the gateway holds is signed by its facility, says a verifier that is not ours."""
    for receipt in history.receipts:
        if not receipt.signature.there:
            yield Defect(Wrong.UNSIGNED, receipt.visit, f"no signature in what {receipt.transaction} is about")
        elif not receipt.signature.good:
            yield Defect(Wrong.WRONGLY_SIGNED, receipt.visit, f"nobody believes the signature of {receipt.transaction}")


def other_bytes(history: History) -> Iterator[Defect]:
    """One revision, one content: on every topic that repeats, and at the gateway the bytes that were signed."""
    for (topic, revision), records in history.told.items():
        if topic in REPEATED and len({record.digest for record in records}) > 1:
            yield Defect(Wrong.OTHER_BYTES, revision.visit, f"revision {revision.number} differs on {topic}")
    signed = _signed(history)
    for visit, receipts in history.taken.items():
        for receipt in receipts:
            if visit in history.closed and receipt.digest not in signed:
                yield Defect(
                    Wrong.OTHER_BYTES,
                    visit,
                    f"the gateway holds bytes under {receipt.transaction} that no stage signed",
                )


def phantoms(history: History) -> Iterator[Defect]:
    """Nothing is told that did not happen: every event has its cause before it, back to the HIS's own list."""
    known = {closing.revision for closing in history.closings}
    for topic, revision in history.told:
        if revision not in known:
            yield Defect(Wrong.PHANTOM, revision.visit, f"revision {revision.number} on {topic} was never closed")
    causes = {VALIDATED: CLOSED, REJECTED: CLOSED, SIGNED: VALIDATED, ACCEPTED: SIGNED, ENTRY: ACCEPTED}
    for topic, revision in history.told:
        if topic in causes and not history.tells(revision, causes[topic]):
            yield Defect(
                Wrong.PHANTOM, revision.visit, f"revision {revision.number} on {topic} without {causes[topic]}"
            )
    for visit in [*history.taken, *history.book]:
        if visit not in history.closed:
            yield Defect(Wrong.PHANTOM, visit, "was never closed, and is at the gateway or in the book")
    held = {(receipt.visit, receipt.transaction, receipt.digest) for receipt in history.receipts}
    for record in history.records:
        said = (record.revision.visit, record.transaction, record.envelope)
        if record.topic == ACCEPTED and said not in held:
            yield Defect(
                Wrong.PHANTOM,
                record.revision.visit,
                f"accepted under {record.transaction}, which the gateway does not have with these bytes",
            )


def misjudged(history: History) -> Iterator[Defect]:
    """A revision came to another end than its HIS expects: no fault of the world makes a dossier bad."""
    for closing in history.closings:
        revision = closing.revision
        bad = (REJECTED, REFUSED, HELD) if closing.expected == SHOWN else (SIGNED, ACCEPTED, ENTRY)
        for record in history.tells(revision, *bad):
            yield Defect(
                Wrong.MISJUDGED,
                revision.visit,
                f"revision {revision.number}: {closing.expected} was due, {record.topic}",
            )


def _signed(history: History) -> dict[str, Revision]:
    """Digest of signed bytes → the revision that they are of."""
    return {record.envelope: record.revision for record in history.records if record.topic == SIGNED}


RULES: tuple[Callable[[History], Iterator[Defect]], ...] = (
    unfinished,
    duplicated,
    sent_again,
    reordered,
    signatures,
    other_bytes,
    phantoms,
    misjudged,
)
