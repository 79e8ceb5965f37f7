"""The judgment of one sending, in the order of GATEWAY §10.4. Pure: everything it looks at is an argument."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from streams.simulators.gateway import form
from streams.simulators.gateway.answers import Code, Refusal
from streams.simulators.gateway.dossier import Contents, Visit, read_check_in, read_envelope
from streams.simulators.gateway.limits import check_size, check_window
from streams.simulators.gateway.registry import Account, Registry
from streams.simulators.gateway.rules import Rules
from streams.simulators.gateway.signature import Profile, find, payload, refuse, verify
from streams.simulators.gateway.xml import parse

_FACILITY = re.compile(r"[0-9A-Za-z]{5}")


@dataclass(frozen=True, slots=True)
class Service:
    """A function of the gateway that takes signed XML. `kind` is the `loaiHoSo` it wants."""

    operation: str
    kind: str
    read: Callable[[etree._Element], Contents]


DOSSIER = Service("send", "130", read_envelope)
CHECK_IN = Service("checkin", "0", read_check_in)


@dataclass(frozen=True, slots=True)
class Submission:
    """What came in, read as far as it can be. `refusal` says why not further; it is answered after the session."""

    username: str = ""
    facility: str = ""
    data: bytes = b""
    root: etree._Element | None = None
    contents: Contents | None = None
    refusal: Refusal | None = None

    @property
    def visit(self) -> str | None:
        return self.contents.visit if self.contents else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """An accepted sending. `payload_sha256` is that of the canonical document without its signature."""

    facility: str
    visits: tuple[Visit, ...]
    sha256: str
    payload_sha256: str
    certificate_serial: int | None


def read(service: Service, given: Mapping[str, str], rules: Rules, now: datetime) -> Submission:
    """Never raises: the caller must know who is calling before anything is answered."""
    username, facility = given.get("username", ""), given.get("maCSKCB", "")
    data, root, contents = b"", None, None
    refusal: Refusal | None = None
    try:
        for name in ("username", "loaiHoSo", "maTinh", "maCSKCB", "fileHSBase64"):
            form.required(given, name)
        if given["loaiHoSo"] != service.kind:
            raise Refusal(Code.PARAMETER, "Sai định dạng tham số: loaiHoSo")
        if not _FACILITY.fullmatch(facility):
            raise Refusal(Code.PARAMETER, "Sai định dạng tham số: maCSKCB")
        if given["maTinh"] != facility[:2]:
            raise Refusal(Code.PARAMETER, "Sai định dạng tham số: maTinh")
        check_size(len(given["fileHSBase64"]), rules.size_rule, now)
        data = form.file_bytes(given["fileHSBase64"])
        root = parse(data, "Hồ sơ")
        contents = service.read(root)
    except Refusal as why:
        refusal = why
    return Submission(username, facility, data, root, contents, refusal)


def judge(
    submission: Submission,
    account: Account,
    registry: Registry,
    rules: Rules,
    now: datetime,
    *,
    replaces: Callable[[str, str], bool],
    lenient_sender: bool = False,
) -> Verdict:
    """`replaces(facility, visit)` tells whether a version is stored. Raises Refusal: the first thing wrong."""
    if submission.username != account.username:
        raise Refusal(Code.AUTHENTICATION, "Tài khoản không khớp với phiên làm việc")
    if submission.refusal:
        raise submission.refusal
    root, contents = submission.root, submission.contents
    assert root is not None and contents is not None  # noqa: S101, PT018 - otherwise there is a refusal
    signature = find(root)
    digest = hashlib.sha256(payload(root, signature))
    if signature is not None:
        serial = _signer(root, signature, digest.digest(), contents.facility, registry, rules, now)
    elif rules.allow_unsigned:
        serial = None
    else:
        raise refuse("hồ sơ chưa được ký")
    # A lenient sender is booked under the account whatever the envelope says: that is the quirk (Q14).
    if not lenient_sender and {submission.facility, contents.facility} != {account.facility}:
        raise Refusal(Code.FACILITY, "Mã cơ sở KCB không khớp giữa tài khoản, tham số và hồ sơ")
    if contents.batch and not rules.allow_batch:
        raise Refusal(Code.PARAMETER, "Mỗi lần gửi chỉ được một hồ sơ")
    if refusal := contents.refusal:
        raise refusal
    for visit in contents.visits:
        check_window(rules, visit, now, replaces=replaces(account.facility, visit.visit or ""))
    return Verdict(
        account.facility,
        tuple(contents.visits),
        hashlib.sha256(submission.data).hexdigest(),
        digest.hexdigest(),
        serial,
    )


def _signer(
    root: etree._Element,
    signature: etree._Element,
    digest: bytes,
    facility: str,
    registry: Registry,
    rules: Rules,
    now: datetime,
) -> int:
    signed = verify(root, signature, digest)
    if signed.profile is Profile.P2 and not (rules.allow_two_references and signed.covered.tag == "THONGTINHOSO"):
        raise refuse("sai cấu hình chữ ký, cần một tham chiếu enveloped")
    if rules.require_subject_name and not signed.names_subject:
        raise refuse("sai cấu hình chữ ký, thiếu X509SubjectName")
    return registry.trust.check(signed.certificate, now, lambda print_: registry.registered(facility, print_))
