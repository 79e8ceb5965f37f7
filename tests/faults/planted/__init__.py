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
    """`plant` is called in every process before its own work begins."""

    what: str
    plant: Callable[[], None]
    focus: Focus
    shows_as: frozenset[Wrong]
    """What it does to visits; another defect would be another bug."""


PLANTED: Mapping[str, Planted] = {
    "commit-before-produce": Planted(
        "the loop commits offsets before what they stand for is produced",
        loop.commit_before_produce,
        (
            (Kind.SLOW, "validate>kafka"),
            (Kind.SLOW, "sign>kafka"),
            (Kind.CUT, "validate>kafka"),
            (Kind.CUT, "sign>kafka"),
        ),
        frozenset({Wrong.LOST}),
    ),
    "fence-ignored": Planted(
        "a result of the gateway counts whoever brings it, however late",
        sending.fence_ignored,
        ((Kind.PAUSE, "forward-*"), (Kind.SLOW, "forward-*>gateway")),
        frozenset({Wrong.DUPLICATED, Wrong.REORDERED}),
    ),
    "signed-again": Planted(
        "a dossier is signed anew when it is sent again",
        sending.signed_again,
        ((Kind.GATEWAY, "gateway"),),
        frozenset({Wrong.OTHER_BYTES}),
    ),
    "sequence-not-locked": Planted(
        "the outbox takes its numbers outside of the transaction, as a sequence would",
        outbox.sequence_not_locked,
        ((Kind.SLOW, "forward-*>postgres"), (Kind.KILL, "forward-*"), (Kind.CUT, "forward-*>postgres")),
        frozenset({Wrong.STUCK}),
    ),
    "position-from-memory": Planted(
        "the relay trusts its own memory of what it sent",
        relay.position_from_memory,
        ((Kind.CUT, "relay-*>postgres"), (Kind.CUT, "relay-*>kafka")),
        frozenset({Wrong.DUPLICATED}),
    ),
    "position-from-database": Planted(
        "the relay trusts the database about what it sent",
        relay.position_from_database,
        ((Kind.SLOW, "relay-*>postgres"), (Kind.CUT, "relay-*>postgres")),
        frozenset({Wrong.DUPLICATED}),
    ),
    "transactional-id-per-process": Planted(
        "each relay process has a transactional.id of its own, so that none fences another",
        relay.transactional_id_per_process,
        ((Kind.PAUSE, "relay-*"), (Kind.CUT, "relay-*>postgres")),
        frozenset({Wrong.DUPLICATED}),
    ),
    "spool-forgets-early": Planted(
        "the SDK's spool forgets a visit before the broker has it",
        his.spool_forgets_early,
        ((Kind.CUT, "his>kafka"),),
        frozenset({Wrong.LOST}),
    ),
}
