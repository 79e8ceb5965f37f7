"""What waits for a person, and what that person may do about it. Pure; the states are the ledger's words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from streams.domain.submission import IN_FLIGHT, Happening, State, next_state

AT_GATEWAY = "forward"
"""The stage whose holds are in the ledger."""

BY_ITSELF = "publish"
"""The stage that tries again by itself: nobody decides about its holds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a revision of a visit stands at a stage. `holds` counts how often it was held there."""

    revision: int
    stage: str
    state: State
    reason: str | None
    since: datetime
    holds: int
    next_attempt_at: datetime | None = None
    give_up_at: datetime | None = None


class RefusedError(Exception):
    """Nothing was done; the text says what stands against it."""


def meant(visit: Sequence[Standing], revision: int | None, act: Happening) -> Standing:
    """What a person's act is about: `revision`, or the newest one that is held. Raises RefusedError."""
    if revision is None:
        held = [item.revision for item in visit if item.state is State.HELD]
        if not held:
            raise RefusedError("no revision of it is held; `healthbook visit show` tells where it stands")
        revision = max(held)
    here = [item for item in visit if item.revision == revision]
    able = [item for item in here if next_state(item.state, act)]
    newer = replaced_by(visit, revision)
    if not able:
        raise RefusedError(_not_able(revision, here, newer))
    by_person = [item for item in able if item.stage != BY_ITSELF]
    if not by_person:
        raise RefusedError(
            f"revision {revision} waits for withholding.csv of its facility, not for a decision: mend the list, and"
            " publish goes on by itself"
        )
    if act is Happening.RELEASED and newer is not None:
        raise RefusedError(f"revision {revision} is SUPERSEDED: revision {newer} took its place at the gateway")
    # A dossier that was handed over once more may be held by sign too: what is at the gateway is the further one.
    return next((item for item in by_person if item.stage == AT_GATEWAY), by_person[0])


def replaced_by(visit: Sequence[Standing], revision: int) -> int | None:
    """The newest revision that went on to the gateway behind this one: a release would put the older over it."""
    newer = [item.revision for item in visit if item.stage == AT_GATEWAY and item.revision > revision]
    return max(newer, default=None)


def waits_for(standing: Standing, visit: Sequence[Standing]) -> str | None:
    """What has to happen before this revision goes on; None when nothing is outstanding."""
    match standing.state:
        case State.HELD if standing.stage == BY_ITSELF:
            return "withholding.csv of its facility to be mended; publish goes on by itself"
        case State.HELD:
            newer = replaced_by(visit, standing.revision)
            return "a decision: held release or held abandon" if newer is None else f"nothing: superseded by {newer}"
        case State.READY if standing.stage != AT_GATEWAY:
            return f"{standing.stage} to take it up again"
        case State.READY | State.WAITING:
            ahead = [item.revision for item in visit if item.state in IN_FLIGHT]
            if ahead:
                return f"the answer to revision {max(ahead)}, which is in flight"
            return "its turn to be sent" if standing.state is State.READY else "its next attempt"
        case State.SENDING | State.OVERTAKEN:
            return "the gateway's answer"
        case _:
            return None


def _not_able(revision: int, here: Sequence[Standing], newer: int | None) -> str:
    if not here:
        return f"revision {revision} of it is not held; `healthbook visit show` tells where it stands"
    because = f": revision {newer} took its place" if here[-1].state is State.SUPERSEDED and newer else ", not held"
    return f"revision {revision} is {here[-1].state}{because}"
