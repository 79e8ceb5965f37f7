"""`facility add` writes what the flow needs of a facility; secrets come from files, and go nowhere else."""

import asyncio
import hashlib
import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.adapters.facilities import PASSWORD_HASH, SIGNING_KEY, FacilityRegister
from streams.adapters.signer import SoftwareKeySigner
from streams.cli import main
from streams.domain.dossier.envelope import write_envelope
from streams.simulators.pki import TestAuthority
from tests.support.killed import killed_before
from tests.unit.dossier.builders import TODAY, summary

CODE = "01999"
NOW = datetime.now(UTC)
PASSWORD = "invented pässword "


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    key, certificate = TestAuthority(tmp_path / "authority", NOW).issue(
        "Bệnh viện Thử", "9999999999", NOW - timedelta(days=1), NOW + timedelta(days=30)
    )
    files = {"--key": key, "--certificate": certificate, "--password-file": f"{PASSWORD}\n".encode()}
    for option, content in files.items():
        (tmp_path / option.strip("-")).write_bytes(content)
    return {
        **{option: str(tmp_path / option.strip("-")) for option in files},
        "--name": "Bệnh viện Thử “A”",
        "--from": "2026-01-01",
    }


def add(home: Path, given: dict[str, str], *more: str, code: str = CODE, stdin: str | None = None) -> Result:
    options = [item for pair in given.items() for item in pair]
    return CliRunner().invoke(
        main, ["facility", "add", code, *options, *more], input=stdin, env={"HEALTHBOOK_HOME": str(home)}
    )


def test_a_facility_that_was_added_is_taken_by_processes_that_run(
    tmp_path: Path, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.adapters.facilities.LOOK_AGAIN", 0.0)
    running = FacilityRegister(tmp_path / "facilities")
    assert running.get(CODE) is None
    looked = add(tmp_path, given, "--dry-run")
    assert (looked.exit_code, "nothing was changed" in looked.stderr) == (0, True), looked.output
    assert not (tmp_path / "facilities").exists()

    done = add(tmp_path, given, "--to", "2027-12-31", "--kind", "no_contract", "--output", "json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["facility"], document["signs"], document["certificate"]["days_left"]) == (CODE, "here", 29)
    found = running.get(CODE)
    assert found is not None
    assert (found.name, found.kind, found.gateway_username) == ("Bệnh viện Thử “A”", "no_contract", f"{CODE}_BV")
    assert (found.valid_from, found.valid_to) == (date(2026, 1, 1), date(2027, 12, 31))
    envelope = write_envelope(CODE, TODAY, [summary()])
    assert asyncio.run(SoftwareKeySigner(running, lambda: NOW).sign(CODE, envelope, "sig-1")).content
    listed = CliRunner().invoke(main, ["facility", "list"], env={"HEALTHBOOK_HOME": str(tmp_path)})
    assert CODE in listed.stdout


def test_the_password_is_hashed_as_the_gateway_wants_it_and_nothing_of_it_is_printed(
    tmp_path: Path, given: dict[str, str]
) -> None:
    done = add(tmp_path, {**given, "--password-file": "-"}, stdin=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.stderr
    digest = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
    assert FacilityRegister(tmp_path / "facilities").gateway_password_hash(CODE) == digest
    assert add(tmp_path / "other", given).exit_code == 0
    assert FacilityRegister(tmp_path / "other" / "facilities").gateway_password_hash(CODE) == digest
    key = Path(given["--key"]).read_text().splitlines()[1]
    assert not any(secret in done.output for secret in (PASSWORD, digest, key))


def test_secrets_are_for_the_owner_of_the_register_only(tmp_path: Path, given: dict[str, str]) -> None:
    (tmp_path / "facilities").mkdir()
    if os.geteuid() == 0:  # only root can give files away
        os.chown(tmp_path / "facilities", 65534, 65534)
    before = os.umask(0)
    try:
        assert add(tmp_path, given).exit_code == 0
    finally:
        os.umask(before)
    folder = tmp_path / "facilities" / CODE
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert modes == {
        "facility.toml": 0o644,
        "signing-certificate.pem": 0o644,
        SIGNING_KEY: 0o600,
        PASSWORD_HASH: 0o600,
    }
    assert {item.stat().st_uid for item in (folder, *folder.iterdir())} == {folder.parent.stat().st_uid}


def test_a_facility_whose_his_signs_has_no_key(tmp_path: Path, given: dict[str, str]) -> None:
    del given["--key"]
    done = add(tmp_path, given)
    assert done.exit_code == 0, done.stderr
    assert "signs: its HIS" in done.stdout
    assert not (tmp_path / "facilities" / CODE / SIGNING_KEY).exists()


def test_one_whose_certificate_has_not_begun_is_told_from_when_it_may_sign(
    tmp_path: Path, given: dict[str, str]
) -> None:
    begins = (NOW + timedelta(days=2)).replace(microsecond=0)
    issued = TestAuthority(tmp_path / "authority", NOW).issue("Thử", "9999999999", begins, begins + timedelta(days=9))
    for option, content in zip(("--key", "--certificate"), issued, strict=True):
        Path(given[option]).write_bytes(content)
    done = add(tmp_path, given, "--output", "json")
    assert (done.exit_code, json.loads(done.stdout)["signs_from"]) == (0, begins.isoformat()), done.stderr
    assert f"begins at {begins:%Y-%m-%d %H:%M} UTC; what it sends before is held" in done.stderr


def test_what_exists_is_not_overwritten(tmp_path: Path, given: dict[str, str]) -> None:
    assert add(tmp_path, given).exit_code == 0
    file = tmp_path / "facilities" / CODE / "facility.toml"
    before = file.read_bytes()
    again = add(tmp_path, {**given, "--name": "Other"})
    assert again.exit_code == 1
    assert "certificate add 01999" in again.stderr
    assert file.read_bytes() == before


def test_one_that_was_killed_is_not_there_and_leaves_no_key_to_the_next(tmp_path: Path, given: dict[str, str]) -> None:
    options = [item for pair in given.items() for item in pair]
    killed_before("facility.toml", tmp_path, "facility", "add", CODE, *options)
    register = tmp_path / "facilities"
    assert [file.parent.parent for file in register.rglob(SIGNING_KEY)] == [register], "it came as far as the key"
    assert FacilityRegister(register).all() == []
    del given["--key"]
    again = add(tmp_path, given)
    assert again.exit_code == 0, again.stderr
    assert [each.name for each in register.iterdir()] == [CODE]
    assert not (register / CODE / SIGNING_KEY).exists(), "the new certificate has no old key beside it"


def test_a_folder_that_is_there_without_a_facility_is_left_as_it_is(tmp_path: Path, given: dict[str, str]) -> None:
    key = tmp_path / "facilities" / CODE / SIGNING_KEY
    key.parent.mkdir(parents=True)
    key.write_text("of somebody")
    refused = add(tmp_path, given)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"{key.parent} is there without facility.toml" in refused.stderr
    assert [(each, each.read_text()) for each in key.parent.iterdir()] == [(key, "of somebody")]


@pytest.mark.parametrize(
    ("changed", "code", "exit_code", "said"),
    [
        ({}, "../..", 2, "5 letters or digits"),
        ({"--to": "2025-12-31"}, CODE, 2, "--to is before --from"),
        ({"--name": " "}, CODE, 2, "--name is empty"),
        ({"--from": "1.1.2026"}, CODE, 2, "does not match"),
        ({"--gateway-username": "48999_BV"}, CODE, 1, "another facility's"),
        ({"--password-file": os.devnull}, CODE, 1, "--password-file is empty"),
        ({"--key": os.devnull}, CODE, 1, "the key is not PEM"),
        ({"--certificate": "nowhere.pem"}, CODE, 2, "No such file"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    tmp_path: Path, given: dict[str, str], changed: dict[str, str], code: str, exit_code: int, said: str
) -> None:
    answer = add(tmp_path, {**given, **changed}, code=code)
    assert answer.exit_code == exit_code, answer.output
    assert said in answer.stderr
    assert not (tmp_path / "facilities").exists()


def test_secrets_cannot_be_given_as_arguments(tmp_path: Path, given: dict[str, str]) -> None:
    assert add(tmp_path, given, "--password", "x").exit_code == 2
