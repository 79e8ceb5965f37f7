"""What the gateway simulator says to a sending as a whole: parameters, sender, signature, number of dossiers."""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.simulators.gateway.answers import Code, Refusal
from streams.simulators.gateway.judge import CHECK_IN, DOSSIER, Service, Verdict, judge, read
from streams.simulators.gateway.registry import Registry, load
from streams.simulators.gateway.rules import Rules
from tests.support import gateway_simulator as kit

F = "01999"
OTHER = "79888"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority() -> kit.Authority:
    return kit.Authority()


@pytest.fixture(scope="module")
def identity(authority: kit.Authority) -> kit.Identity:
    return authority.issue(F)


@pytest.fixture(scope="module")
def registry(authority: kit.Authority, identity: kit.Identity, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder: Path = tmp_path_factory.mktemp("accounts")
    registered = kit.Registered(folder, authority)
    registered.add(F, identity)
    registered.add(OTHER)
    return load(folder)


class Judge:
    """Sends bytes to the pure judgment."""

    def __init__(self, registry: Registry, rules: Rules) -> None:
        self.registry, self.rules = registry, rules

    def __call__(self, data: bytes, service: Service = DOSSIER, account: str = F, **changed: str) -> Verdict:
        given = {
            "username": f"{account}_BV",
            "loaiHoSo": service.kind,
            "maTinh": account[:2],
            "maCSKCB": account,
            "fileHSBase64": base64.b64encode(data).decode(),
            **changed,
        }
        submission = read(service, given, self.rules, NOW)
        who = self.registry.accounts[f"{account}_BV"]
        return judge(submission, who, self.registry, self.rules, NOW, replaces=lambda *_: False)

    def code(self, data: bytes, service: Service = DOSSIER, account: str = F, **changed: str) -> Code:
        with pytest.raises(Refusal) as refused:
            self(data, service, account, **changed)
        return refused.value.code


@pytest.fixture
def strict(registry: Registry) -> Judge:
    return Judge(registry, Rules())


@pytest.fixture
def lenient(registry: Registry) -> Judge:
    return Judge(registry, Rules(allow_unsigned=True))


def test_a_good_dossier_is_accepted_with_the_hash_of_its_bytes(strict: Judge, identity: kit.Identity) -> None:
    data = kit.sign(kit.envelope(F, kit.tables(F, "V-1")), identity)
    verdict = strict(data)
    assert verdict.facility == F
    assert [visit.visit for visit in verdict.visits] == ["V-1"]
    assert verdict.sha256 == hashlib.sha256(data).hexdigest()
    assert verdict.certificate_serial == identity.certificate.serial_number


def test_the_payload_hash_is_that_of_the_content_whoever_signed_it(
    strict: Judge, registry: Registry, authority: kit.Authority, identity: kit.Identity
) -> None:
    document = kit.envelope(F, kit.tables(F, "V-1"))
    unsigned = Judge(registry, Rules(allow_unsigned=True))(document)
    signed = strict(kit.sign(document, identity))
    assert unsigned.payload_sha256 == signed.payload_sha256
    assert unsigned.sha256 != signed.sha256


def test_an_unsigned_dossier_is_refused_unless_the_rules_allow_it(strict: Judge, lenient: Judge) -> None:
    document = kit.envelope(F, kit.tables(F, "V-1"))
    assert strict.code(document) == Code.SIGNATURE
    assert lenient(document).certificate_serial is None


def test_lenient_does_not_mean_that_a_wrong_signature_passes(lenient: Judge, identity: kit.Identity) -> None:
    data = kit.sign(kit.envelope(F, kit.tables(F, "V-1")), identity)
    assert lenient.code(data.replace(b"20261102</NGAYLAP>", b"20261103</NGAYLAP>")) == Code.SIGNATURE


def test_the_profile_with_two_references_is_wrong_for_a_dossier(
    strict: Judge, registry: Registry, identity: kit.Identity
) -> None:
    data = kit.sign_two_references(kit.envelope(F, kit.tables(F, "V-1")), identity)
    assert strict.code(data) == Code.SIGNATURE
    assert Judge(registry, Rules(allow_two_references=True))(data).facility == F


def test_two_references_must_cover_the_tables(registry: Registry, identity: kit.Identity) -> None:
    data = kit.sign_two_references(kit.envelope(F, kit.tables(F, "V-1")), identity, "THONGTINDONVI")
    assert Judge(registry, Rules(allow_two_references=True)).code(data) == Code.SIGNATURE


def test_the_profile_names_the_subject(strict: Judge, identity: kit.Identity) -> None:
    data = kit.sign(kit.envelope(F, kit.tables(F, "V-1")), identity, subject_name=False)
    assert strict.code(data) == Code.SIGNATURE


def test_the_sender_must_be_the_same_in_account_form_and_envelope(strict: Judge, identity: kit.Identity) -> None:
    data = kit.sign(kit.envelope(F, kit.tables(F, "V-1")), identity)
    assert strict.code(data, account=OTHER) == Code.FACILITY
    assert strict.code(data, maCSKCB=OTHER, maTinh="79") == Code.FACILITY
    assert strict.code(data, username="79888_BV") == Code.AUTHENTICATION


def test_a_certificate_registered_for_another_facility_does_not_sign_for_this_one(
    strict: Judge, identity: kit.Identity
) -> None:
    data = kit.sign(kit.envelope(OTHER, kit.tables(OTHER, "V-1")), identity)
    assert strict.code(data, account=OTHER) == Code.SIGNATURE


@pytest.mark.parametrize(
    "changed",
    [
        {"loaiHoSo": "3"},
        {"maTinh": "79"},
        {"maTinh": ""},
        {"maCSKCB": "0199"},
        {"fileHSBase64": "PD94bWwg PD94"},
        {"fileHSBase64": "PD94bWwg\r\nPD94"},
        {"fileHSBase64": "PD9"},
        {"fileHSBase64": "Số"},
    ],
)
def test_a_wrong_parameter_is_205(strict: Judge, changed: dict[str, str]) -> None:
    assert strict.code(b"<GIAMDINHHS/>", **changed) == Code.PARAMETER  # type: ignore[arg-type]


def test_more_than_one_dossier_is_205_unless_batches_are_allowed(registry: Registry, strict: Judge) -> None:
    data = kit.envelope(F, kit.tables(F, "V-1"), kit.tables(F, "V-2"))
    assert Judge(registry, Rules(allow_unsigned=True)).code(data) == Code.PARAMETER
    batches = Judge(registry, Rules(allow_unsigned=True, allow_batch=True))
    assert [visit.visit for visit in batches(data).visits] == ["V-1", "V-2"]


def test_a_check_in_is_judged_by_its_own_form(lenient: Judge) -> None:
    assert [visit.visit for visit in lenient(kit.check_in(F, "V-1"), CHECK_IN).visits] == ["V-1"]
    assert lenient.code(kit.check_in(F, "V-1", NGAY_YL=""), CHECK_IN) == Code.CONTENT
    assert lenient.code(kit.check_in(OTHER, "V-1"), CHECK_IN) == Code.FACILITY
    assert lenient.code(kit.envelope(F, kit.tables(F, "V-1")), CHECK_IN) == Code.FORMAT
    assert lenient.code(kit.check_in(F, "V-1"), DOSSIER) == Code.FORMAT
