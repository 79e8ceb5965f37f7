"""The functions that facilities call to hand over: session, dossier, check-in (GATEWAY §3, §6, §7)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from streams.simulators.gateway import form, trouble
from streams.simulators.gateway.answers import Answer, Code, Finding, Refusal
from streams.simulators.gateway.calls import (
    Credentials,
    Gateway,
    account_of,
    address,
    fail,
    form_only,
    say,
    struck,
)
from streams.simulators.gateway.clock import fourteen_digits
from streams.simulators.gateway.faults import TAKE, Call
from streams.simulators.gateway.judge import CHECK_IN, DOSSIER, Service, Submission, Verdict, judge, read
from streams.simulators.gateway.registry import Account
from streams.simulators.gateway.sessions import Session
from streams.simulators.gateway.store import Receipt, error_item

TAKE_PATH = "/api/token/take"
# The mixed capitals are the gateway's own (GATEWAY §0).
PATHS = {
    "/api/qd130/guiHoSoXmlQD3176": DOSSIER,
    "/api/qd130/guiHoSoXmlQD4750": DOSSIER,
    "/api/qd130/checkInKcbQd3176": CHECK_IN,
    "/api/qd130/checkInKcbQd4750": CHECK_IN,
}
_LATE_TEXTS = {6: "gửi quá thời hạn", 24: "sai cấu trúc, định dạng", 48: "tổng chi phí không khớp"}


def routes(gateway: Gateway) -> list[web.RouteDef]:
    return [
        web.post(TAKE_PATH, _handler(gateway, take)),
        *(web.post(path, _handler(gateway, send, service)) for path, service in PATHS.items()),
    ]


def _handler(
    gateway: Gateway, function: Callable[..., Awaitable[web.Response]], *arguments: object
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return await function(gateway, request, *arguments)

    return handle


async def take(gateway: Gateway, request: web.Request) -> web.Response:
    """`POST /api/token/take`: form or JSON with `username` and `password`."""
    refusal: Refusal | None = None
    given: Any = {}
    try:
        given = form.fields(request.content_type, await request.read(), json_allowed=True)
    except Refusal as why:
        refusal = why
    username = given.get("username", "")
    account = gateway.register.current().accounts.get(username)
    call = Call(TAKE, account.facility if account else None, None)
    with gateway.stats.under_way(call):
        if failure := await struck(gateway, call, request):
            return failure
        try:
            if refusal:
                raise refusal
            form_only(gateway, call, request)
            session = _take(gateway, call, username, given.get("password", ""), address(gateway, call, request))
            body: dict[str, Any] = {"maKetQua": str(Code.ACCEPTED), "APIKey": _api_key(session)}
        except Refusal as why:
            body = {"maKetQua": str(why.code), "APIKey": None}
        return say(gateway, call, body)


def _take(gateway: Gateway, call: Call, username: str, password_hash: str, caller: str) -> Session:
    short = gateway.faults.strike(call, "token_ttl")
    return gateway.sessions.take(
        username,
        password_hash,
        caller,
        gateway.clock.now(),
        gateway.register.current(),
        gateway.rules,
        life=timedelta(seconds=short.seconds()) if short else None,
        silent=bool(short and short.fault.options["silent"]),
    )


def _api_key(session: Session) -> dict[str, str]:
    return {
        "access_token": session.token,
        "id_token": session.id,
        "token_type": "Bearer",
        "username": session.username,
        "expires_in": session.announced.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


async def send(gateway: Gateway, request: web.Request, service: Service) -> web.Response:
    """A signed file, style A: form fields and the three session headers."""
    submission = await _submission(gateway, request, service)
    call = Call(service.operation, submission.facility or None, submission.visit)
    header = request.headers
    credentials = Credentials(header.get("accessToken", ""), header.get("tokenId", ""), header.get("passwordHash", ""))
    with gateway.stats.under_way(call):
        if failure := await struck(gateway, call, request, credentials):
            return failure
        answer = _answer(gateway, call, request, credentials, submission)
        await gateway.store.durable()  # nothing is acknowledged that a crash could still take away
        if answer.code == Code.ACCEPTED and (hidden := gateway.faults.strike(call, *trouble.AFTER, when="after")):
            gateway.stats.count(call.operation, f"{hidden.fault.name} after {answer.code}")
            return await fail(gateway, call, request, hidden)
        displaced = answer.code != Code.ACCEPTED and gateway.faults.strike(call, "reason_in_magd") is not None
        return say(gateway, call, answer.body(reason_in_transaction=displaced))


async def _submission(gateway: Gateway, request: web.Request, service: Service) -> Submission:
    body = await request.read()
    try:
        given = form.fields(request.content_type, body, json_allowed=gateway.rules.json_bodies)
    except Refusal as refusal:
        return Submission(refusal=refusal)
    return read(service, given, gateway.rules, gateway.clock.now())


def _answer(
    gateway: Gateway, call: Call, request: web.Request, credentials: Credentials, submission: Submission
) -> Answer:
    now = gateway.clock.now()
    account: Account | None = None
    try:
        account = account_of(gateway, call, request, credentials)
        form_only(gateway, call, request)
        verdict = _judge(gateway, call, submission, account)
    except Refusal as refusal:
        if account:
            facts = refusal.findings or (Finding("", None, "", refusal.code, refusal.text),)
            for finding in facts:
                gateway.store.report(error_item(account.facility, submission.visit, finding, now))
        return Answer(refusal.code, refusal.text)
    receipt = gateway.store.accept(verdict, call.operation, account.username, submission.data, now)
    _judge_later(gateway, call, receipt)
    return Answer(Code.ACCEPTED, "Tiếp nhận thành công", receipt.transaction, fourteen_digits(now))


def _judge(gateway: Gateway, call: Call, submission: Submission, account: Account) -> Verdict:
    claimed = {submission.facility, submission.contents.facility if submission.contents else ""}
    lenient = claimed != {account.facility} and gateway.faults.strike(call, "lenient_sender") is not None
    return judge(
        submission,
        account,
        gateway.register.current(),
        gateway.rules,
        gateway.clock.now(),
        replaces=gateway.store.replaces,
        lenient_sender=lenient,
    )


def _judge_later(gateway: Gateway, call: Call, receipt: Receipt) -> None:
    """Refused hours after the 200 (Q15): an error item that becomes visible when the virtual clock gets there."""
    late = gateway.faults.strike(call, "async_errors")
    if late is None:
        return
    options = late.fault.options
    hours = options["hours"]
    finding = Finding(
        options["table"], None, options["field"], options["code"] or f"SIM-{hours:g}H",
        options["text"] or _LATE_TEXTS.get(hours, "phát hiện khi kiểm tra sau tiếp nhận"),
    )  # fmt: skip
    visible = receipt.at + timedelta(hours=hours)
    for visit in receipt.visits:
        gateway.store.report(error_item(receipt.facility, visit, finding, visible, receipt.transaction))
