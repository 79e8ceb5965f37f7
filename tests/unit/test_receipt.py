"""Receipts: what holds, and that no changed byte goes unseen."""

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.dossier.sample import VisitKind, new_dossier, unsigned_envelope
from streams.domain.receipt import ReceiptError, seal, verify
from streams.domain.signature import read_signed, sign_envelope
from streams.simulators.pki import TestAuthority

SENT = datetime(2026, 11, 2, 3, tzinfo=UTC)
DAY = timedelta(days=1)
KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("authority"), SENT)


def made(authority: TestAuthority, sent: datetime = SENT, **changed: Any) -> bytes:
    """A receipt of an invented visit; its certificate was valid for three days."""
    key_pem, pem = authority.issue("Bệnh viện Thử A", "9999999999", SENT - DAY, SENT + 2 * DAY)
    key, certificate = load_pem_private_key(key_pem, None), x509.load_pem_x509_certificate(pem)
    assert isinstance(key, RSAPrivateKey)
    sample = new_dossier(1, facility="01999", kind=VisitKind.EXAM, insured=True, discharged_at=SENT, size=6)
    envelope = sign_envelope(unsigned_envelope(sample), key, certificate, "sig-1")
    verified = read_signed(envelope)
    sha256 = hashlib.sha256(envelope).hexdigest()
    attempt = {
        "number": 1,
        "sent_at": sent.isoformat(),
        "answered_at": (sent + timedelta(seconds=1)).isoformat(),
        "envelope_sha256": sha256,
        "certificate_serial": verified.certificate_serial,
        "code": "200",
    }
    facts = {
        "facility": "01999",
        "ma_lk": sample.ma_lk,
        "envelope_sha256": sha256,
        "payload_sha256": verified.payload_sha256,
        "certificate": {"serial": verified.certificate_serial},
        "attempts": [attempt],
        "transaction_code": "G1",
    }
    return seal(facts | changed, envelope, KEY)


@pytest.fixture(scope="module")
def whole(authority: TestAuthority) -> bytes:
    return made(authority)


def wrong(receipt: bytes, **by: Any) -> dict[str, str]:
    return {check.what: check.wrong for check in verify(receipt, **by) if check.wrong is not None}


def test_a_receipt_holds_by_the_moment_of_sending(authority: TestAuthority) -> None:
    issuer = x509.load_pem_x509_certificate(authority.certificate_file.read_bytes())
    assert wrong(made(authority), key=KEY.public_key(), issuer=issuer) == {}
    late = "signed, by a certificate that was valid when it was sent"
    assert wrong(made(authority, SENT + 9 * DAY)) == {late: "CERTIFICATE_EXPIRED"}
    assert wrong(made(authority), key=OTHER.public_key()) == {
        "not a byte was changed": "sealed by another installation"
    }


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"envelope_sha256": "0" * 64}, "these bytes were sent"),
        ({"payload_sha256": "0" * 64}, "the signature covers the whole dossier"),
        ({"certificate": {"serial": "1"}}, "by the facility's registered certificate"),
        ({"transaction_code": None}, "the gateway accepted it"),
    ],
)
def test_facts_that_do_not_fit_the_bytes_are_named(authority: TestAuthority, changed: Any, what: str) -> None:
    assert set(wrong(made(authority, **changed))) == {what}


@given(st.data())
def test_no_changed_byte_goes_unseen(whole: bytes, data: st.DataObject) -> None:
    receipt = bytearray(whole)
    place = data.draw(st.integers(0, len(receipt) - 1) | st.integers(len(receipt) - 400, len(receipt) - 1))
    receipt[place] ^= data.draw(st.integers(1, 255))
    with suppress(ReceiptError):  # not even the form of a receipt
        assert wrong(bytes(receipt))


def test_a_seal_made_anew_by_somebody_else_is_not_believed(authority: TestAuthority) -> None:
    document = json.loads(made(authority))
    forged = seal(document["facts"] | {"transaction_code": "G2"}, b"x", OTHER)
    assert wrong(forged, key=KEY.public_key())
