"""The certificates of a facility are dated data: listed with their ends, added beside each other, never mixed up."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from events.visit import VisitClosed
from streams.adapters.certificate_register import ADDED, CertificateRegister
from streams.adapters.facilities import SIGNING_CERTIFICATE, SIGNING_KEY, Facility, FacilityKind, FacilityRegister
from streams.adapters.judge import RegisteredJudge
from streams.adapters.signer import SoftwareKeySigner
from streams.cli import main
from streams.domain.certificates import CertificateState, covered_until, in_force, serial, state_of
from streams.domain.dossier.envelope import write_envelope
from streams.simulators.pki import TestAuthority
from streams.stages.sign import SigningError
from tests.support.killed import killed_before
from tests.unit.dossier.builders import MA_LK, TODAY, summary

FACILITY, OTHER = "01999", "48999"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
NAME, TAX = "Bệnh viện Thử", "9999999999"

Made = tuple[Path, Path]


@dataclass
class Period:
    not_valid_before_utc: datetime
    not_valid_after_utc: datetime


class Desk:
    """A home with a registered facility, and an authority that issues what the operator is handed."""

    def __init__(self, home: Path, authority: TestAuthority) -> None:
        self.home, self.authority, self._made = home, authority, 0
        self.register = FacilityRegister(home / "facilities")
        self.folder = home / "facilities" / FACILITY

    def issued(self, start: datetime, end: datetime, name: str = NAME, tax: str = TAX) -> Made:
        """Certificate and key, in files."""
        self._made += 1
        key, certificate = self.authority.issue(name, tax, start, end)
        files = self.home / f"{self._made}.pem", self.home / f"{self._made}-key.pem"
        for file, content in zip(files, (certificate, key), strict=True):
            file.write_bytes(content)
        return files

    def facility(self, code: str, made: Made, key: bool = True) -> None:
        self.register.add(
            Facility(code, NAME, FacilityKind.INSURED, date(2024, 1, 1), None, f"{code}_BV"),
            password="invented",
            certificate=made[0].read_bytes(),
            key=made[1].read_bytes() if key else None,
        )

    def command(self, verb: str, *arguments: object) -> Result:
        return CliRunner().invoke(
            main, ["certificate", verb, *map(str, arguments)], env={"HEALTHBOOK_HOME": str(self.home)}
        )

    def add(self, made: Made, *more: object) -> Result:
        return self.command("add", FACILITY, "--certificate", made[0], "--key", made[1], *more)

    def rows(self, verb: str, *arguments: object) -> list[dict[str, Any]]:
        answer = self.command(verb, *arguments, "--output", "json")
        assert answer.exit_code == 0, answer.stderr
        found: list[dict[str, Any]] = json.loads(answer.stdout)
        return found


def read(made: Made) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made[0].read_bytes())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("authority"), NOW)


@pytest.fixture
def desk(tmp_path: Path, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("streams.adapters.facilities.LOOK_AGAIN", 0.0)
    found = Desk(tmp_path, authority)
    found.facility(FACILITY, found.issued(NOW - 300 * DAY, NOW + 10 * DAY))
    return found


def test_the_one_that_began_last_signs_and_an_old_one_only_when_no_other_can() -> None:
    old, new = Period(NOW - 9 * DAY, NOW + 9 * DAY), Period(NOW - DAY, NOW + DAY)
    coming, gone = Period(NOW + DAY, NOW + 30 * DAY), Period(NOW - 90 * DAY, NOW - 80 * DAY)
    everything = [gone, old, new, coming]
    assert in_force(everything, NOW) is new
    assert in_force(everything, NOW - 3 * DAY) is old
    assert in_force(everything, NOW + 2 * DAY) is coming
    assert in_force([gone, coming], NOW) is gone
    assert in_force([coming], NOW) is coming
    assert in_force([], NOW) is None
    assert [state_of(each, everything, NOW) for each in everything] == [
        CertificateState.EXPIRED,
        CertificateState.REPLACED,
        CertificateState.VALID,
        CertificateState.NOT_YET,
    ]


def test_a_certificate_that_takes_over_in_time_moves_the_end_and_one_behind_a_gap_does_not() -> None:
    first = Period(NOW - DAY, NOW + DAY)
    in_time, late = Period(NOW + DAY, NOW + 30 * DAY), Period(NOW + 2 * DAY, NOW + 30 * DAY)
    assert covered_until([in_time, first], NOW) == NOW + 30 * DAY
    assert covered_until([late, first], NOW) == NOW + DAY
    assert covered_until([first], NOW + 5 * DAY) == NOW + DAY
    assert covered_until([], NOW) is None
    assert covered_until([late, in_time], NOW) == NOW, "nothing signs before the first one begins"
    assert covered_until([late, in_time], NOW + DAY) == NOW + 30 * DAY


def test_the_list_has_the_nearest_end_on_top_and_what_is_missing_above_all(desk: Desk) -> None:
    desk.facility(OTHER, desk.issued(NOW - 9 * DAY, NOW + 3 * DAY))
    desk.facility("31999", desk.issued(NOW - 9 * DAY, NOW - DAY))
    desk.facility("79999", desk.issued(NOW - 9 * DAY, NOW + DAY))
    (desk.home / "facilities" / "79999" / SIGNING_CERTIFICATE).write_text("nothing that can be read")
    assert [(row["facility"], row["state"], row.get("days_left")) for row in desk.rows("list")] == [
        ("79999", "missing", None),
        ("31999", "expired", -2),
        (OTHER, "valid", 2),
        (FACILITY, "valid", 9),
    ]
    assert [row["facility"] for row in desk.rows("list", "--facility", OTHER)] == [OTHER]
    assert desk.command("list", "--facility", "99999").exit_code == 1


def test_an_added_certificate_signs_from_now_on_in_a_process_that_runs(desk: Desk) -> None:
    signer = SoftwareKeySigner(desk.register, lambda: NOW)
    before = sign(signer)
    made = desk.issued(NOW - DAY, NOW + 700 * DAY)
    looked = desk.add(made, "--dry-run")
    assert looked.exit_code == 0, looked.stderr
    assert "nothing was changed" in looked.stderr
    assert (sign(signer), (desk.folder / ADDED).exists()) == (before, False)

    added = desk.add(made, "--output", "json")
    assert added.exit_code == 0, added.stderr
    document = json.loads(added.stdout)
    assert (document["takes_over_from"], document["serial"]) == (before, serial(read(made)))
    assert document["days_left"] in (699, 700)
    assert sign(signer) == document["serial"]
    listed = desk.rows("list", "--all")
    assert [(row["state"], row["serial"]) for row in listed] == [("replaced", before), ("valid", document["serial"])]
    assert [row["serial"] for row in desk.rows("list")] == [document["serial"]]
    assert [row["key"] for row in desk.rows("show", FACILITY)] == ["belongs to it"] * 2
    again = desk.add(made)
    assert again.exit_code == 1
    assert "registered already" in again.stderr


def sign(signer: SoftwareKeySigner) -> str:
    envelope = write_envelope(FACILITY, TODAY, [summary()])
    return asyncio.run(signer.sign(FACILITY, envelope, "sig-1")).certificate_serial


def test_one_that_begins_later_takes_over_by_itself(desk: Desk) -> None:
    present = serial(CertificateRegister(desk.register).of(FACILITY)[0].certificate)
    made = desk.issued(NOW + 9 * DAY, NOW + 700 * DAY)
    answer = desk.add(made)
    assert answer.exit_code == 0, answer.stderr
    assert "takes over by itself" in answer.stderr
    states = [(row["state"], row["serial"]) for row in desk.rows("list")]
    assert states == [("valid", present), ("not yet", serial(read(made)))]
    moment = NOW
    signer = SoftwareKeySigner(desk.register, lambda: moment)
    assert sign(signer) == present
    moment = NOW + 9 * DAY
    assert sign(signer) == serial(read(made))


def test_the_key_may_stay_and_is_never_printed(desk: Desk) -> None:
    first = desk.folder / SIGNING_KEY
    renewed = desk.home / "renewed.pem"
    renewed.write_bytes(reissued(desk, first))
    answer = desk.command("add", FACILITY, "--certificate", renewed)
    assert answer.exit_code == 0, answer.stderr
    assert "key: as before" in answer.stdout
    (added,) = (desk.folder / ADDED).iterdir()
    assert (added / SIGNING_KEY).read_bytes() == first.read_bytes()
    secret = first.read_text().splitlines()[1]
    shown = [answer, desk.command("show", FACILITY), desk.command("list", "--all", "--output", "json")]
    assert not any(secret in each.output for each in shown)


def reissued(desk: Desk, key_file: Path, *, authority: bool = False) -> bytes:
    """A newer certificate for the same key."""
    key = load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    old = x509.load_pem_x509_certificate((desk.folder / SIGNING_CERTIFICATE).read_bytes())
    builder = x509.CertificateBuilder(old.issuer, old.subject, key.public_key(), old.serial_number + 1)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    issued = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + 300 * DAY).sign(key, SHA256())
    return issued.public_bytes(Encoding.PEM)


def test_a_facility_whose_his_signs_needs_no_key_and_what_it_signed_before_is_still_taken(desk: Desk) -> None:
    (desk.folder / SIGNING_KEY).unlink()
    old_key = desk.home / "1-key.pem"
    his = FacilityRegister(desk.home / "his")
    old = (desk.folder / SIGNING_CERTIFICATE).read_bytes()
    facility = Facility(FACILITY, NAME, FacilityKind.INSURED, date(2024, 1, 1), None, f"{FACILITY}_BV")
    his.add(facility, password="invented", key=old_key.read_bytes(), certificate=old)
    envelope = write_envelope(FACILITY, TODAY, [summary()])
    signed = asyncio.run(SoftwareKeySigner(his, lambda: NOW).sign(FACILITY, envelope, "sig-1")).content
    judge = RegisteredJudge(desk.register, 2**24)
    visit = VisitClosed(FACILITY, MA_LK, 1, NOW, (), envelope=signed)

    def faults(at: datetime) -> list[str | None]:
        return [finding.found for finding in judge.open(visit, at).findings]

    assert faults(NOW) == []
    made = desk.issued(NOW - DAY, NOW + 300 * DAY)
    answer = desk.command("add", FACILITY, "--certificate", made[0])
    assert answer.exit_code == 0, answer.stderr
    assert "its HIS signs" in answer.stdout
    assert faults(NOW) == [], "replaced, and valid still"
    assert faults(NOW + 11 * DAY) == ["SIGNATURE_FOREIGN"], "the certificate that signed it has ended"


Wrong = Callable[[Desk], tuple[bytes, bytes | None]]


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def contents(made: Made) -> tuple[bytes, bytes]:
    return made[0].read_bytes(), made[1].read_bytes()


def _of_another(desk: Desk) -> tuple[bytes, bytes]:
    one, other = desk.issued(NOW - DAY, NOW + DAY), desk.issued(NOW - DAY, NOW + DAY)
    return one[0].read_bytes(), other[1].read_bytes()


def _encrypted(desk: Desk) -> tuple[bytes, bytes]:
    certificate, key = contents(desk.issued(NOW - DAY, NOW + DAY))
    loaded = load_pem_private_key(key, None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return certificate, pem(loaded, b"secret")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda desk: (b"no PEM", None), "the certificate is not PEM"),
        (lambda desk: contents(desk.issued(NOW - 9 * DAY, NOW - DAY)), "the certificate ended at"),
        (lambda desk: (desk.authority.certificate_file.read_bytes(), None), "may not sign"),
        (lambda desk: (reissued(desk, desk.folder / SIGNING_KEY, authority=True), None), "and not of an authority"),
        (_of_another, "the key does not belong to the certificate"),
        (_encrypted, "openssl pkey -in FILE"),
        (lambda desk: (desk.issued(NOW - DAY, NOW + DAY)[0].read_bytes(), b"x"), "the key is not PEM"),
        (
            lambda desk: (
                desk.issued(NOW - DAY, NOW + DAY)[0].read_bytes(),
                pem(ec.generate_private_key(ec.SECP256R1())),
            ),
            "the key is not RSA",
        ),
        (lambda desk: (desk.issued(NOW - DAY, NOW + DAY)[0].read_bytes(), None), "give its own with --key"),
        (lambda desk: contents(desk.issued(NOW - DAY, NOW + DAY, "Khác", "8888888888")), "--holder-changed"),
        (lambda desk: contents(desk.issued(NOW - 400 * DAY, NOW + DAY)), "began later and would go on signing"),
        (
            lambda desk: (
                desk.issued(NOW - DAY, NOW + DAY)[0].read_bytes() + desk.issued(NOW - DAY, NOW + DAY)[0].read_bytes(),
                None,
            ),
            "the chain is broken",
        ),
    ],
)
def test_what_could_not_sign_is_refused_and_changes_nothing(desk: Desk, wrong: Wrong, said: str) -> None:
    certificate, key = wrong(desk)
    files = desk.home / "wrong.pem", desk.home / "wrong-key.pem"
    files[0].write_bytes(certificate)
    files[1].write_bytes(key or b"")
    more = ("--key", files[1]) if key is not None else ()
    answer = desk.command("add", FACILITY, "--certificate", files[0], *more)
    assert answer.exit_code == 1, answer.output
    assert said in answer.stderr
    assert answer.stdout == ""
    assert not (desk.folder / ADDED).exists()


def test_a_chain_in_order_another_holder_on_purpose_and_an_unknown_facility(desk: Desk) -> None:
    made = desk.issued(NOW - DAY, NOW + 300 * DAY, "Khác", "8888888888")
    made[0].write_bytes(made[0].read_bytes() + desk.authority.certificate_file.read_bytes())
    assert desk.add(made, "--holder-changed").exit_code == 0
    (added,) = (desk.folder / ADDED).iterdir()
    assert len(x509.load_pem_x509_certificates((added / SIGNING_CERTIFICATE).read_bytes())) == 1
    unknown = desk.command("add", OTHER, "--certificate", made[0], "--key", made[1])
    assert unknown.exit_code == 1
    assert f"facility add {OTHER}" in unknown.stderr
    assert desk.command("show", OTHER).exit_code == 1


def test_half_of_a_pair_is_never_seen_and_one_that_cannot_be_read_counts_as_not_there(desk: Desk) -> None:
    signer = SoftwareKeySigner(desk.register, lambda: NOW)
    present = sign(signer)
    made = desk.issued(NOW - DAY, NOW + 300 * DAY)
    draft = desk.folder / ADDED / ".abc.1"  # what a process that was killed leaves
    draft.mkdir(parents=True)
    (draft / SIGNING_CERTIFICATE).write_bytes(made[0].read_bytes())
    broken = desk.folder / ADDED / "broken"
    broken.mkdir()
    (broken / SIGNING_CERTIFICATE).write_text("nothing that can be read")
    assert sign(signer) == present
    draft.rename(desk.folder / ADDED / "abc")
    with pytest.raises(SigningError, match="KEY_MISSING"):
        sign(signer)


def test_a_key_that_a_killed_command_left_goes_with_the_next(desk: Desk) -> None:
    made = desk.issued(NOW - DAY, NOW + 300 * DAY)
    options = ["--certificate", str(made[0]), "--key", str(made[1])]
    killed_before(SIGNING_CERTIFICATE, desk.home, "certificate", "add", FACILITY, *options)
    (left,) = (desk.folder / ADDED).iterdir()
    assert (left / SIGNING_KEY).read_bytes() == made[1].read_bytes()
    assert desk.add(desk.issued(NOW - DAY, NOW + 400 * DAY)).exit_code == 0
    assert not left.exists()


def test_added_ones_that_nobody_can_read_count_as_not_there_and_are_told_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    signer, judge = SoftwareKeySigner(desk.register, lambda: NOW), RegisteredJudge(desk.register, 2**24)
    envelope = asyncio.run(signer.sign(FACILITY, write_envelope(FACILITY, TODAY, [summary()]), "sig-1")).content
    added = desk.folder / ADDED
    added.symlink_to(added)  # to root too it gives an OSError
    visit = VisitClosed(FACILITY, MA_LK, 1, NOW, (), envelope=envelope)
    assert judge.open(visit, NOW).findings == ()
    assert sign(signer)
    assert [record.message.count(str(added)) for record in caplog.records] == [1]
    (desk.folder / SIGNING_CERTIFICATE).unlink()
    with pytest.raises(SigningError, match="CERTIFICATE_MISSING"):
        sign(signer)
    added.unlink()
    assert desk.add(desk.issued(NOW - DAY, NOW + 300 * DAY)).exit_code == 0
    assert sign(signer), "mended"


def test_files_have_their_modes_whatever_the_umask_and_the_owner_of_the_register(desk: Desk) -> None:
    if os.geteuid() == 0:  # only root can give files away
        os.chown(desk.folder, 65534, 65534)
    before = os.umask(0o027)
    try:
        assert desk.add(desk.issued(NOW - DAY, NOW + 300 * DAY)).exit_code == 0
    finally:
        os.umask(before)
    (added,) = (desk.folder / ADDED).iterdir()
    assert {file.name: file.stat().st_mode & 0o777 for file in added.iterdir()} == {
        SIGNING_CERTIFICATE: 0o644,
        SIGNING_KEY: 0o600,
    }
    assert {item.stat().st_uid for item in (added.parent, added, *added.iterdir())} == {desk.folder.stat().st_uid}


def test_a_register_that_cannot_be_written_says_where(desk: Desk) -> None:
    (desk.folder / ADDED).write_text("a file where a folder belongs")
    answer = desk.add(desk.issued(NOW - DAY, NOW + 300 * DAY))
    assert answer.exit_code == 1
    assert str(desk.folder / ADDED) in answer.stderr
    assert "Traceback" not in answer.output
