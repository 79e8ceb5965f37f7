"""Every crash point by name: a durable effect of a process, and the moments just before and just after it.

`effects.py` finds the effects in the sources, `trap.py` kills a process at one, `page.py` prints docs/crash-points.md.
"""

from tests.crashpoints.points import Effect, Moment, Point, Site, Step


def _step(process: str, name: str, effect: Effect, place: str, before: str, after: str) -> Step:
    return Step(process, name, Site(place, effect), before, after)


_REPEATED = "The batch comes again"


def _offsets(process: str) -> Step:
    return _step(
        process,
        "offsets",
        Effect.OFFSETS,
        "streams.runtime.loop:Loop._commit",
        f"{_REPEATED}; what it did is there already.",
        "Nothing is left to do.",
    )


def _dead_letter(process: str) -> Step:
    return _step(
        process,
        "dead-letter",
        Effect.SEND,
        "streams.runtime.dead_letters:DeadLetters._send",
        f"{_REPEATED}, and its bad record is put aside then.",
        f"{_REPEATED}: the bad record is put aside once more, from the same offset.",
    )


def _produced(process: str) -> Step:
    return _step(
        process,
        "produced",
        Effect.SEND,
        "streams.runtime.loop:Loop._produce",
        f"{_REPEATED}: the same event, for the first time.",
        f"{_REPEATED}: the same event again, with the same id and the same bytes.",
    )


STEPS = (
    # ---- the HIS ----
    _step(
        "his",
        "opened",
        Effect.DISK,
        "events.his.spool:Spool._prepare",
        "The folder holds no spool; the next start makes it.",
        "The spool is there, empty.",
    ),
    _step(
        "his",
        "taken",
        Effect.DISK,
        "events.his.spool:Spool.put",
        "The HIS has no receipt and hands over again: for the first time.",
        "The HIS has no receipt and hands over again: the same bytes are the same revision.",
    ),
    _step(
        "his",
        "sent",
        Effect.SEND,
        "events.his.publisher:Publisher._enqueue",
        "The spool still has it and sends it.",
        "The spool still has it and sends it again: the same event.",
    ),
    _step(
        "his",
        "settled",
        Effect.DISK,
        "events.his.spool:Spool._settle",
        "The broker has it, the spool does not know: the same event again.",
        "The spool is empty.",
    ),
    _step(
        "his",
        "counted",
        Effect.SEND,
        "events.his.counter:Counter._tell",
        "The day's count is told by the next one.",
        "The spool does not know that the count was told: told again, under the same number.",
    ),
    _step(
        "his",
        "count-told",
        Effect.DISK,
        "events.his.tally:Tally.told",
        "As after `counted`.",
        "Nothing is left to tell of the day.",
    ),
    # ---- validate ----
    _step(
        "validate",
        "remembered",
        Effect.COMMIT,
        "streams.adapters.revisions:PostgresRevisions._remember_in_one",
        f"{_REPEATED}; no digest is known yet.",
        f"{_REPEATED}: the digest is the same, so it is no conflict with itself.",
    ),
    _step(
        "validate",
        "judged",
        Effect.COMMIT,
        "streams.adapters.revisions:PostgresRevisions._judged",
        f"{_REPEATED} and is judged again.",
        f"{_REPEATED}: the same verdict over the same bytes.",
    ),
    _produced("validate"),
    _dead_letter("validate"),
    _offsets("validate"),
    # ---- sign ----
    _step(
        "sign",
        "held",
        Effect.COMMIT,
        "streams.adapters.holds:PostgresHolds._add",
        f"{_REPEATED}: the hold and its event are written together.",
        f"{_REPEATED}: the hold is there, no second event leaves.",
    ),
    _step(
        "sign",
        "hold-ended",
        Effect.COMMIT,
        "streams.adapters.holds:PostgresHolds.end",
        f"{_REPEATED}: signed again, the earlier hold of its visit ends then.",
        f"{_REPEATED}: signed again, there is no hold to end.",
    ),
    _produced("sign"),
    _step(
        "sign",
        "brought-back",
        Effect.SEND,
        "streams.runtime.released:Released.bring_back",
        "The hold is still released: its record is brought back.",
        "The hold is still released: its record is brought back once more, the same event.",
    ),
    _step(
        "sign",
        "hold-gone",
        Effect.COMMIT,
        "streams.adapters.holds:PostgresHolds.gone",
        "The record is on its topic and comes a second time: the same event.",
        "The hold has ended, the record is on its topic.",
    ),
    _dead_letter("sign"),
    _offsets("sign"),
    # ---- forward: the consumer ----
    _step(
        "forward",
        "ledger",
        Effect.COMMIT,
        "streams.adapters.ledger:PostgresLedger._add",
        f"{_REPEATED} and is written.",
        f"{_REPEATED}: the rows are there and stay as they are.",
    ),
    _dead_letter("forward"),
    _offsets("forward"),
    # ---- forward: the dispatcher ----
    _step(
        "forward",
        "attempt",
        Effect.COMMIT,
        "streams.adapters.attempts:PostgresAttempts.claim",
        "Nothing is claimed: another claim takes it.",
        "Claimed and not sent: the lease ends, the attempt is UNKNOWN, the bytes are sent under a new number.",
    ),
    _step(
        "forward",
        "session",
        Effect.POST,
        "streams.adapters.gateway:GatewayClient._take",
        "As after `attempt`; no session was opened.",
        "As after `attempt`; the gateway's session is nobody's, the next process takes its own.",
    ),
    _step(
        "forward",
        "sent",
        Effect.POST,
        "streams.adapters.gateway:GatewayClient._send",
        "As after `attempt`: UNKNOWN, the bytes are sent for the first time.",
        "The gateway took it, nobody read the answer: UNKNOWN, the same bytes again, one version of them counts.",
    ),
    _step(
        "forward",
        "result",
        Effect.COMMIT,
        "streams.adapters.attempts:PostgresAttempts.finish",
        "The answer is lost with the process: UNKNOWN, the same bytes again, one version of them counts.",
        "State and event are written; the relay has the rest.",
    ),
    _step(
        "forward",
        "lease",
        Effect.COMMIT,
        "streams.adapters.attempts:PostgresAttempts.renew",
        "The lease ends early: UNKNOWN, the same bytes again.",
        "The lease ends late: UNKNOWN then, the same bytes again.",
    ),
    # ---- publish ----
    _step(
        "publish",
        "identities",
        Effect.COMMIT,
        "streams.adapters.identities:PostgresIdentities._add",
        f"{_REPEATED}; whose visit it is gets written then.",
        f"{_REPEATED}: the same digests are written again.",
    ),
    _step(
        "publish",
        "published",
        Effect.COMMIT,
        "streams.adapters.publications:PostgresPublications._add",
        f"{_REPEATED}: version and entry are written together.",
        f"{_REPEATED}: its revisions are recorded, no second entry leaves.",
    ),
    _step(
        "publish",
        "held",
        Effect.COMMIT,
        "streams.adapters.holds:PostgresHolds._add",
        f"{_REPEATED}: the hold and its event are written together.",
        f"{_REPEATED}: the hold is there, no second event leaves.",
    ),
    _step(
        "publish",
        "hold-ended",
        Effect.COMMIT,
        "streams.adapters.holds:PostgresHolds.end",
        "Published, and still held: tried again, its revision is recorded, nothing leaves, the hold ends.",
        "Published, and the hold has ended.",
    ),
    _dead_letter("publish"),
    _offsets("publish"),
    # ---- relay ----
    _step(
        "relay",
        "fenced",
        Effect.FENCE,
        "streams.adapters.relay:Relay._relay",
        "The rows wait; the next relay fences.",
        "The predecessor can commit no more; the next relay fences this one and reads the position.",
    ),
    _step(
        "relay",
        "sent",
        Effect.SEND,
        "streams.adapters.relay:Relay._send",
        "A transaction without records: it is aborted when the next relay fences.",
        "Records that no `read_committed` reader sees: aborted when the next relay fences, then sent again.",
    ),
    _step(
        "relay",
        "committed",
        Effect.TRANSACTION,
        "streams.adapters.relay:Relay._send",
        "The whole batch is in the log, uncommitted: aborted when the next relay fences, then sent again.",
        "The batch is out, the floor is not raised: the position is read from the log, nothing is sent again.",
    ),
    _step(
        "relay",
        "floor",
        Effect.COMMIT,
        "streams.adapters.relay:Relay._relay",
        "As after `committed`.",
        "The next relay reads the log from the new floor.",
    ),
    # ---- record ----
    _step(
        "record",
        "timeline",
        Effect.COMMIT,
        "streams.adapters.timeline:PostgresTimeline.add",
        f"{_REPEATED} and is written.",
        f"{_REPEATED}: the event ids are there already.",
    ),
    _dead_letter("record"),
    _offsets("record"),
)

POINTS = tuple(Point(step, moment) for step in STEPS for moment in Moment)


def points_of(process: str) -> list[Point]:
    """The crash points of one process in the order in which it comes to them."""
    return [point for point in POINTS if point.process == process]
