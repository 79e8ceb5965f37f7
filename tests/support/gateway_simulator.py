"""Invented facilities with real keys, and what they send: material for tests of the gateway simulator.

It signs with signxml (P1), with `xmlsec1`, or by hand (P2, and every wrong way), never with the code under test.
"""

import base64
import hashlib
import json
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

DSIG = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256_URI = "http://www.w3.org/2001/04/xmlenc#sha256"

DOSSIER = "/api/qd130/guiHoSoXmlQD3176"
OLD_DOSSIER = "/api/qd130/guiHoSoXmlQD4750"
CHECK_IN = "/api/qd130/checkInKcbQd3176"
TAKE = "/api/token/take"


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass(frozen=True)
class Identity:
    """A key and its certificate."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


class Authority:
    """A certificate authority of our own. Keys are shared between the certificates it issues: they cost time."""

    def __init__(self, name: str = "Invented CA") -> None:
        self.key = new_key()
        self.facility_key = new_key()
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(name))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3650))
            .not_valid_after(now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, SHA256())
        )

    def issue(
        self,
        facility: str,
        *,
        begin: timedelta = timedelta(days=-30),
        end: timedelta = timedelta(days=365),
        may_sign: bool = True,
        key: rsa.RSAPrivateKey | None = None,
    ) -> Identity:
        key = key or self.facility_key
        now = datetime.now(UTC)
        usage = x509.KeyUsage(
            digital_signature=may_sign,
            content_commitment=may_sign,
            key_encipherment=not may_sign,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(f"Invented facility {facility}"))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin)
            .not_valid_after(now + end)
            .add_extension(usage, critical=True)
            .sign(self.key, SHA256())
        )
        return Identity(key, certificate)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def password_hash(facility: str) -> str:
    return hashlib.md5(f"secret of {facility}".encode()).hexdigest().upper()  # noqa: S324 - the gateway's own scheme


@dataclass
class Registered:
    """The gateway's folder of accounts, written anew at every change."""

    folder: Path
    authority: Authority
    accounts: list[dict[str, Any]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    cards: list[dict[str, str]] = field(default_factory=list)

    def add(
        self, facility: str, *identities: Identity, locked: bool = False, officers: Mapping[str, str] | None = None
    ) -> None:
        names = []
        for number, identity in enumerate(identities):
            names.append(f"{facility}-{number}.pem")
            (self.folder / names[-1]).write_bytes(identity.pem)
        self.accounts.append(
            {
                "username": f"{facility}_BV",
                "passwordHash": password_hash(facility),
                "maCSKCB": facility,
                "certificates": names,
                "locked": locked,
                "officers": dict(officers or {}),
            }
        )
        self.write()

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "ca.pem").write_bytes(self.authority.certificate.public_bytes(Encoding.PEM))
        document = {
            "trusted": ["ca.pem"],
            "accounts": self.accounts,
            "cards": self.cards,
            "revoked": self.revoked,
        }
        (self.folder / "accounts.json").write_text(json.dumps(document))


# ---- dossiers -------------------------------------------------------------------------------------------------------


def head(facility: str, visit: str, **changed: str) -> bytes:
    """XML1 of an invented person."""
    values = {
        "MA_LK": visit,
        "STT": "1",
        "MA_BN": "BN000001",
        "HO_TEN": "Nguyễn Văn Thử",
        "NGAY_SINH": "199001010000",
        "GIOI_TINH": "1",
        "MA_DOITUONG_KCB": "1.1",
        "NGAY_VAO": "202611020800",
        "NGAY_RA": "202611020930",
        "NAM_QT": "2026",
        "THANG_QT": "11",
        "MA_LOAI_KCB": "01",
        "MA_CSKCB": facility,
        **changed,
    }
    return _row("TONG_HOP", values)


def services(visit: str, lines: int = 1, note: str = "Khám thử nghiệm") -> bytes:
    """XML3 with so many lines."""
    rows = b"".join(
        _row("CHI_TIET_DVKT", {"MA_LK": visit, "STT": str(number), "TEN_DICH_VU": note})
        for number in range(1, lines + 1)
    )
    return (
        b"<CHITIEU_CHITIET_DVKT_VTYT><DSACH_CHI_TIET_DVKT>"
        + rows
        + b"</DSACH_CHI_TIET_DVKT></CHITIEU_CHITIET_DVKT_VTYT>"
    )


def _row(name: str, values: Mapping[str, str]) -> bytes:
    row = etree.Element(name)
    for key, value in values.items():
        etree.SubElement(row, key).text = value
    return etree.tostring(row, encoding="utf-8")


Tables = Sequence[tuple[str, bytes]]


def tables(facility: str, visit: str, **changed: str) -> Tables:
    return [("XML1", head(facility, visit, **changed)), ("XML3", services(visit))]


def envelope(facility: str, *dossiers: Tables, count: int | None = None) -> bytes:
    """An unsigned envelope, laid out and with prefixes declared as exporters do it."""
    files = "".join(
        "<HOSO>"
        + "".join(
            f"<FILEHOSO>\n<LOAIHOSO>{kind}</LOAIHOSO>\n<NOIDUNGFILE>{base64.b64encode(data).decode()}</NOIDUNGFILE>\n"
            "</FILEHOSO>"
            for kind, data in dossier
        )
        + "</HOSO>"
        for dossier in dossiers
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<GIAMDINHHS xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">\n'
        f"<THONGTINDONVI><MACSKCB>{facility}</MACSKCB></THONGTINDONVI>\n"
        f"<THONGTINHOSO><NGAYLAP>20261102</NGAYLAP><SOLUONGHOSO>{count or len(dossiers)}</SOLUONGHOSO>"
        f"<DANHSACHHOSO>{files}</DANHSACHHOSO></THONGTINHOSO>\n"
        "<CHUKYDONVI/></GIAMDINHHS>"
    ).encode()


def check_in(facility: str, visit: str, **changed: str) -> bytes:
    values = {
        "MA_LK": visit,
        "STT": "1",
        "MA_BN": "BN000001",
        "HO_TEN": "Nguyễn Văn Thử",
        "NGAY_SINH": "199001010000",
        "GIOI_TINH": "1",
        "MA_DOITUONG_KCB": "1.1",
        "NGAY_VAO": "202611020800",
        "MA_LOAI_KCB": "01",
        "MA_CSKCB": facility,
        "NGAY_YL": "202611020805",
        **changed,
    }
    return (
        b"<CHI_TIEU_TRANG_THAI_KCB><DSACH_TRANG_THAI_KCB>"
        + _row("TRANG_THAI_KCB", values)
        + b"</DSACH_TRANG_THAI_KCB><CHUKYDONVI/></CHI_TIEU_TRANG_THAI_KCB>"
    )


_DEFAULT: dict[str, str] = {None: DSIG}  # type: ignore[dict-item]  # lxml's word for the default namespace

# ---- signatures -----------------------------------------------------------------------------------------------------


def sign(document: bytes, identity: Identity, *, subject_name: bool = True) -> bytes:
    """Profile P1, by signxml."""
    root = etree.fromstring(document)
    etree.SubElement(root[-1], f"{{{DSIG}}}Signature", {"Id": "placeholder"}, nsmap=_DEFAULT)
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    signer.namespaces = _DEFAULT
    signed = signer.sign(
        root,
        key=identity.key,
        cert=[identity.certificate],
        key_info=_key_info(identity, subject_name=subject_name),
        exclude_c14n_transform_element=True,
    )
    return etree.tostring(signed, encoding="utf-8", xml_declaration=True)


def _key_info(identity: Identity, *, subject_name: bool) -> etree._Element:
    info = etree.Element(f"{{{DSIG}}}KeyInfo", nsmap=_DEFAULT)
    data = etree.SubElement(info, f"{{{DSIG}}}X509Data")
    if subject_name:
        etree.SubElement(data, f"{{{DSIG}}}X509SubjectName").text = identity.certificate.subject.rfc4514_string()
    etree.SubElement(data, f"{{{DSIG}}}X509Certificate").text = base64.b64encode(identity.der).decode()
    return info


def sign_by_hand(
    document: bytes,
    identity: Identity,
    *,
    hash_: HashAlgorithm | None = None,
    signature_method: str = RSA_SHA256,
    digest_method: str = SHA256_URI,
    transforms: Sequence[str] = (f"{DSIG}enveloped-signature",),
    reference: str = "",
) -> bytes:
    """P1 with any one thing done otherwise."""
    root = etree.fromstring(document)
    digest = _digest(etree.tostring(root, method="c14n"), digest_method)
    chain = "".join(f'<Transform Algorithm="{each}"></Transform>' for each in transforms)
    info = (
        f'<SignedInfo xmlns="{DSIG}"{_prefixes(root)}>'
        f'<CanonicalizationMethod Algorithm="{C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{signature_method}"></SignatureMethod>'
        f'<Reference URI="{reference}"><Transforms>{chain}</Transforms>'
        f'<DigestMethod Algorithm="{digest_method}"></DigestMethod><DigestValue>{digest}</DigestValue></Reference>'
        "</SignedInfo>"
    )
    return _assembled(root, info, identity, hash_ or SHA256(), id_=str(uuid.uuid4()))


def sign_two_references(document: bytes, identity: Identity, payload: str = "THONGTINHOSO") -> bytes:
    """Profile P2, by hand."""
    root = etree.fromstring(document)
    element = root.find(payload)
    assert element is not None
    element.set("Id", "data-1")
    prefixes = _prefixes(root)
    properties = (
        '<SignatureProperties xmlns=""><SignatureProperty Target="#CHUKYDONVI-data-1">'
        "<SigningTime>2026-11-02T10:00:00</SigningTime></SignatureProperty></SignatureProperties>"
    )
    object_ = f'<Object xmlns="{DSIG}"{prefixes} Id="Object-CHUKYDONVI-data-1">{properties}</Object>'
    apex = etree.tostring(element, with_tail=False)  # lxml writes the prefixes of its ancestors here
    digests = [_digest(_canonical(object_.encode()), SHA256_URI), _digest(_canonical(apex), SHA256_URI)]
    info = (
        f'<SignedInfo xmlns="{DSIG}"{prefixes}>'
        f'<CanonicalizationMethod Algorithm="{C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{RSA_SHA256}"></SignatureMethod>'
        + "".join(
            f'<Reference URI="#{id_}"><DigestMethod Algorithm="{SHA256_URI}"></DigestMethod>'
            f"<DigestValue>{digest}</DigestValue></Reference>"
            for id_, digest in zip(("Object-CHUKYDONVI-data-1", "data-1"), digests, strict=True)
        )
        + "</SignedInfo>"
    )
    return _assembled(root, info, identity, SHA256(), id_="CHUKYDONVI-data-1", object_=object_)


def _prefixes(root: etree._Element) -> str:
    return "".join(
        f' xmlns:{prefix}="{uri}"' for prefix, uri in sorted(root.nsmap.items(), key=lambda item: str(item[0]))
    )


def _canonical(data: bytes) -> bytes:
    return etree.tostring(etree.fromstring(data), method="c14n")


def _digest(data: bytes, method: str) -> str:
    algorithm = hashlib.sha1 if method.endswith("#sha1") else hashlib.sha256
    return base64.b64encode(algorithm(data).digest()).decode()


def _assembled(
    root: etree._Element, info: str, identity: Identity, hash_: HashAlgorithm, *, id_: str, object_: str = ""
) -> bytes:
    value = base64.b64encode(identity.key.sign(_canonical(info.encode()), PKCS1v15(), hash_)).decode()
    key_info = etree.tostring(_key_info(identity, subject_name=True)).decode()
    signature = (
        f'<Signature xmlns="{DSIG}" Id="{id_}">{info}<SignatureValue>{value}</SignatureValue>{key_info}{object_}'
        "</Signature>"
    )
    root[-1].append(etree.fromstring(signature))
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def sign_with_xmlsec1(document: bytes, identity: Identity, folder: Path) -> bytes:
    """Profile P1, by xmlsec1: another implementation again."""
    template = (
        f'<CHUKYDONVI>\n<Signature xmlns="{DSIG}"><SignedInfo><CanonicalizationMethod Algorithm="{C14N}"/>'
        f'<SignatureMethod Algorithm="{RSA_SHA256}"/><Reference URI=""><Transforms>'
        f'<Transform Algorithm="{DSIG}enveloped-signature"/></Transforms><DigestMethod Algorithm="{SHA256_URI}"/>'
        "<DigestValue/></Reference></SignedInfo><SignatureValue/><KeyInfo><X509Data><X509SubjectName/>"
        "<X509Certificate/></X509Data></KeyInfo></Signature>\n</CHUKYDONVI>"
    )
    source, signed = folder / "template.xml", folder / "signed.xml"
    source.write_bytes(document.replace(b"<CHUKYDONVI/>", template.encode()))
    (folder / "key.pem").write_bytes(identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "certificate.pem").write_bytes(identity.pem)
    keys = f"{folder / 'key.pem'},{folder / 'certificate.pem'}"
    subprocess.run(
        ["xmlsec1", "--sign", "--privkey-pem", keys, "--output", str(signed), str(source)],
        check=True,
        capture_output=True,
    )
    return signed.read_bytes()


# ---- a client -------------------------------------------------------------------------------------------------------


CARD = "/api/egw/KQNhanLichSuKCB2024"
HISTORY = "/api/egw/Lskcb2025"
ASKED = {
    "maThe": "GD4010000000001",
    "hoTen": "Nguyễn Văn Thử",
    "ngaySinh": "01/01/1990",
    "hoTenCb": "Trần Thị Thử",
    "cccdCb": "001090000001",
}
"""A question about the card of an invented person, by an invented officer."""


@dataclass
class Facility:
    """A facility that calls a gateway over HTTP, with as little cleverness as possible. Entering it takes a session."""

    code: str
    url: str
    secret: str = field(repr=False)  # hash of its password
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    async def take(self, **changed: Any) -> dict[str, Any]:
        """A new token; keeps it when there is one."""
        form = {"username": f"{self.code}_BV", "password": self.secret, **changed}
        _, body = await self.post(TAKE, data=form)
        if key := body.get("APIKey"):
            self.headers = {
                "accessToken": key["access_token"],
                "tokenId": key["id_token"],
                "passwordHash": self.secret,
            }
        return body

    async def send(self, data: bytes, path: str = DOSSIER, **changed: str) -> dict[str, Any]:
        """A signed file, style A."""
        status, body = await self.post(path, data=self.form(data, **changed), headers=self.headers)
        assert status == 200, status
        return body

    def form(self, data: bytes, **changed: str) -> dict[str, str]:
        return {
            "username": f"{self.code}_BV",
            "loaiHoSo": "130",
            "maTinh": self.code[:2],
            "maCSKCB": self.code,
            "fileHSBase64": base64.b64encode(data).decode(),
            **changed,
        }

    async def look_up(self, path: str = CARD, *, as_form: bool = False, **changed: str) -> dict[str, Any]:
        """A question about a card, style B."""
        session = {"token": self.headers["accessToken"], "id_token": self.headers["tokenId"]}
        who = {"username": f"{self.code}_BV", "password": self.secret}
        asked = {**ASKED, **changed}
        body = {"data": asked} if as_form else {"json": asked}
        status, answer = await self.post(path, params={**session, **who}, **body)
        assert status == 200, status
        return answer

    async def post(self, path: str, **request: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON; an empty object when the body is none."""
        async with self._http.post(self.url + path, **request) as response:
            json_sent = response.content_type == "application/json"
            return response.status, await response.json() if json_sent else {}

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        await self.take()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
