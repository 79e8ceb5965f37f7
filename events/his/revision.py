"""Which revision a hand-over is (DESIGN §3). Pure: what is remembered of the visit in, the decision out."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Handed:
    """One revision of a visit that was handed over before, and the digest of its bytes."""

    revision: int
    digest: bytes


def decide(before: Iterable[Handed], digest: bytes, given: int | None, now: int) -> tuple[int, bool]:
    """The revision of these bytes, and whether exactly this was handed over before (then nothing new is sent).

    A number that the HIS gives is the HIS's own count and is never changed: the same number with other bytes is a new
    event, which `validate` rejects as a conflict, and the same bytes under a new number are a new revision.
    Without a number the same bytes are the same revision however late they come again: a job that repeats an old
    export must not overtake the correction made since. Other bytes get `max(last + 1, now)`, `now` in Unix
    seconds, so that the numbers still rise when the memory is lost.
    """
    before = tuple(before)
    if given is not None:
        return given, Handed(given, digest) in before
    same = [handed.revision for handed in before if handed.digest == digest]
    if same:
        return max(same), True
    return max([now, *(handed.revision + 1 for handed in before)]), False
