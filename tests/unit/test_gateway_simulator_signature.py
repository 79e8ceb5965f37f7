"""The gateway simulator accepts a good signature of either profile, whoever made it, and no other."""

import hashlib
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from lxml import etree

from streams.simulators.gateway.answers import Code, Refusal
from streams.simulators.gateway.certificates import Trust, fingerprint
from streams.simulators.gateway.signature import ENVELOPED, Profile, Signed, find, payload, verify
from streams.simulators.gateway.xml import parse
from tests.support import gateway_simulator as kit

FACILITY = "01999"
SHA1_URI = "http://www.w3.org/2000/09/xmldsig#sha1"
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"


@pytest.fixture(scope="module")
def authority() -> kit.Authority:
    return kit.Authority()


@pytest.fixture(scope="module")
def identity(authority: kit.Authority) -> kit.Identity:
    return authority.issue(FACILITY)


@pytest.fixture(scope="module")
def document() -> bytes:
    return kit.envelope(FACILITY, kit.tables(FACILITY, "V-1"))


def verified(data: bytes) -> Signed:
    root = parse(data, "test")
    signature = find(root)
    assert signature is not None
    return verify(root, signature, hashlib.sha256(payload(root, signature)).digest())


def refusal(data: bytes) -> str:
    with pytest.raises(Refusal) as refused:
        verified(data)
    assert refused.value.code == Code.SIGNATURE
    return refused.value.text


def test_a_signature_by_signxml_is_believed(document: bytes, identity: kit.Identity) -> None:
    signed = verified(kit.sign(document, identity))
    assert (signed.profile, signed.certificate, signed.names_subject) == (Profile.P1, identity.der, True)


@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not installed")
def test_a_signature_by_xmlsec1_is_believed(document: bytes, identity: kit.Identity, tmp_path: Path) -> None:
    assert verified(kit.sign_with_xmlsec1(document, identity, tmp_path)).profile is Profile.P1


def test_the_profile_with_two_references_is_understood(document: bytes, identity: kit.Identity) -> None:
    signed = verified(kit.sign_two_references(document, identity))
    assert (signed.profile, signed.covered.tag) == (Profile.P2, "THONGTINHOSO")


def test_the_digest_with_two_references_covers_namespaces_declared_above(identity: kit.Identity) -> None:
    document = kit.check_in(FACILITY, "V-1").replace(
        b"<CHI_TIEU_TRANG_THAI_KCB>", b'<CHI_TIEU_TRANG_THAI_KCB xmlns:a="urn:a" xml:lang="vi">'
    )
    root = etree.fromstring(kit.sign_two_references(document, identity, "DSACH_TRANG_THAI_KCB"))
    # xml:lang of the root belongs to the canonical subtree too; the signer above left it out, so this must not verify
    assert "băm" in refusal(etree.tostring(root))


def test_a_flipped_byte_anywhere_in_the_signed_content_is_noticed(document: bytes, identity: kit.Identity) -> None:
    signed = kit.sign(document, identity)
    content = [match.start() for match in re.finditer(rb"(?<=>)[0-9A-Za-z+/]", signed)]
    before_the_signature = [at for at in content if at < signed.index(b"<Signature")]
    for at in before_the_signature:
        changed = signed[:at] + (b"B" if signed[at : at + 1] != b"B" else b"C") + signed[at + 1 :]
        assert "băm" in refusal(changed)


@pytest.mark.parametrize("element", [b"<SignatureValue>", b"<DigestValue>"])
def test_a_changed_signature_is_noticed(document: bytes, identity: kit.Identity, element: bytes) -> None:
    signed = kit.sign(document, identity)
    at = signed.index(element) + len(element)
    refusal(signed[:at] + (b"A" if signed[at : at + 1] != b"A" else b"B") + signed[at + 1 :])


def test_another_key_than_the_certificates_is_noticed(document: bytes, authority: kit.Authority) -> None:
    stolen = kit.Identity(kit.new_key(), authority.issue(FACILITY).certificate)
    assert "giá trị chữ ký" in refusal(kit.sign_by_hand(document, stolen))


def test_sha1_is_refused(document: bytes, identity: kit.Identity) -> None:
    assert "SignatureMethod" in refusal(
        kit.sign_by_hand(document, identity, hash_=SHA1(), signature_method=RSA_SHA1)  # noqa: S303
    )
    assert "DigestMethod" in refusal(kit.sign_by_hand(document, identity, digest_method=SHA1_URI))


def test_a_key_of_1024_bits_is_refused(document: bytes, authority: kit.Authority) -> None:
    weak = authority.issue(FACILITY, key=kit.new_key(1024))
    assert "2048" in refusal(kit.sign_by_hand(document, weak))


@pytest.mark.parametrize("transforms", [(), (ENVELOPED, kit.C14N), (kit.C14N,)])
def test_other_transforms_are_another_profile(
    document: bytes, identity: kit.Identity, transforms: tuple[str, ...]
) -> None:
    assert "cấu hình" in refusal(kit.sign_by_hand(document, identity, transforms=transforms))


def test_a_reference_to_a_part_does_not_pass_for_the_whole(document: bytes, identity: kit.Identity) -> None:
    assert "cấu hình" in refusal(kit.sign_by_hand(document, identity, reference="#THONGTINHOSO"))


def test_a_signature_outside_its_place_is_refused(document: bytes, identity: kit.Identity) -> None:
    root = etree.fromstring(kit.sign(document, identity))
    root[0].append(root[-1][0])
    assert "CHUKYDONVI" in refusal(etree.tostring(root))


def test_a_second_signature_is_refused(document: bytes, identity: kit.Identity) -> None:
    root = etree.fromstring(kit.sign(document, identity))
    root[-1].append(etree.fromstring(etree.tostring(root[-1][0])))
    assert "CHUKYDONVI" in refusal(etree.tostring(root))


def test_blanks_around_the_signature_are_part_of_what_is_signed(document: bytes, identity: kit.Identity) -> None:
    roomy = document.replace(b"<CHUKYDONVI/>", b"<CHUKYDONVI>\n  </CHUKYDONVI>")
    signed = kit.sign_by_hand(roomy, identity)
    assert verified(signed).profile is Profile.P1
    refusal(signed.replace(b"<CHUKYDONVI>\n  ", b"<CHUKYDONVI>\n"))


def test_looking_at_the_payload_leaves_the_document_as_it_was(document: bytes, identity: kit.Identity) -> None:
    root = parse(kit.sign(document, identity), "test")
    before = etree.tostring(root)
    payload(root, find(root))
    assert etree.tostring(root) == before


# ---- certificates ---------------------------------------------------------------------------------------------------


def trusted(authority: kit.Authority, *revoked: int) -> Trust:
    return Trust([authority.certificate], frozenset(revoked))


def distrust(trust: Trust, identity: kit.Identity, *, at: datetime | None = None, registered: bool = True) -> str:
    with pytest.raises(Refusal) as refused:
        trust.check(identity.der, at or datetime.now(UTC), lambda _: registered)
    assert refused.value.code == Code.SIGNATURE
    return refused.value.text


def test_a_registered_certificate_of_a_trusted_authority_is_believed(
    authority: kit.Authority, identity: kit.Identity
) -> None:
    known = {fingerprint(identity.certificate)}
    serial = trusted(authority).check(identity.der, datetime.now(UTC), known.__contains__)
    assert serial == identity.certificate.serial_number


def test_each_reason_for_distrust_has_its_own_text(authority: kit.Authority, identity: kit.Identity) -> None:
    expired = authority.issue(FACILITY, end=timedelta(days=-1))
    early = authority.issue(FACILITY, begin=timedelta(days=1))
    not_for_signing = authority.issue(FACILITY, may_sign=False)
    stranger = kit.Authority().issue(FACILITY)
    trust = trusted(authority)
    assert "tin cậy" in distrust(trust, stranger)
    assert "hết hạn" in distrust(trust, expired)
    assert "chưa có hiệu lực" in distrust(trust, early)
    assert "không được dùng để ký" in distrust(trust, not_for_signing)
    assert "chưa đăng ký" in distrust(trust, identity, registered=False)
    assert "thu hồi" in distrust(trusted(authority, identity.certificate.serial_number), identity)


def test_the_authoritys_own_certificate_signs_no_dossier(authority: kit.Authority) -> None:
    assert "không được dùng để ký" in distrust(trusted(authority), kit.Identity(authority.key, authority.certificate))


def test_validity_is_judged_at_the_time_of_reception_also_for_a_known_certificate(
    authority: kit.Authority, identity: kit.Identity
) -> None:
    trust = trusted(authority)
    trust.check(identity.der, datetime.now(UTC), lambda _: True)
    assert "hết hạn" in distrust(trust, identity, at=datetime.now(UTC) + timedelta(days=366))
