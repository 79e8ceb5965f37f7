"""sign: the dossier becomes an envelope that the facility signed; its bytes are frozen from here on (GATEWAY §10)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from events.visit import VisitHeld, VisitSigned, VisitValidated
from streams.domain.dossier.envelope import write_envelope
from streams.domain.dossier.moments import VIETNAM
from streams.domain.signature import signature_id


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """The signed bytes and what was proved about them before they left; digests and serial in hexadecimal."""

    content: bytes
    sha256: str
    payload_sha256: str
    certificate_serial: str


class SigningError(Exception):
    """The facility's key or certificate cannot be used: `code` is stable, the texts are for its people."""

    def __init__(self, code: str, message_vi: str, message_en: str, mend_vi: str, mend_en: str) -> None:
        super().__init__(code)
        self.code = code
        self.message_vi, self.message_en = message_vi, message_en
        self.mend_vi, self.mend_en = mend_vi, mend_en


class Signer(Protocol):
    """Signs as a facility; verifies its own output. The same envelope gives the same bytes."""

    async def sign(self, facility: str, envelope: bytes, signature_id: str) -> SignedEnvelope:
        """Raises SigningError: a person must mend it."""
        ...

    async def signed(self, envelope: bytes) -> SignedEnvelope:
        """What the signature of an envelope says that came signed and was judged before."""
        ...


async def sign(visit: VisitValidated, signer: Signer, now: Callable[[], datetime]) -> VisitSigned | VisitHeld:
    """An envelope that came signed stays as it is. A facility that cannot sign holds up nobody else."""
    try:
        envelope = await _signed(visit, signer)
    except SigningError as error:
        return VisitHeld(
            facility=visit.facility,
            ma_lk=visit.ma_lk,
            revision=visit.revision,
            closed_at=visit.closed_at,
            held_by="sign",
            reason=error.code,
            message_vi=error.message_vi,
            message_en=error.message_en,
            mend_vi=error.mend_vi,
            mend_en=error.mend_en,
            held_at=now(),
        )
    return VisitSigned(
        facility=visit.facility,
        ma_lk=visit.ma_lk,
        revision=visit.revision,
        closed_at=visit.closed_at,
        standard=visit.standard,
        visit_type=visit.visit_type,
        insured=visit.insured,
        person_key_kind=visit.person_key_kind,
        envelope=envelope.content,
        envelope_sha256=envelope.sha256,
        payload_sha256=envelope.payload_sha256,
        certificate_serial=envelope.certificate_serial,
    )


async def _signed(visit: VisitValidated, signer: Signer) -> SignedEnvelope:
    if visit.envelope is not None and visit.signed:
        return await signer.signed(visit.envelope)
    # NGAYLAP is the day of the close, not of the signing: doing it again gives the same bytes.
    made_on = visit.closed_at.astimezone(VIETNAM).date()
    envelope = visit.envelope or write_envelope(visit.facility, made_on, visit.tables)
    return await signer.sign(visit.facility, envelope, signature_id(visit.facility, visit.ma_lk, visit.revision))
