"""Bugs that the harness must catch: each replaces one function of the product, in a process started through here.

A planted bug is a mistake that somebody could make and a review could miss. Its focus is where the nemesis hurts most
while it is looked for, so that a short run is enough; a run without it finds the same in more time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.faults.checker import Wrong
from tests.faults.planted import his, loop, outbox, relay, sending
from tests.faults.schedule import Focus, Kind


@dataclass(frozen=True, slots=True)
class Planted:
    """`plant` is called in every process before its own work begins; `seed` is of a run that catches it."""

    what: str
    plant: Callable[[], None]
    focus: Focus
    shows_as: frozenset[Wrong]
    """What it does to visits; another defect would be another bug."""
    seed: int = 1


PLANTED: Mapping[str, Planted] = {
    "commit-before-produce": Planted(
        "the loop commits offsets before what they stand for is produced",
        loop.commit_before_produce,
        ((Kind.KILL, "validate"), (Kind.KILL, "sign")),
        frozenset({Wrong.LOST}),
    ),
    "fence-ignored": Planted(
        "a result of the gateway counts whoever brings it, however late",
        sending.fence_ignored,
        ((Kind.PAUSE, "forward-*"), (Kind.HALF_OPEN, "forward-*>postgres")),
        frozenset({Wrong.DUPLICATED, Wrong.STUCK}),
    ),
    "signed-again": Planted(
        "a dossier is signed anew when it is sent again",
        sending.signed_again,
        ((Kind.GATEWAY, "gateway"), (Kind.KILL, "forward-*")),
        frozenset({Wrong.OTHER_BYTES}),
    ),
    "sequence-not-locked": Planted(
        "the outbox takes its numbers outside of the transaction, as a sequence would",
        outbox.sequence_not_locked,
        ((Kind.KILL, "forward-*"), (Kind.KILL, "publish"), (Kind.CUT, "*>postgres")),
        frozenset({Wrong.STUCK}),
    ),
    "position-from-memory": Planted(
        "the relay trusts its own memory of what it sent",
        relay.position_from_memory,
        ((Kind.HALF_OPEN, "relay-*>kafka"), (Kind.CUT, "relay-*>kafka")),
        frozenset({Wrong.DUPLICATED}),
    ),
    "position-from-database": Planted(
        "the relay trusts the database about what it sent",
        relay.position_from_database,
        ((Kind.KILL, "relay-*"), (Kind.CUT, "relay-*>postgres")),
        frozenset({Wrong.DUPLICATED}),
    ),
    "transactional-id-per-process": Planted(
        "each relay process has a transactional.id of its own, so that none fences another",
        relay.transactional_id_per_process,
        ((Kind.KILL, "relay-*"), (Kind.PAUSE, "relay-*"), (Kind.CUT, "relay-*>postgres")),
        frozenset({Wrong.DUPLICATED}),
    ),
    "spool-forgets-early": Planted(
        "the SDK's spool forgets a visit before the broker has it",
        his.spool_forgets_early,
        ((Kind.KILL, "his"), (Kind.PAUSE, "kafka"), (Kind.HALF_OPEN, "his>kafka")),
        frozenset({Wrong.LOST}),
    ),
}
