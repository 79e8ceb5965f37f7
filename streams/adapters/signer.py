"""Signing with a key in a file: the facility's PEM key and certificate, loaded once (PEM each time costs 45 ms)."""

import hashlib
from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from streams.adapters.certificate_register import CertificateRegister
from streams.adapters.facilities import FacilityRegister
from streams.domain.certificates import belongs
from streams.domain.signature import SignatureError, Verified, read_signed, sign_envelope, verify_envelope
from streams.stages.sign import SignedEnvelope, SigningError

TEXTS = {
    "CERTIFICATE_EXPIRED": (
        "Chứng thư số của cơ sở đã hết hạn.",
        "The facility's certificate has expired.",
        "Gia hạn chứng thư, đăng ký trên Cổng giám định, cài vào hệ thống, rồi chạy `healthbook held release`.",
        "Renew the certificate, register it on the portal, install it here, then `healthbook held release`.",
    ),
    "CERTIFICATE_NOT_YET_VALID": (
        "Chứng thư số của cơ sở chưa có hiệu lực.",
        "The facility's certificate is not valid yet.",
        "Cài chứng thư đang có hiệu lực hoặc chờ đến ngày hiệu lực, rồi chạy `healthbook held release`.",
        "Install a certificate that is in force, or wait for its first day; then `healthbook held release`.",
    ),
    "CERTIFICATE_NOT_FOR_SIGNING": (
        "Chứng thư số không dùng được để ký hồ sơ (cần RSA từ 2048 bit, quyền ký số).",
        "The certificate may not sign (needed: RSA of 2048 bits or more, key usage digital signature).",
        "Cài chứng thư ký số của tổ chức đã đăng ký trên Cổng giám định, rồi chạy `healthbook held release`.",
        "Install the organisation's signing certificate that is registered on the portal, "
        "then `healthbook held release`.",
    ),
    "CERTIFICATE_MISSING": (
        "Không có chứng thư số đọc được của cơ sở.",
        "There is no readable certificate for the facility.",
        "Cài chứng thư bằng `healthbook certificate add`, rồi chạy `healthbook held release`.",
        "Install one with `healthbook certificate add`, then `healthbook held release`.",
    ),
    "KEY_MISSING": (
        "Không có khóa ký đọc được của cơ sở.",
        "There is no readable signing key for the facility.",
        "Đặt tệp signing-key.pem (PEM, RSA) bên cạnh chứng thư (`healthbook certificate show`), rồi chạy"
        " `healthbook held release`.",
        "Put signing-key.pem (PEM, RSA) beside the certificate (`healthbook certificate show` names the folder),"
        " then `healthbook held release`.",
    ),
    "KEY_MISMATCH": (
        "Khóa ký không khớp với chứng thư số của cơ sở.",
        "The signing key does not belong to the facility's certificate.",
        "Cài lại khóa và chứng thư cùng một cặp, rồi chạy `healthbook held release`.",
        "Install key and certificate of one pair, then `healthbook held release`.",
    ),
}
OTHER = (
    "Không ký được hồ sơ.",
    "The dossier cannot be signed.",
    "Kiểm tra phong bì hồ sơ và chứng thư số; chạy `healthbook held release`, hoặc đóng lại lượt khám.",
    "Check the envelope and the certificate; `healthbook held release`, or close the visit again (a new revision).",
)
"""What a person reads of every other fault of an envelope's signature."""


class SoftwareKeySigner:
    """Port `Signer` over the facility register. A renewed certificate counts within seconds."""

    def __init__(self, register: FacilityRegister, now: Callable[[], datetime]) -> None:
        self._certificates = CertificateRegister(register)
        self._now = now

    async def sign(self, facility: str, envelope: bytes, signature_id: str) -> SignedEnvelope:
        """See the port. Takes the processor for 1–2 ms; the key never leaves this object."""
        try:
            key, certificate = self._pair(facility)
            signed = sign_envelope(envelope, key, certificate, signature_id)
            return _proved(signed, verify_envelope(signed, expected=certificate, at=self._now()))
        except SignatureError as error:
            raise _trouble(str(error.code)) from None

    async def signed(self, envelope: bytes) -> SignedEnvelope:
        """See the port."""
        try:
            return _proved(envelope, read_signed(envelope))
        except SignatureError as error:
            raise _trouble(str(error.code)) from None

    def _pair(self, facility: str) -> tuple[RSAPrivateKey, x509.Certificate]:
        found = self._certificates.in_force(facility, self._now())
        if found is None:
            raise _trouble("CERTIFICATE_MISSING")
        key = self._certificates.key(found)
        if key is None:
            raise _trouble("KEY_MISSING")
        if not belongs(key, found.certificate):
            raise _trouble("KEY_MISMATCH")
        return key, found.certificate


def _proved(content: bytes, verified: Verified) -> SignedEnvelope:
    return SignedEnvelope(
        content, hashlib.sha256(content).hexdigest(), verified.payload_sha256, verified.certificate_serial
    )


def _trouble(code: str) -> SigningError:
    return SigningError(code, *TEXTS.get(code, OTHER))
