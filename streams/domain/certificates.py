"""Signing certificates: which of a facility's is in force, and whether it may sign (GATEWAY §10.3).

A facility may have several: the one that began last signs. So a renewed one takes over by itself when it begins.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

MIN_RSA_BITS = 2048


class CertificateFault(StrEnum):
    """Why a certificate may not sign."""

    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
    CERTIFICATE_NOT_FOR_SIGNING = "CERTIFICATE_NOT_FOR_SIGNING"


class CertificateState(StrEnum):
    """How a certificate stands among those of its facility. REPLACED: it is valid, and one that began later signs."""

    VALID = "valid"
    NOT_YET = "not yet"
    EXPIRED = "expired"
    REPLACED = "replaced"


class Dated(Protocol):
    """What has the two moments of a certificate, both included."""

    @property
    def not_valid_before_utc(self) -> datetime: ...
    @property
    def not_valid_after_utc(self) -> datetime: ...


D = TypeVar("D", bound=Dated)


def in_force(among: Sequence[D], at: datetime) -> D | None:
    """The one that signs: of those that are valid the one that began last. None is valid: the one that ended last, else
    the one that begins first. None: there is no certificate.
    """
    begun = [each for each in among if each.not_valid_before_utc <= at]
    valid = [each for each in begun if at <= each.not_valid_after_utc]
    if valid:
        return max(valid, key=lambda each: each.not_valid_before_utc)
    if begun:
        return max(begun, key=lambda each: each.not_valid_after_utc)
    return min(among, key=lambda each: each.not_valid_before_utc, default=None)


def covered_until(among: Sequence[Dated], at: datetime) -> datetime | None:
    """Until when the facility can sign without a gap, if nobody adds another one; when it is past, since when not.

    `at` itself while the first one has not begun.
    """
    first = in_force(among, at)
    if first is None:
        return None
    if at < first.not_valid_before_utc:
        return at
    end = first.not_valid_after_utc
    for each in sorted(among, key=lambda each: each.not_valid_before_utc):
        if each.not_valid_before_utc <= end:
            end = max(end, each.not_valid_after_utc)
    return end


def state_of(certificate: Dated, among: Sequence[Dated], at: datetime) -> CertificateState:
    """How it stands among all of its facility (itself included)."""
    if at < certificate.not_valid_before_utc:
        return CertificateState.NOT_YET
    if at > certificate.not_valid_after_utc:
        return CertificateState.EXPIRED
    return CertificateState.VALID if certificate is in_force(among, at) else CertificateState.REPLACED


def unusable(certificate: x509.Certificate, at: datetime) -> CertificateFault | None:
    """The reason, or None when it may sign at this (aware) moment."""
    if at < certificate.not_valid_before_utc:
        return CertificateFault.CERTIFICATE_NOT_YET_VALID
    if at > certificate.not_valid_after_utc:
        return CertificateFault.CERTIFICATE_EXPIRED
    public = certificate.public_key()
    if not isinstance(public, RSAPublicKey) or public.key_size < MIN_RSA_BITS or not _may_sign(certificate):
        return CertificateFault.CERTIFICATE_NOT_FOR_SIGNING
    return None


def problems(chain: Sequence[x509.Certificate], at: datetime) -> Iterator[str]:
    """Why the first certificate of a file cannot be registered; the others, if any, are those it rests on."""
    leaf, *above = chain
    if at > leaf.not_valid_after_utc:
        yield f"the certificate ended at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if unusable(leaf, leaf.not_valid_before_utc) is CertificateFault.CERTIFICATE_NOT_FOR_SIGNING:
        yield (
            f"the certificate may not sign: expected is RSA of {MIN_RSA_BITS} bits or more with the key usage digital"
            " signature, of an organisation and not of an authority"
        )
    for issued, issuer in zip(chain, above, strict=False):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            yield (
                f"the chain is broken: {subject(issuer)} did not issue {subject(issued)};"
                " expected is the facility's certificate first, then the one that issued it, and so on"
            )


def belongs(key: RSAPrivateKey, certificate: x509.Certificate) -> bool:
    """Whether key and certificate are one pair."""
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*spki) == certificate.public_key().public_bytes(*spki)


def same_holder(one: x509.Certificate, other: x509.Certificate) -> bool:
    """Whether two certificates are of one organisation: by its tax code (UID), else by the whole subject."""
    codes = [{each.value for each in item.subject.get_attributes_for_oid(NameOID.USER_ID)} for item in (one, other)]
    return codes[0] == codes[1] if all(codes) else one.subject == other.subject


def subject(certificate: x509.Certificate) -> str:
    """Whose it is."""
    return certificate.subject.rfc4514_string()


def serial(certificate: x509.Certificate) -> str:
    """Serial number as people compare it: lower-case hexadecimal."""
    return format(certificate.serial_number, "x")


def _may_sign(certificate: x509.Certificate) -> bool:
    extensions = certificate.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        pass  # no authority
    try:
        return extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return True  # without the extension nothing is restricted (RFC 5280 §4.2.1.3)
