"""Mistakes in sending to the gateway."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from streams.adapters import attempts
from streams.adapters.facilities import FacilityRegister
from streams.adapters.signer import SoftwareKeySigner
from streams.config import load
from streams.domain.submission import Result, Submission
from streams.runtime import dispatcher
from streams.stages import forward as forwarding
from streams.stages.forward import Gateway


def fence_ignored() -> None:
    """Neither the attempt's number nor the submission's state is looked at when a result is written."""
    where = "submission.id = result.submission"
    fence = f"{where} and submission.attempts = result.number and submission.state = move.old"
    moves = "as move (happening, old, new) using (happening)"
    assert fence in attempts._FINISH
    assert moves in attempts._FINISH
    attempts._FINISH = attempts._FINISH.replace(fence, f"{where} and move.old = 'SENDING'")


def signed_again() -> None:
    """What is sent again is signed anew, under another signature id: the bytes are not frozen."""
    forward = forwarding.forward
    signer = SoftwareKeySigner(FacilityRegister(load().facilities_dir), lambda: datetime.now(UTC))

    async def anew(submission: Submission, gateway: Gateway) -> Result:
        if submission.attempt > 1:
            visit = submission.visit
            signed = await signer.sign(visit.facility, visit.envelope, f"sig-{uuid.uuid4()}")
            submission = replace(submission, visit=replace(visit, envelope=signed.content))
        return await forward(submission, gateway)

    dispatcher.forward = anew  # type: ignore[attr-defined]
