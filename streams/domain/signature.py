"""The facility's signature on an envelope: profile P1 of GATEWAY §10.2, made and verified, no more and no less.

One enveloped `ds:Signature` (XMLDSig, RFC 3275) as child of `CHUKYDONVI`: RSA-SHA256 over inclusive C14N 1.0 without
comments, one reference to the whole document. What is expected stands in one frozen `Profile`; a signature that
differs in anything is refused, however valid it may be (the gateway answers 125 to another profile).
"""

import copy
import hashlib
import logging
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import InvalidSignature, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from events.xml import XmlError, parse
from streams.domain.certificates import CertificateFault, serial, unusable

# signxml logs the canonical text, which is the dossier, at DEBUG: never, whatever level the process runs at.
logging.getLogger("signxml").setLevel(logging.WARNING)

DS = "http://www.w3.org/2000/09/xmldsig#"
_SIGNATURE = f"{{{DS}}}Signature"
_PLACEHOLDER = f'<ds:Signature xmlns:ds="{DS}" Id="placeholder"/>'.encode()  # signxml: "put it here"
_OLD_SIGNATURE = re.compile(rb"<(?:[\w.-]+:)?Signature\b.*</(?:[\w.-]+:)?Signature\s*>", re.DOTALL)
_EMPTY_PLACE = re.compile(rb"(<CHUKYDONVI\b[^<>]*?)\s*/>")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_IDS = uuid5(NAMESPACE_URL, "urn:healthbook:signature")


class SignatureFault(StrEnum):
    """Why an envelope cannot be signed or its signature is not believed; `CertificateFault` has the others."""

    ENVELOPE_UNREADABLE = "ENVELOPE_UNREADABLE"
    """Not XML that we read, not GIAMDINHHS with CHUKYDONVI as its last child, or with processing instructions."""
    SIGNATURE_MISSING = "SIGNATURE_MISSING"
    SIGNATURE_SEVERAL = "SIGNATURE_SEVERAL"
    SIGNATURE_MISPLACED = "SIGNATURE_MISPLACED"
    """Not a child of CHUKYDONVI."""
    SIGNATURE_PROFILE = "SIGNATURE_PROFILE"
    """Other algorithms, transforms, references or key information than P1: SHA-1 among them."""
    SIGNATURE_MISMATCH = "SIGNATURE_MISMATCH"
    """The document was changed after signing, or another key made the signature."""
    SIGNATURE_FOREIGN = "SIGNATURE_FOREIGN"
    """The certificate in the signature is not the one registered for the facility."""


class SignatureError(ValueError):
    """`code` is stable and is the whole text: nothing of the dossier is quoted."""

    def __init__(self, code: SignatureFault | CertificateFault) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass(frozen=True, slots=True)
class Profile:
    """What a signature must look like; `x509_data` names the children of ds:X509Data in order."""

    root: str
    place: str
    canonicalization: CanonicalizationMethod
    signature: SignatureMethod
    digest: DigestAlgorithm
    transforms: tuple[str, ...]
    x509_data: tuple[str, ...]

    def signed_info(self) -> list[tuple[str, str | None]]:
        """Every element of ds:SignedInfo in document order, with its algorithm or URI."""
        return [
            ("SignedInfo", None),
            ("CanonicalizationMethod", self.canonicalization.value),
            ("SignatureMethod", self.signature.value),
            ("Reference", ""),
            ("Transforms", None),
            *(("Transform", algorithm) for algorithm in self.transforms),
            ("DigestMethod", self.digest.value),
            ("DigestValue", None),
        ]

    def expectations(self, at: datetime) -> SignatureConfiguration:
        """The same in signxml's words. Where no transform names a canonical form it is C14N 1.0 (XMLDSig §4.4.3.2)."""
        return SignatureConfiguration(
            location=f"./{self.place}/",
            expect_references=1,
            signature_methods=frozenset({self.signature}),
            digest_algorithms=frozenset({self.digest}),
            default_reference_c14n_method=self.canonicalization,
            verification_time=at,
        )


P1 = Profile(
    root="GIAMDINHHS",
    place="CHUKYDONVI",
    canonicalization=CanonicalizationMethod.CANONICAL_XML_1_0,
    signature=SignatureMethod.RSA_SHA256,
    digest=DigestAlgorithm.SHA256,
    transforms=(SignatureConstructionMethod.enveloped.value,),
    x509_data=("X509SubjectName", "X509Certificate"),
)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verified signature proves: by which certificate (serial in hexadecimal), over which payload.

    `payload_sha256` is of the canonical document without the signature: the same for the same content signed again.
    """

    certificate_serial: str
    not_before: datetime
    not_after: datetime
    payload_sha256: str


def signature_id(facility: str, ma_lk: str, revision: int) -> str:
    """Id of the signature of one revision (an NCName): always the same, so that signing again gives the same bytes."""
    return f"sig-{uuid5(_IDS, f'{facility}|{ma_lk}|{revision}')}"


def sign_envelope(envelope: bytes, key: RSAPrivateKey, certificate: x509.Certificate, signature_id: str) -> bytes:
    """The envelope with a P1 signature in its CHUKYDONVI; a signature that is there is removed first.

    Everything outside CHUKYDONVI keeps its bytes (a byte order mark goes), and the same input gives the same bytes:
    RSASSA-PKCS1-v1_5 (RFC 8017 §8.2) is deterministic. Raises SignatureError(ENVELOPE_UNREADABLE).
    To verify the result before it leaves is the caller's duty.
    """
    head, tail = _around_signature(envelope.removeprefix(_BYTE_ORDER_MARK))
    root = _read(head + _PLACEHOLDER + tail, P1)
    if _signature_fault(root):  # of the placeholder: it fell into a comment, or a signature stands elsewhere
        raise SignatureError(SignatureFault.ENVELOPE_UNREADABLE)
    signer = _Signer(signature_algorithm=P1.signature, digest_algorithm=P1.digest, c14n_algorithm=P1.canonicalization)
    signed = signer.sign(root, key=key, key_info=_key_info(certificate), exclude_c14n_transform_element=True)
    signature = next(signed.iter(_SIGNATURE))
    signature.set("Id", signature_id)
    # Written in exclusive form so that it repeats no namespace of the envelope; SignedInfo itself is inclusive.
    return head + etree.tostring(signature, method="c14n", exclusive=True) + tail


def verify_envelope(signed: bytes, *, expected: x509.Certificate, at: datetime, profile: Profile = P1) -> Verified:
    """Proves that the holder of `expected` signed this envelope by this profile, and might do so `at` that moment.

    `expected` is the certificate registered for the facility: who signed is never taken from the document.
    Raises SignatureError.
    """
    fault = unusable(expected, at)
    if fault:
        raise SignatureError(fault)
    root = _read(signed, profile)
    if _embedded_certificate(root, profile) != expected:
        raise SignatureError(SignatureFault.SIGNATURE_FOREIGN)
    # There is one signature and its reference is the whole document, so what is looked at here is what is verified.
    signature = next(root.iter(_SIGNATURE))
    if _signed_info(signature) != profile.signed_info():
        raise SignatureError(SignatureFault.SIGNATURE_PROFILE)
    # A GUID (GATEWAY §10.2) may begin with a digit, which the schema forbids for an Id. Nothing refers to it.
    signature.attrib.pop("Id", "")
    result = _verify(root, expected, profile.expectations(at))
    return Verified(
        certificate_serial=serial(expected),
        not_before=expected.not_valid_before_utc,
        not_after=expected.not_valid_after_utc,
        payload_sha256=hashlib.sha256(result.signed_data).hexdigest(),
    )


def certificate_in(signed: bytes, profile: Profile = P1) -> x509.Certificate:
    """The certificate that an envelope carries: who claims to have signed. Raises SignatureError."""
    return _embedded_certificate(_read(signed, profile), profile)


def read_signed(signed: bytes, profile: Profile = P1) -> Verified:
    """What the signature of an envelope says that was judged before: it is whole, by the certificate it carries.

    Not a proof of who signed: that was `verify_envelope`. Raises SignatureError.
    """
    certificate = certificate_in(signed, profile)
    return verify_envelope(signed, expected=certificate, at=certificate.not_valid_before_utc, profile=profile)


class _Trees:
    """What signxml does with trees, cheaper and right.

    It copies documents by writing and parsing them, five times a visit; a copied tree gives the same result. Only whole
    documents are copied so: a part of one would lose the namespaces that its ancestors declare.
    """

    # For what `events.xml.parse` has let through already: a dossier of 20 MB has texts beyond libxml2's own limit.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)

    def get_root(self, data: etree._Element) -> etree._Element:
        return copy.deepcopy(data)

    def _tostring(self, node: etree._Element) -> etree._Element | bytes:
        return node if node.getparent() is None else etree.tostring(node, encoding="utf-8")

    def _fromstring(self, data: etree._Element | bytes) -> etree._Element:
        return etree.fromstring(data, self.parser) if isinstance(data, bytes) else copy.deepcopy(data)

    def _c14n(
        self,
        nodes: etree._Element,
        algorithm: CanonicalizationMethod,
        inclusive_ns_prefixes: list[str] | None = None,
    ) -> bytes:
        # libxml2 writes xmlns="" where none belongs when it canonicalises a *part* that is in the default namespace
        # (signxml issue 275), such as the SignedInfo of .NET and of xmlsec1; not when the part is a document.
        part = nodes if nodes.getparent() is None else self._fromstring(etree.tostring(nodes, with_tail=False))
        result: bytes = super()._c14n(part, algorithm, inclusive_ns_prefixes)  # type: ignore[misc]
        return result


class _Signer(_Trees, XMLSigner):  # type: ignore[misc]  # signxml types none of these methods
    pass


class _Verifier(_Trees, XMLVerifier):  # type: ignore[misc]
    pass


def _verify(root: etree._Element, expected: x509.Certificate, config: SignatureConfiguration) -> VerifyResult:
    try:
        result = _Verifier().verify(root, x509_cert=expected, expect_config=config)
    except InvalidSignature:
        raise SignatureError(SignatureFault.SIGNATURE_MISMATCH) from None
    except (SignXMLException, etree.LxmlError, ValueError, TypeError):
        raise SignatureError(SignatureFault.SIGNATURE_PROFILE) from None
    assert isinstance(result, VerifyResult)  # noqa: S101 - one reference was expected, so it is not a list
    return result


def _around_signature(envelope: bytes) -> tuple[bytes, bytes]:
    """The bytes before and after the place of the signature, without a signature that is there.

    Cut from the bytes, so that nothing else is written anew: CHUKYDONVI is the last child of the root (ENVELOPE §2).
    What is cut wrongly does not parse, or does not verify.
    """
    start = envelope.rfind(b"<CHUKYDONVI")
    if start < 0:
        raise SignatureError(SignatureFault.ENVELOPE_UNREADABLE)
    place = _EMPTY_PLACE.sub(rb"\1></CHUKYDONVI>", envelope[start:])
    old = _OLD_SIGNATURE.search(place)
    cut, resume = old.span() if old else (place.find(b">") + 1,) * 2
    return envelope[:start] + place[:cut], place[resume:]


def _read(data: bytes, profile: Profile) -> etree._Element:
    # The canonical form keeps processing instructions and our parser drops them: others would compute another digest.
    if data.find(b"<?", len(_BYTE_ORDER_MARK) + 1) >= 0:
        raise SignatureError(SignatureFault.ENVELOPE_UNREADABLE)
    try:
        root = parse(data)
    except XmlError:
        raise SignatureError(SignatureFault.ENVELOPE_UNREADABLE) from None
    if root.tag != profile.root or len(root) == 0 or root[-1].tag != profile.place:
        raise SignatureError(SignatureFault.ENVELOPE_UNREADABLE)
    return root


def _signature_fault(root: etree._Element) -> SignatureFault | None:
    """Unless there is one signature in the document, and in its place."""
    found = list(root.iter(_SIGNATURE))
    if not found:
        return SignatureFault.SIGNATURE_MISSING
    if len(found) > 1:
        return SignatureFault.SIGNATURE_SEVERAL
    return None if found[0].getparent() is root[-1] else SignatureFault.SIGNATURE_MISPLACED


def _embedded_certificate(root: etree._Element, profile: Profile) -> x509.Certificate:
    """The certificate that the one signature carries, in the form of the profile."""
    fault = _signature_fault(root)
    if fault:
        raise SignatureError(fault)
    data = root[-1].findall(f"{_SIGNATURE}/{{{DS}}}KeyInfo/*")
    names = [etree.QName(each).localname for item in data for each in item]
    if [item.tag for item in data] != [f"{{{DS}}}X509Data"] or names != list(profile.x509_data):
        raise SignatureError(SignatureFault.SIGNATURE_PROFILE)
    try:
        return x509.load_der_x509_certificate(b64decode(data[0].findtext(f"{{{DS}}}X509Certificate") or ""))
    except ValueError:
        raise SignatureError(SignatureFault.SIGNATURE_PROFILE) from None


def _signed_info(signature: etree._Element) -> list[tuple[str, str | None]]:
    info = signature.find(f"{{{DS}}}SignedInfo")
    found = [] if info is None else info.iter("*")
    return [(etree.QName(each).localname, each.get("Algorithm", each.get("URI"))) for each in found]


def _key_info(certificate: x509.Certificate) -> etree._Element:
    info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS})
    data = etree.SubElement(info, f"{{{DS}}}X509Data")
    etree.SubElement(data, f"{{{DS}}}X509SubjectName").text = certificate.subject.rfc4514_string()
    etree.SubElement(data, f"{{{DS}}}X509Certificate").text = b64encode(certificate.public_bytes(Encoding.DER)).decode()
    return info
