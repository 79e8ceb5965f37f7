"""XML signatures, verified independently of the library that our product signs with (GATEWAY §10.2, XML-DSig 1.0).

Understands both profiles seen in the field: P1, one enveloped reference to the whole document; P2, two references
without transforms, one to the signing time and one to the payload element.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from streams.simulators.gateway.answers import Code, Refusal
from streams.simulators.gateway.xml import canonical, text_of

DSIG = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256_DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256"
ENVELOPED = DSIG + "enveloped-signature"
HOLDER = "CHUKYDONVI"
MINIMUM_RSA_BITS = 2048

_DS = f"{{{DSIG}}}"


class Profile(StrEnum):
    """P1: enveloped, one reference. P2: two references."""

    P1 = "P1"
    P2 = "P2"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a valid signature vouches for. `covered` is the element whose content it protects."""

    profile: Profile
    certificate: bytes  # DER
    names_subject: bool
    covered: etree._Element


def refuse(reason: str) -> Refusal:
    return Refusal(Code.SIGNATURE, f"Lỗi chữ ký số: {reason}")


def find(root: etree._Element) -> etree._Element | None:
    """The signature in its place: the only child of `CHUKYDONVI`, the last child of the root. None when there is none.

    Raises Refusal 125 when one stands anywhere else: it would be verified over something that nobody reads.
    """
    signatures = list(root.iter(_DS + "Signature"))
    if not signatures:
        return None
    holder = root[-1]
    if len(signatures) > 1 or holder.tag != HOLDER or len(holder) != 1 or holder[0] is not signatures[0]:
        raise refuse("chữ ký không nằm đúng trong CHUKYDONVI")
    return signatures[0]


def payload(root: etree._Element, signature: etree._Element | None) -> bytes:
    """The canonical document without its signature: what P1 signs, and what makes two sendings the same content."""
    if signature is None:
        return etree.tostring(root, method="c14n", with_comments=False)
    holder = signature.getparent()
    assert holder is not None  # noqa: S101 - for the type checker: `find` gave it
    before, after = holder.text, signature.tail
    holder.text = (before or "") + (after or "") or None  # the blanks around the signature stay signed
    holder.remove(signature)
    try:
        return etree.tostring(root, method="c14n", with_comments=False)
    finally:
        holder.text = before
        holder.append(signature)
        signature.tail = after


def verify(root: etree._Element, signature: etree._Element, digest: bytes) -> Signed:
    """Steps 2 and 3 of GATEWAY §10.4: algorithms, reference digests, signature value.

    `digest` is the SHA-256 of `payload`. Whether the certificate may be trusted is another question
    (`certificates.py`). Raises Refusal 125.
    """
    info = _only(signature, "SignedInfo")
    _algorithm(_only(info, "CanonicalizationMethod"), C14N, "CanonicalizationMethod")
    _algorithm(_only(info, "SignatureMethod"), RSA_SHA256, "SignatureMethod")
    references = info.findall(_DS + "Reference")
    for reference in references:
        _algorithm(_only(reference, "DigestMethod"), SHA256_DIGEST, "DigestMethod")
    if len(references) == 1:
        profile, covered = Profile.P1, root
        _enveloped(references[0], digest)
    elif len(references) == 2:
        profile, covered = Profile.P2, _two_references(root, signature, references)
    else:
        raise refuse("số tham chiếu không đúng cấu hình")
    data = _only(_only(signature, "KeyInfo"), "X509Data")
    certificate = _decoded(data.find(_DS + "X509Certificate"))
    _signature_value(certificate, _decoded(_only(signature, "SignatureValue")), canonical(info))
    return Signed(profile, certificate, bool(text_of(data.find(_DS + "X509SubjectName"))), covered)


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(_DS + name)
    if len(found) != 1:
        raise refuse(f"thiếu hoặc thừa {name}")
    return found[0]


def _algorithm(element: etree._Element, expected: str, name: str) -> None:
    if element.get("Algorithm") != expected or len(element):
        raise refuse(f"thuật toán {name} không được phép")


def _decoded(element: etree._Element | None) -> bytes:
    try:
        return base64.b64decode("".join(text_of(element).split()), validate=True)
    except (binascii.Error, ValueError):
        raise refuse("base64 không hợp lệ") from None


def _matches(reference: etree._Element, digest: bytes) -> None:
    if not hmac.compare_digest(_decoded(_only(reference, "DigestValue")), digest):
        raise refuse("giá trị băm không khớp, nội dung đã bị thay đổi")


def _enveloped(reference: etree._Element, digest: bytes) -> None:
    transforms = [transform.get("Algorithm") for transform in reference.iterfind(f"{_DS}Transforms/{_DS}Transform")]
    if reference.get("URI") != "" or transforms != [ENVELOPED]:
        raise refuse("tham chiếu không đúng cấu hình (cần URI rỗng và enveloped-signature)")
    _matches(reference, digest)


def _two_references(
    root: etree._Element, signature: etree._Element, references: list[etree._Element]
) -> etree._Element:
    if any(reference.find(_DS + "Transforms") is not None for reference in references):
        raise refuse("tham chiếu không đúng cấu hình (không dùng Transform)")
    id_ = signature.get("Id", "").removeprefix(f"{HOLDER}-")
    if [reference.get("URI") for reference in references] != [f"#Object-{HOLDER}-{id_}", f"#{id_}"]:
        raise refuse("tham chiếu không đúng cấu hình")
    time = signature.find(f"{_DS}Object")
    covered = [child for child in root if child.get("Id") == id_ and child.tag != HOLDER]
    if time is None or time.get("Id") != f"Object-{HOLDER}-{id_}" or len(covered) != 1:
        raise refuse("tham chiếu không đúng cấu hình")
    if next(time.iter("{*}SigningTime"), None) is None:
        raise refuse("thiếu SigningTime")
    for reference, element in zip(references, (time, covered[0]), strict=True):
        _matches(reference, hashlib.sha256(canonical(element)).digest())
    return covered[0]


def _signature_value(certificate: bytes, value: bytes, signed: bytes) -> None:
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError:
        raise refuse("chứng thư số không đọc được") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MINIMUM_RSA_BITS:
        raise refuse("khóa không phải RSA từ 2048 bit")
    try:
        key.verify(value, signed, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        raise refuse("giá trị chữ ký không đúng") from None
