"""Every state of a revision at the gateway × everything that can happen to it, in words. Pure.

`docs/submission-states.md` is printed from here. What moves is the law of `submission.py` itself; here stands why the
other pairs move nothing, so that none of them is an oversight.
"""

from collections.abc import Iterable, Mapping

from streams.domain.submission import CLAIMABLE, IN_FLIGHT, MOVES, Happening, State

STATES: Mapping[State, str] = {
    State.READY: "signed, owed to the gateway; nothing of it is on the way",
    State.SENDING: "an attempt is in flight: committed with fence and lease before the POST",
    State.OVERTAKEN: "in flight, and a newer revision waits for it to land: whatever is answered is history",
    State.WAITING: "an attempt decided nothing; the same bytes go again when its wait is over",
    State.ACCEPTED: "the gateway's receipt is here. An end",
    State.REFUSED: "the gateway found the dossier wrong: the facility corrects it by a new revision. An end",
    State.HELD: "the dossier is not to blame, or nobody knows what became of it: a person decides",
    State.SUPERSEDED: "a newer revision took its place. An end",
    State.NOT_DUE: "not to be sent: the gateway has its content, or a person gave it up. A person may take it back",
}

HAPPENINGS: Mapping[Happening, str] = {
    Happening.CLAIMED: "a dispatcher takes it: earliest deadline first, one in flight for each visit",
    Happening.ACCEPTED: "answer 200 with a receipt",
    Happening.REFUSED: "an answer that blames the dossier (PERMANENT_DATA, PERMANENT_SIZE)",
    Happening.HELD: "an answer that blames signature, account or window; or, past the horizon, none that decides",
    Happening.LATER: "an answer that decides nothing, no answer, or a lease that ended (the attempt is UNKNOWN)",
    Happening.NEWER_REVISION: "a higher revision of the visit is written into the ledger, or was there before it",
    Happening.SAME_CONTENT: "as it comes in, the revision that the gateway has now has the same payload_sha256",
    Happening.RELEASED: "`held release`, with a reason",
    Happening.ABANDONED: "`held abandon`, with a reason",
}

ANSWERS = (Happening.ACCEPTED, Happening.REFUSED, Happening.HELD, Happening.LATER)
_ENDS = (State.ACCEPTED, State.REFUSED, State.SUPERSEDED)

LATE = "late: the fence was lost. The answer is kept with its attempt, and tells no event"
ONE_IN_FLIGHT = "its attempt is in flight: there is one at a time"
ENDED = "it has ended: nothing is owed any more"
NOT_TO_BE_SENT = "it is not to be sent until a person says so"
HISTORY = "what became of it stays; the newer one goes its own way"
STILL_NOT_DUE = "it stays not due; a release is refused from now on, since it would put the older over the newer"
OVERTAKEN_ALREADY = "it is overtaken already"
ASKED_ONCE = "this is asked once, before it can be anything but READY"
NOBODY_ASKED = "it does not wait for a person"
LANDS_FIRST = "it does not wait for a person; what is in flight lands first"
GIVEN_UP_ALREADY = "it is not due already"


def _pairs(states: Iterable[State], happenings: Iterable[Happening], why: str) -> dict[tuple[State, Happening], str]:
    wanted = tuple(happenings)
    return {(state, happening): why for state in states for happening in wanted}


_PERSON = (Happening.RELEASED, Happening.ABANDONED)
NOTHING: Mapping[tuple[State, Happening], str] = {
    **_pairs((state for state in State if state not in IN_FLIGHT), ANSWERS, LATE),
    **_pairs(IN_FLIGHT, (Happening.CLAIMED,), ONE_IN_FLIGHT),
    **_pairs(_ENDS, (Happening.CLAIMED,), ENDED),
    **_pairs((State.HELD, State.NOT_DUE), (Happening.CLAIMED,), NOT_TO_BE_SENT),
    **_pairs(_ENDS, (Happening.NEWER_REVISION,), HISTORY),
    **_pairs((State.NOT_DUE,), (Happening.NEWER_REVISION,), STILL_NOT_DUE),
    **_pairs((State.OVERTAKEN,), (Happening.NEWER_REVISION,), OVERTAKEN_ALREADY),
    **_pairs((state for state in State if state is not State.READY), (Happening.SAME_CONTENT,), ASKED_ONCE),
    **_pairs(CLAIMABLE, _PERSON, NOBODY_ASKED),
    **_pairs(IN_FLIGHT, _PERSON, LANDS_FIRST),
    **_pairs(_ENDS, _PERSON, ENDED),
    **_pairs((State.NOT_DUE,), (Happening.ABANDONED,), GIVEN_UP_ALREADY),
}
"""Why a happening changes nothing; with MOVES every pair there is, and none in both (a test)."""


def effects(state: State, happening: Happening) -> str:
    """What else is done in the transaction of a move."""
    if happening is Happening.CLAIMED:
        return "attempt written, fence raised by one, lease begun"
    if state is State.OVERTAKEN:
        return "answer kept with its attempt; no event; the newer revision may be claimed"
    match happening:
        case Happening.ACCEPTED:
            return "receipt kept; `visit.accepted.v1` into the outbox"
        case Happening.REFUSED:
            return "`visit.refused.v1` into the outbox"
        case Happening.HELD:
            return "`visit.held.v1` into the outbox, numbered by how often it was held"
        case Happening.LATER:
            return "next attempt not before the wait is over; no event"
        case Happening.NEWER_REVISION:
            return "never claimed again; no event" if state is not State.SENDING else "its send may end, none begins"
        case Happening.SAME_CONTENT:
            return "reason SAME_CONTENT; no event, its clock ends as NOT_DUE"
        case Happening.RELEASED:
            return "who and why; one more horizon from now; the same bytes"
        case Happening.ABANDONED:
            return "who and why; reason ABANDONED; its clock ends as NOT_DUE"


def moves_between() -> dict[tuple[State, State], list[Happening]]:
    """From one state to another: by which happenings."""
    found: dict[tuple[State, State], list[Happening]] = {}
    for (old, happening), new in MOVES.items():
        found.setdefault((old, new), []).append(happening)
    return found
