"""A certificate authority for tests and samples, and the facilities of the samples: never for anything real."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from streams.adapters.certificate_register import CertificateRegister
from streams.adapters.facilities import Facility, FacilityKind, FacilityRegister

YEARS_3 = timedelta(days=3 * 365)
YEARS_10 = timedelta(days=10 * 365)


class TestAuthority:
    """Issues certificates as a public CA would (GATEWAY §10.3); its key lies in `folder`, made when it is missing."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    def __init__(self, folder: Path, now: datetime) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        key_file, self.certificate_file = folder / "ca-key.pem", folder / "ca.pem"
        if not self.certificate_file.exists():
            key = rsa.generate_private_key(65537, 2048)
            _write_secret(key_file, _key_pem(key))
            name = _name("Healthbook Test CA (invented)", "0000000000")
            self.certificate_file.write_bytes(
                _certificate(name, name, key, key, now - timedelta(days=1), now + YEARS_10, authority=True)
            )
        loaded = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise TypeError("the test CA has an RSA key")
        self._key = loaded
        self._name = x509.load_pem_x509_certificate(self.certificate_file.read_bytes()).subject

    def issue(self, name: str, tax_code: str, start: datetime, end: datetime) -> tuple[bytes, bytes]:
        """Key and certificate, both PEM, for an organisation."""
        key = rsa.generate_private_key(65537, 2048)
        return _key_pem(key), _certificate(_name(name, tax_code), self._name, key, self._key, start, end)


def prepare_facilities(
    register: FacilityRegister, simulator: Path, names: Mapping[str, str], now: datetime | None = None
) -> None:
    """Registers the facilities (code → name) here and at the gateway simulator; what is there already is kept."""
    moment = now or datetime.now(UTC)
    authority = TestAuthority(simulator, moment)
    accounts, certificates = [], CertificateRegister(register)
    for code, name in names.items():
        if register.get(code) is None:
            key, certificate = authority.issue(name, f"99{code}999", moment - timedelta(days=1), moment + YEARS_3)
            facility = Facility(code, name, FacilityKind.INSURED, date(2024, 1, 1), None, f"{code}_BV")
            register.add(facility, password=f"sample-{code}", key=key, certificate=certificate)
        certificate_file = simulator / f"{code}.pem"
        registered = (each.certificate for each in certificates.of(code))
        certificate_file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in registered))
        accounts.append(
            {
                "username": f"{code}_BV",
                "passwordHash": register.gateway_password_hash(code),
                "maCSKCB": code,
                "certificates": [certificate_file.name],
                "locked": False,
            }
        )
    document = {"trusted": [authority.certificate_file.name], "accounts": accounts, "revoked": []}
    draft = simulator / f"accounts.json.{os.getpid()}"
    draft.write_text(json.dumps(document, indent=2), encoding="utf-8")
    draft.replace(simulator / "accounts.json")


def _name(common: str, tax_code: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, f"MST:{tax_code}"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
        ]
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    issuer_key: rsa.RSAPrivateKey,
    start: datetime,
    end: datetime,
    *,
    authority: bool = False,
) -> bytes:
    usage = x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM)


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_secret(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
