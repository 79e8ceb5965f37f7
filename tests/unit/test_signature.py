"""Profile P1: what we sign another implementation believes; what differs in anything nobody believes."""

import subprocess
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from events.visit import TableFile
from streams.domain.certificates import CertificateFault
from streams.domain.dossier.envelope import write_envelope
from streams.domain.signature import (
    DS,
    SignatureError,
    SignatureFault,
    read_signed,
    sign_envelope,
    signature_id,
    verify_envelope,
)
from tests.support.gateway_simulator import (
    Authority,
    Identity,
    sign_by_hand,
    sign_two_references,
    sign_with_xmlsec1,
)
from tests.unit.dossier.builders import FACILITY, MA_LK, TODAY, summary

NOW = datetime.now(UTC)
ID = signature_id(FACILITY, MA_LK, 1)
UNSIGNED = write_envelope(FACILITY, TODAY, [summary()])
SHA1_URI, RSA_SHA1 = f"{DS}sha1", f"{DS}rsa-sha1"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.issue(FACILITY)


@pytest.fixture(scope="module")
def signed(identity: Identity) -> bytes:
    return sign_envelope(UNSIGNED, identity.key, identity.certificate, ID)


def fault(document: bytes, certificate: x509.Certificate, at: datetime = NOW) -> str | None:
    """Why the signature is not believed."""
    try:
        verify_envelope(document, expected=certificate, at=at)
    except SignatureError as error:
        return error.code
    return None


def xmlsec1_believes(document: bytes, identity: Identity, folder: Path) -> bool:
    """Verifies with the public key of the certificate, same-document references only."""
    (folder / "signed.xml").write_bytes(document)
    (folder / "certificate.pem").write_bytes(identity.pem)
    command = ["xmlsec1", "--verify", "--enabled-reference-uris", "empty", "--enabled-key-data", "x509"]
    command += ["--pubkey-cert-pem", str(folder / "certificate.pem"), str(folder / "signed.xml")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_xmlsec1_believes_what_we_sign_and_nothing_that_was_changed_after(
    signed: bytes, identity: Identity, tmp_path: Path
) -> None:
    assert xmlsec1_believes(signed, identity, tmp_path)
    assert not xmlsec1_believes(signed.replace(b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO>2<"), identity, tmp_path)


def test_we_believe_what_xmlsec1_signs_and_keep_its_payload(identity: Identity, signed: bytes, tmp_path: Path) -> None:
    theirs = sign_with_xmlsec1(UNSIGNED, identity, tmp_path)
    verified = verify_envelope(theirs, expected=identity.certificate, at=NOW)
    assert verified.certificate_serial == format(identity.certificate.serial_number, "x")
    assert read_signed(theirs) == verified


def test_the_signature_is_p1_to_the_letter(signed: bytes, identity: Identity) -> None:
    """GATEWAY §10.2."""
    root = etree.fromstring(signed)
    (signature,) = root.iter(f"{{{DS}}}Signature")
    parent = signature.getparent()
    assert parent is not None
    assert (parent.tag, signature.get("Id")) == ("CHUKYDONVI", ID)
    algorithms = [item.get("Algorithm") for item in signature.iter("*") if item.get("Algorithm")]
    assert algorithms == [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        f"{DS}enveloped-signature",
        "http://www.w3.org/2001/04/xmlenc#sha256",
    ]
    assert [item.get("URI") for item in signature.iter(f"{{{DS}}}Reference")] == [""]
    (certificate,) = signature.iter(f"{{{DS}}}X509Certificate")
    assert certificate.text == b64encode(identity.der).decode()


def test_signing_again_gives_the_same_bytes(signed: bytes, identity: Identity) -> None:
    assert sign_envelope(UNSIGNED, identity.key, identity.certificate, ID) == signed
    assert sign_envelope(signed, identity.key, identity.certificate, ID) == signed  # an old signature is replaced


def test_each_revision_has_a_signature_id_of_its_own() -> None:
    ids = {signature_id(FACILITY, ma_lk, revision) for ma_lk in ("A", "B") for revision in (1, 2)}
    assert len(ids) == 4


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.builds(TableFile, st.sampled_from(["XML1", "XML2", "XML15"]), st.binary(max_size=300)), max_size=4))
def test_every_envelope_keeps_its_bytes_and_verifies(identity: Identity, tables: list[TableFile]) -> None:
    unsigned = write_envelope(FACILITY, TODAY, tables)
    signed = sign_envelope(unsigned, identity.key, identity.certificate, ID)
    before, _, after = unsigned.partition(b"<CHUKYDONVI/>")
    assert signed.startswith(before + b"<CHUKYDONVI><ds:Signature")
    assert signed.endswith(b"</ds:Signature></CHUKYDONVI>" + after)
    assert fault(signed, identity.certificate) is None


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_one_changed_character_of_the_dossier_breaks_it(signed: bytes, identity: Identity, data: st.DataObject) -> None:
    start = signed.index(b"<NOIDUNGFILE>") + len(b"<NOIDUNGFILE>")
    at = data.draw(st.integers(start, signed.index(b"</NOIDUNGFILE>") - 1))
    other = b"A" if signed[at : at + 1] != b"A" else b"B"
    changed = signed[:at] + other + signed[at + 1 :]
    assert fault(changed, identity.certificate) == SignatureFault.SIGNATURE_MISMATCH


def _moved(document: bytes) -> bytes:
    start, end = document.index(b"<ds:Signature"), document.index(b"</ds:Signature>") + len(b"</ds:Signature>")
    without = document[:start] + document[end:]
    return without.replace(b"<THONGTINDONVI>", b"<THONGTINDONVI>" + document[start:end])


def _doubled(document: bytes) -> bytes:
    start, end = document.index(b"<ds:Signature"), document.index(b"</ds:Signature>") + len(b"</ds:Signature>")
    return document[:end] + document[start:end] + document[end:]


def test_no_signature_two_or_one_elsewhere_is_not_believed(signed: bytes, identity: Identity) -> None:
    certificate = identity.certificate
    assert fault(UNSIGNED, certificate) == SignatureFault.SIGNATURE_MISSING
    assert fault(_doubled(signed), certificate) == SignatureFault.SIGNATURE_SEVERAL
    assert fault(_moved(signed), certificate) == SignatureFault.SIGNATURE_MISPLACED


def test_a_valid_signature_of_another_profile_is_not_believed(identity: Identity) -> None:
    others = [  # the hand signs as .NET does, in the default namespace; the first one is P1
        sign_by_hand(UNSIGNED, identity),
        sign_by_hand(UNSIGNED, identity, hash_=SHA1(), signature_method=RSA_SHA1),  # noqa: S303 - the point of the test
        sign_by_hand(UNSIGNED, identity, hash_=SHA256(), digest_method=SHA1_URI),
        sign_by_hand(UNSIGNED, identity, hash_=SHA256(), transforms=(f"{DS}enveloped-signature", EXCLUSIVE)),
        sign_two_references(UNSIGNED, identity),
    ]
    found = [fault(other, identity.certificate) for other in others]
    assert found == [None, *[SignatureFault.SIGNATURE_PROFILE] * 4]


@pytest.mark.parametrize("id_", ["7d3c2a10-0000-4000-8000-000000000000", "a", ""])
def test_the_signature_may_have_any_id(signed: bytes, identity: Identity, id_: str) -> None:
    """A GUID is one (GATEWAY §10.2), though XML's own Id may not begin with a digit."""
    assert fault(signed.replace(ID.encode(), id_.encode()), identity.certificate) is None


def test_the_signer_is_the_registered_certificate_never_the_one_in_the_document(
    signed: bytes, authority: Authority
) -> None:
    assert fault(signed, authority.issue(FACILITY).certificate) == SignatureFault.SIGNATURE_FOREIGN


def test_a_certificate_counts_from_its_first_to_its_last_moment(signed: bytes, identity: Identity) -> None:
    first, last = identity.certificate.not_valid_before_utc, identity.certificate.not_valid_after_utc
    second = timedelta(seconds=1)
    found = [fault(signed, identity.certificate, at) for at in (first - second, first, last, last + second)]
    assert found == [CertificateFault.CERTIFICATE_NOT_YET_VALID, None, None, CertificateFault.CERTIFICATE_EXPIRED]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"hello",
        UNSIGNED.replace(b"<CHUKYDONVI/>", b""),
        UNSIGNED.replace(b"<GIAMDINHHS>", b"<!DOCTYPE x><GIAMDINHHS>"),
        UNSIGNED.replace(b"<CHUKYDONVI/>", b"<!--<CHUKYDONVI/>-->"),
        UNSIGNED.replace(b"<CHUKYDONVI/>", b"<CHUKYDONVI/><?other instruction?>"),
        UNSIGNED.replace(b"<MACSKCB>", f'<ds:Signature xmlns:ds="{DS}"/><MACSKCB>'.encode()),
    ],
)
def test_what_is_no_envelope_is_not_signed(broken: bytes, identity: Identity) -> None:
    with pytest.raises(SignatureError, match=r"^ENVELOPE_UNREADABLE$"):
        sign_envelope(broken, identity.key, identity.certificate, ID)


def test_an_error_quotes_nothing_of_the_dossier(signed: bytes, identity: Identity) -> None:
    with pytest.raises(SignatureError) as raised:
        verify_envelope(signed.replace(b"01999", b"48999"), expected=identity.certificate, at=NOW)
    assert str(raised.value) == SignatureFault.SIGNATURE_MISMATCH
    assert raised.value.__cause__ is None
