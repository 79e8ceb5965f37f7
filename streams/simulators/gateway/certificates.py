"""Whether to believe a signing certificate: chain, validity, key usage, registration, revocation (GATEWAY §10.4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256

from streams.simulators.gateway.signature import refuse

MAX_REMEMBERED = 10_000


def load_all(pem: bytes) -> list[x509.Certificate]:
    """Raises ValueError."""
    return x509.load_pem_x509_certificates(pem)


def fingerprint(certificate: x509.Certificate) -> bytes:
    return certificate.fingerprint(SHA256())


@dataclass(frozen=True, slots=True)
class _Examined:
    """What does not change with time, worked out once for a certificate."""

    certificate: x509.Certificate
    fingerprint: bytes
    issuer: x509.Certificate | None
    may_sign: bool


class Trust:
    """Trusted authorities and revoked serial numbers. One object for one reading of the register."""

    def __init__(self, authorities: Sequence[x509.Certificate], revoked: frozenset[int]) -> None:
        self._authorities = tuple(authorities)
        self._revoked = revoked
        self._examined: dict[bytes, _Examined] = {}

    def check(self, der: bytes, at: datetime, registered: Callable[[bytes], bool]) -> int:
        """Steps 4 to 6, in that order; answers the serial number.

        `registered` tells whether a fingerprint is registered for the facility in the envelope. Raises Refusal 125.
        """
        known = self._examine(der)
        certificate = known.certificate
        if known.issuer is None:
            raise refuse("chứng thư số không do tổ chức được tin cậy cấp")
        if not all(_valid(each, at) for each in (certificate, known.issuer)):
            raise refuse("chứng thư số hết hạn hoặc chưa có hiệu lực")
        if not known.may_sign:
            raise refuse("chứng thư số không được dùng để ký")
        if not registered(known.fingerprint):
            raise refuse("chứng thư số chưa đăng ký cho cơ sở KCB")
        if certificate.serial_number in self._revoked:
            raise refuse("chứng thư số đã bị thu hồi")
        return certificate.serial_number

    def _examine(self, der: bytes) -> _Examined:
        known = self._examined.get(der)
        if known is None:
            certificate = x509.load_der_x509_certificate(der)  # `signature.verify` has read it: cannot fail
            known = _Examined(
                certificate,
                fingerprint(certificate),
                next((authority for authority in self._authorities if _issued(certificate, authority)), None),
                _may_sign(certificate),
            )
            if len(self._examined) < MAX_REMEMBERED:  # strangers may send as many certificates as they like
                self._examined[der] = known
        return known


def _valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return _is_authority(authority)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _may_sign(certificate: x509.Certificate) -> bool:
    """Digital signature allowed, and no authority itself; without the extension nothing is restricted (RFC 5280)."""
    if _is_authority(certificate):
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return True
