"""One file that proves what was sent, when, and what was answered; anybody can verify it, years later, offline.

A document in canonical JSON (sorted keys, no spaces, ASCII): the facts, the signed envelope, and a seal (Ed25519, RFC
8032) of this installation over both. Of a file that is sealed no byte can be changed unseen: whoever changes a fact
breaks the seal, whoever changes its form is not canonical.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from streams.domain.certificates import serial
from streams.domain.gateway_result import CLASSES, ResultClass
from streams.domain.signature import SignatureError, certificate_in, verify_envelope

FORMAT = "healthbook-receipt/1"
_SECTIONS = frozenset({"format", "facts", "envelope", "seal"})


class ReceiptError(ValueError):
    """The bytes are no receipt; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a receipt must stand, and what speaks against it (None: nothing)."""

    what: str
    wrong: str | None = None


def seal(facts: Mapping[str, Any], envelope: bytes, key: Ed25519PrivateKey) -> bytes:
    """The file. `facts` is JSON: see `streams/adapters/receipts.py`."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "facts": dict(facts),
        "envelope": base64.b64encode(envelope).decode(),
    }
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    document["seal"] = {"key": public.hex(), "signature": key.sign(_canonical(document)).hex()}
    return _canonical(document)


def read(content: bytes) -> dict[str, Any]:
    """The document, its seal not yet looked at. Raises ReceiptError."""
    try:
        document = json.loads(content)
    except ValueError:
        raise ReceiptError("not a receipt: expected JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT or set(document) != _SECTIONS:
        raise ReceiptError(f"not a receipt: expected {FORMAT} with {', '.join(sorted(_SECTIONS))}")
    return document


def verify(content: bytes, key: Ed25519PublicKey | None = None, issuer: x509.Certificate | None = None) -> list[Check]:
    """Everything that can be checked offline. `key`: whose seal is believed (None: whoever's is in the file).

    `issuer`: the authority that must have issued the facility's certificate. Raises ReceiptError.
    """
    document = read(content)
    checks = [Check("not a byte was changed", _sealed(content, document, key))]
    if checks[0].wrong is not None:
        return checks  # of a file that was changed nothing else means anything
    facts, envelope = document["facts"], base64.b64decode(document["envelope"])
    return [*checks, *_proven(facts, envelope, issuer)]


def _sealed(content: bytes, document: Mapping[str, Any], key: Ed25519PublicKey | None) -> str | None:
    if _canonical(document) != content:
        return "the form was changed"
    sealed = {name: value for name, value in document.items() if name != "seal"}
    try:
        stated, signature = (bytes.fromhex(document["seal"][name]) for name in ("key", "signature"))
        if {"key": stated.hex(), "signature": signature.hex()} != document["seal"]:
            return "the form was changed"
        public = Ed25519PublicKey.from_public_bytes(stated)
        public.verify(signature, _canonical(sealed))
    except (KeyError, TypeError, ValueError, InvalidSignature):
        return "the seal does not hold"
    if key is not None and key.public_bytes(Encoding.Raw, PublicFormat.Raw) != stated:
        return "sealed by another installation"
    return None


def _proven(facts: Mapping[str, Any], envelope: bytes, issuer: x509.Certificate | None) -> Iterator[Check]:
    attempt = facts["attempts"][-1]
    sent_at = datetime.fromisoformat(attempt["sent_at"])
    sha256 = hashlib.sha256(envelope).hexdigest()
    stated = {sha256, facts["envelope_sha256"], attempt["envelope_sha256"]}
    yield Check("these bytes were sent", None if stated == {sha256} else "other bytes were sent")
    try:
        certificate = certificate_in(envelope)
        verified = verify_envelope(envelope, expected=certificate, at=sent_at)
    except SignatureError as error:
        yield Check("signed, by a certificate that was valid when it was sent", str(error.code))
        return
    yield Check("signed, by a certificate that was valid when it was sent")
    registered = facts["certificate"]["serial"] == attempt["certificate_serial"] == serial(certificate)
    yield Check("by the facility's registered certificate", None if registered else "by another one")
    payload = verified.payload_sha256 == facts["payload_sha256"]
    yield Check("the signature covers the whole dossier", None if payload else "it covers another content")
    if issuer is not None:
        yield Check("the certificate is of this authority", _issued(certificate, issuer, sent_at))
    accepted = CLASSES.get(str(attempt["code"])) is ResultClass.ACCEPTED and facts["transaction_code"]
    yield Check("the gateway accepted it", None if accepted else "it did not")
    answered = datetime.fromisoformat(attempt["answered_at"])
    yield Check("sent before it was answered", None if sent_at <= answered else "answered before it was sent")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> str | None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return "issued by another one"
    valid = issuer.not_valid_before_utc <= at <= issuer.not_valid_after_utc
    return None if valid else "the authority's certificate was not valid then"


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
