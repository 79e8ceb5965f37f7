"""sign with keys in files: own output proved, a facility that cannot sign is held, what came signed stays as it is."""

import asyncio
import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from events.visit import PersonKeyKind, VisitHeld, VisitSigned, VisitValidated
from streams.adapters.facilities import (
    SIGNING_CERTIFICATE,
    SIGNING_KEY,
    Facility,
    FacilityKind,
    FacilityRegister,
)
from streams.adapters.signer import SoftwareKeySigner
from streams.domain.dossier.envelope import read_envelope, write_envelope
from streams.domain.signature import DS, verify_envelope
from streams.simulators.pki import TestAuthority
from streams.stages.sign import sign
from tests.unit.dossier.builders import FACILITY, MA_LK, TODAY, summary

NOW = datetime.now(UTC).replace(microsecond=0)
CLOSED = datetime(2026, 11, 2, 18, 30, tzinfo=UTC)  # the next day in Vietnam
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("authority"), NOW)


@pytest.fixture
def register(tmp_path: Path, authority: TestAuthority) -> FacilityRegister:
    found = FacilityRegister(tmp_path)
    key, certificate = authority.issue("Bệnh viện Thử", "9999999999", NOW - DAY, NOW + DAY)
    facility = Facility(FACILITY, "Bệnh viện Thử", FacilityKind.INSURED, date(2024, 1, 1), None, "01999_BV")
    found.add(facility, password="invented", key=key, certificate=certificate)
    return found


def visit(*, envelope: bytes | None = None, signed: bool = False) -> VisitValidated:
    return VisitValidated(
        facility=FACILITY,
        ma_lk=MA_LK,
        revision=1,
        closed_at=CLOSED,
        standard="3176",
        visit_type="01",
        insured=True,
        person_key_kind=PersonKeyKind.CCCD,
        tables=() if envelope else (summary(),),
        envelope=envelope,
        signed=signed,
        warnings=(),
        warnings_omitted=0,
    )


def signed(register: FacilityRegister, validated: VisitValidated, now: datetime = NOW) -> VisitSigned | VisitHeld:
    return asyncio.run(sign(validated, SoftwareKeySigner(register, lambda: now), lambda: now))


def test_the_envelope_holds_the_dossier_and_the_facilitys_signature(register: FacilityRegister) -> None:
    done = signed(register, visit())
    assert isinstance(done, VisitSigned)
    assert done.envelope_sha256 == hashlib.sha256(done.envelope).hexdigest()
    dossier, findings = read_envelope(done.envelope)
    assert dossier is not None
    assert not findings
    assert (dossier.facility, dossier.tables, dossier.signed) == (FACILITY, (summary(),), True)
    assert dossier.made_on == date(2026, 11, 3)  # NGAYLAP: the close, in Vietnam
    certificate = etree.fromstring(done.envelope).findtext(f".//{{{DS}}}X509Certificate")
    assert certificate is not None


def test_the_same_visit_gives_the_same_bytes_after_a_restart(register: FacilityRegister) -> None:
    assert signed(register, visit()) == signed(FacilityRegister(register._path), visit(), NOW + timedelta(hours=1))


def test_an_unsigned_envelope_is_signed_and_a_signed_one_stays_as_it_is(register: FacilityRegister) -> None:
    unsigned = write_envelope(FACILITY, TODAY, [summary()]).replace(b"<SOLUONGHOSO>", b"\n  <SOLUONGHOSO>")
    first = signed(register, visit(envelope=unsigned))
    assert isinstance(first, VisitSigned)
    assert first.envelope.startswith(unsigned.partition(b"<CHUKYDONVI/>")[0])
    # Whoever signed it keeps its bytes, even after its certificate has ended here.
    again = signed(register, visit(envelope=first.envelope, signed=True), NOW + 2 * DAY)
    assert again == first


@pytest.mark.parametrize(
    ("now", "code"), [(NOW + 2 * DAY, "CERTIFICATE_EXPIRED"), (NOW - 2 * DAY, "CERTIFICATE_NOT_YET_VALID")]
)
def test_a_certificate_that_is_not_in_force_holds_the_visit(
    register: FacilityRegister, now: datetime, code: str
) -> None:
    held = signed(register, visit(), now)
    assert isinstance(held, VisitHeld)
    assert (held.held_by, held.reason, held.held_at) == ("sign", code, now)
    assert all((held.message_vi, held.message_en, held.mend_vi, held.mend_en))


def test_missing_mixed_up_and_broken_files_hold_the_visit(register: FacilityRegister, authority: TestAuthority) -> None:
    key, certificate = register.file(FACILITY, SIGNING_KEY), register.file(FACILITY, SIGNING_CERTIFICATE)
    other_key, _ = authority.issue("Khác", "8888888888", NOW - DAY, NOW + DAY)
    good_key = key.read_bytes()

    def reason() -> str:
        held = signed(FacilityRegister(register._path), visit())
        assert isinstance(held, VisitHeld)
        return held.reason

    key.write_bytes(other_key)
    assert reason() == "KEY_MISMATCH"
    key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nbroken")
    assert reason() == "KEY_MISSING"
    key.unlink()
    assert reason() == "KEY_MISSING"
    key.write_bytes(good_key)
    certificate.unlink()
    assert reason() == "CERTIFICATE_MISSING"


def test_a_renewed_certificate_counts_without_a_restart(
    register: FacilityRegister, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.adapters.facilities.LOOK_AGAIN", 0.0)
    later = NOW + 2 * DAY
    signer = SoftwareKeySigner(register, lambda: later)
    assert isinstance(asyncio.run(sign(visit(), signer, lambda: later)), VisitHeld)
    key, certificate = authority.issue("Bệnh viện Thử", "9999999999", NOW - DAY, NOW + 9 * DAY)
    register.file(FACILITY, SIGNING_KEY).write_bytes(key)
    register.file(FACILITY, SIGNING_CERTIFICATE).write_bytes(certificate)
    done = asyncio.run(sign(visit(), signer, lambda: later))
    assert isinstance(done, VisitSigned)


def test_the_test_authoritys_certificates_are_what_the_profile_asks_for(
    register: FacilityRegister, authority: TestAuthority
) -> None:
    """GATEWAY §10.3, by cryptography's own verification of the chain."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    issuer = x509.load_pem_x509_certificate(authority.certificate_file.read_bytes())
    leaf = x509.load_pem_x509_certificate(register.file(FACILITY, SIGNING_CERTIFICATE).read_bytes())
    leaf.verify_directly_issued_by(issuer)
    public = leaf.public_key()
    assert isinstance(public, RSAPublicKey)
    assert public.key_size >= 2048
    done = signed(register, visit())
    assert isinstance(done, VisitSigned)
    verify_envelope(done.envelope, expected=leaf, at=NOW)


def test_keys_and_passwords_are_readable_by_their_owner_only(register: FacilityRegister) -> None:
    for name in (SIGNING_KEY, "gateway-password-hash"):
        assert register.file(FACILITY, name).stat().st_mode & 0o077 == 0
