"""What the gateway simulator says to the content of a sending: form, XML, envelope, tables, size, window."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streams.simulators.gateway import form
from streams.simulators.gateway.answers import Answer, Code, Refusal, respelled
from streams.simulators.gateway.clock import VIETNAM, VirtualClock, fourteen_digits
from streams.simulators.gateway.dossier import Contents, Visit, read_check_in, read_envelope
from streams.simulators.gateway.judge import CHECK_IN, DOSSIER, Service, Verdict, judge, read
from streams.simulators.gateway.limits import check_size, check_window
from streams.simulators.gateway.registry import Registry, load
from streams.simulators.gateway.rules import Rules, SizeRule, Window, with_switches
from streams.simulators.gateway.xml import parse
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


def contents(*dossiers: kit.Tables, facility: str = F) -> Contents:
    return read_envelope(parse(kit.envelope(facility, *dossiers), "test"))


def found(*tables: tuple[str, bytes]) -> set[tuple[str, str, str]]:
    return {(finding.code, finding.table, finding.field) for finding in contents(list(tables)).findings}


# ---- the whole judgment ---------------------------------------------------------------------------------------------


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


# ---- XML ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not XML",
        b"<a>",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<!-- x --><?x y?>\n<!doctype a><a/>",
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"),
        "<a/>".encode("utf-16-le"),
        b'<?xml version="1.0" encoding="utf-8"?><a>\xff</a>',
        b"\xef\xbb\xbf<a/>",
        b"<a><?php x?></a>",
        b"<?style x?><a/>",
        b"<a>&#1;</a>",
    ],
)
def test_bytes_that_are_not_plain_xml_in_utf8_are_123(data: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse(data, "test")
    assert refused.value.code == Code.FORMAT


def test_a_doctype_that_is_only_text_is_text() -> None:
    assert parse(b"<a><![CDATA[<!DOCTYPE a>]]></a>", "test").text == "<!DOCTYPE a>"


def test_a_comment_does_not_cut_a_value_in_two() -> None:
    assert parse(b"<a>01<!-- -->999</a>", "test").text == "01999"


def test_a_refusal_never_quotes_the_document() -> None:
    with pytest.raises(Refusal) as refused:
        parse(b"<HO_TEN>Nguyen Van Thu</HO_TEM>", "XML1")
    assert "Nguyen" not in refused.value.text


# ---- envelope and tables --------------------------------------------------------------------------------------------


def test_a_good_dossier_has_no_findings() -> None:
    good = contents(kit.tables(F, "V-1"))
    assert (good.findings, good.visit, good.facility) == ([], "V-1", F)
    assert good.visits[0] == Visit("V-1", (2026, 11), datetime(2026, 11, 2, tzinfo=UTC).date())


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([("XML1", kit.head(F, "V-1")), ("XML3", kit.services("V-2"))], ("202", "XML3", "MA_LK")),
        ([("XML1", kit.head(OTHER, "V-1"))], ("202", "XML1", "MA_CSKCB")),
        ([("XML1", kit.head(F, "V" * 101))], ("202", "XML1", "MA_LK")),
        ([("XML1", kit.head(F, "V-1", HO_TEN=""))], ("202", "XML1", "HO_TEN")),
        ([("XML1", kit.head(F, "V-1", NGAY_RA="20261399"))], ("202", "XML1", "NGAY_RA")),
        ([("XML3", kit.services("V-1"))], ("123", "XML1", "")),
        ([("XML1", kit.head(F, "V-1"))] * 2, ("123", "XML1", "")),
        ([("XML3", kit.services("V-1")), ("XML1", kit.head(F, "V-1"))], ("123", "GIAMDINHHS", "LOAIHOSO")),
        ([("XML1", kit.head(F, "V-1")), ("XML12", b"<x/>")], ("123", "GIAMDINHHS", "LOAIHOSO")),
        ([("XML1", kit.head(F, "V-1")), ("XML0", kit.check_in(F, "V-1"))], ("123", "GIAMDINHHS", "LOAIHOSO")),
        ([("XML1", kit.head(F, "V-1")), ("XML3", b"<x/>")], ("123", "XML3", "")),
        ([("XML1", kit.head(F, "V-1")), ("XML3", b"<!DOCTYPE a><a/>")], ("123", "XML3", "NOIDUNGFILE")),
        ([("XML1", kit.head(F, "V-1")), ("XML3", kit.services("V-1")[:-9])], ("123", "XML3", "NOIDUNGFILE")),
    ],
)
def test_each_fault_of_content_is_found_where_it_is(
    tables: list[tuple[str, bytes]], expected: tuple[str, str, str]
) -> None:
    assert expected in found(*tables)


def test_all_findings_are_listed_and_what_cannot_be_read_comes_first() -> None:
    read_ = contents([("XML1", kit.head(F, "V-1", HO_TEN="", NGAY_RA="")), ("XML3", b"<x/>")])
    assert read_.refusal
    assert read_.refusal.code == Code.FORMAT
    assert len(read_.refusal.findings) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO>2<"),
        (b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO><"),
        (b"<NGAYLAP>20261102<", b"<NGAYLAP>20261302<"),
        (b"<CHUKYDONVI/>", b"<CHUKYDONVI/><X/>"),
        (b"<NOIDUNGFILE>", b"<NOIDUNGFILE>*"),
    ],
)
def test_a_wrong_envelope_is_123(old: bytes, new: bytes) -> None:
    refusal = read_envelope(parse(kit.envelope(F, kit.tables(F, "V-1")).replace(old, new), "test")).refusal
    assert refusal
    assert refusal.code == Code.FORMAT


def test_line_breaks_in_the_inner_base64_and_empty_tables_are_tolerated() -> None:
    data = kit.envelope(F, [*kit.tables(F, "V-1"), ("XML4", b"")])
    inner = base64.b64encode(kit.head(F, "V-1"))
    broken = b"\r\n".join(inner[at : at + 76] for at in range(0, len(inner), 76))
    assert read_envelope(parse(data.replace(inner, broken), "test")).refusal is None


def test_a_check_in_with_two_rows_is_refused() -> None:
    document = kit.check_in(F, "V-1")
    row = document[document.index(b"<TRANG") : document.index(b"</DSACH")]
    assert read_check_in(parse(document.replace(row, row * 2), "test")).refusal


# ---- size and window ------------------------------------------------------------------------------------------------


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


@pytest.mark.parametrize(
    ("rule", "at", "limit"),
    [
        (SizeRule.STRICT, "2026-11-21T02:00", 20),
        (SizeRule.BY_HOUR, "2026-11-20T08:00", 20),  # a Friday
        (SizeRule.BY_HOUR, "2026-11-20T11:00", 100),
        (SizeRule.BY_HOUR, "2026-11-20T18:59", 20),
        (SizeRule.BY_HOUR, "2026-11-21T09:00", 100),  # a Saturday
    ],
)
def test_the_size_limit_depends_on_rule_and_hour(rule: SizeRule, at: str, limit: int) -> None:
    check_size(limit * 1024 * 1024, rule, local(at))
    with pytest.raises(Refusal) as refused:
        check_size(limit * 1024 * 1024 + 1, rule, local(at))
    assert refused.value.code == Code.SIZE


NOVEMBER = Visit("V-1", (2026, 11), datetime(2026, 11, 2, tzinfo=UTC).date())
DECEMBER = Visit("V-1", (2026, 12), datetime(2026, 12, 2, tzinfo=UTC).date())
TRANSITION = Visit("V-1", (2024, 8), datetime(2024, 8, 2, tzinfo=UTC).date())


@pytest.mark.parametrize(
    ("window", "visit", "at", "replaces", "taken"),
    [
        (Window.OPEN, NOVEMBER, "2028-01-01T00:00", False, True),
        (Window.MONTH_AND_FIVE_DAYS, NOVEMBER, "2026-12-05T23:59", False, True),
        (Window.MONTH_AND_FIVE_DAYS, NOVEMBER, "2026-12-06T00:00", False, False),
        (Window.MONTH_AND_FIVE_DAYS, NOVEMBER, "2026-12-06T00:00", True, False),
        (Window.MONTH_AND_FIVE_DAYS, DECEMBER, "2027-01-05T12:00", False, True),
        (Window.MONTH_AND_FIVE_DAYS, DECEMBER, "2027-01-06T12:00", False, False),
        (Window.CLOSED, NOVEMBER, "2026-11-02T12:00", False, False),
        (Window.CLOSED, TRANSITION, "2026-11-02T12:00", True, True),
        (Window.MONTH_AND_FIVE_DAYS, TRANSITION, "2026-11-02T12:00", True, True),
        (Window.MONTH_AND_FIVE_DAYS, TRANSITION, "2026-11-02T12:00", False, False),
    ],
)
def test_the_window_is_open_in_the_month_and_five_days(
    window: Window, visit: Visit, at: str, replaces: bool, taken: bool
) -> None:
    if taken:
        check_window(Rules(window=window), visit, local(at), replaces=replaces)
        return
    with pytest.raises(Refusal) as refused:
        check_window(Rules(window=window), visit, local(at), replaces=replaces)
    assert refused.value.code == Code.WINDOW


# ---- form, answers, clock, switches ---------------------------------------------------------------------------------


def test_a_form_is_decoded_strictly() -> None:
    assert form.fields(form.FORM, b"a=1%2B2&b=%C3%AA+x", json_allowed=False) == {"a": "1+2", "b": "ê x"}
    for body in (b"a=1&a=2", b"a=%FF"):
        with pytest.raises(Refusal) as refused:
            form.fields(form.FORM, body, json_allowed=False)
        assert refused.value.code == Code.PARAMETER


@pytest.mark.parametrize("body", [b"[]", b"{", b"1"])
def test_json_is_taken_only_where_allowed_and_only_as_an_object(body: bytes) -> None:
    assert form.fields(form.JSON, b'{"a": 1}', json_allowed=True) == {"a": "1"}
    for allowed in (True, False):
        with pytest.raises(Refusal):
            form.fields(form.JSON, body, json_allowed=allowed)


def test_an_answer_may_be_spelled_otherwise() -> None:
    refused = Answer("205", "lý do")
    assert refused.body(reason_in_transaction=True)["maGiaoDich"] == "lý do"
    assert respelled(refused.body(), number=True, other_keys=True) == {
        "MaKetQua": 205,
        "MaGD": "",
        "ThoiGianTiepNhan": "",
        "GhiChu": "lý do",
    }
    accepted = Answer("200", "", "01999.x", "20261102100000")
    assert accepted.body(reason_in_transaction=True)["maGiaoDich"] == "01999.x"


def test_the_clock_runs_stands_still_and_is_set() -> None:
    system = datetime(2026, 1, 1, tzinfo=UTC)

    def source() -> datetime:
        return system

    clock = VirtualClock(datetime(2026, 11, 30, 17, 30, tzinfo=UTC), source=source)
    system += timedelta(hours=1)
    assert fourteen_digits(clock.now()) == "20261201013000"
    clock.set(clock.now(), frozen=True)
    system += timedelta(hours=1)
    clock.advance(timedelta(days=1))
    assert fourteen_digits(clock.now()) == "20261202013000"


def test_switches_are_read_from_text() -> None:
    rules = with_switches(Rules(), {"window": "month+5", "allow_batch": "true", "token_seconds": "5"})
    assert (rules.window, rules.allow_batch, rules.token_seconds) == (Window.MONTH_AND_FIVE_DAYS, True, 5)
    moved = with_switches(Rules(window=Window.CLOSED), {"replacement": "2026-11-01/2026-11-30"})
    check_window(moved, NOVEMBER, local("2027-06-01T00:00"), replaces=True)
    for visit in (DECEMBER, TRANSITION):
        with pytest.raises(Refusal):
            check_window(moved, visit, local("2027-06-01T00:00"), replaces=True)
    wrong_ones = ({"windows": "open"}, {"window": "ajar"}, {"allow_batch": "perhaps"}, {"replacement": "2024"})
    for wrong in wrong_ones:
        with pytest.raises(ValueError, match="rule"):
            with_switches(Rules(), wrong)
