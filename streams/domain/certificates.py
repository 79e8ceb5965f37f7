"""Whether a certificate may sign a dossier at a given moment (GATEWAY §10.3: RSA-2048, digital signature)."""

from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MIN_RSA_BITS = 2048


class CertificateFault(StrEnum):
    """Why a certificate may not sign."""

    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
    CERTIFICATE_NOT_FOR_SIGNING = "CERTIFICATE_NOT_FOR_SIGNING"


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


def serial(certificate: x509.Certificate) -> str:
    """Serial number as people compare it: lower-case hexadecimal."""
    return format(certificate.serial_number, "x")


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return True  # without the extension nothing is restricted (RFC 5280 §4.2.1.3)
