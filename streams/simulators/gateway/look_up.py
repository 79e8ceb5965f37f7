"""Look-up of a card and of its history, style B: credentials in the query (GATEWAY §4, §8).

The gateway knows the cards and officers of `accounts.json`. It keeps no history of treatment: that list is null, as
the real one answers when there is none.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web

from streams.simulators.gateway import form
from streams.simulators.gateway.answers import Code, Refusal
from streams.simulators.gateway.calls import Credentials, Gateway, account_of, form_only, say, struck
from streams.simulators.gateway.faults import LOOK_UP, Call
from streams.simulators.gateway.registry import Account, Card, Registry

_CARD = re.compile(r"[0-9A-Z]{15}|[0-9]{10}|[0-9]{12}")
_BIRTH = re.compile(r"(([0-9]{2}/)?[0-9]{2}/)?[0-9]{4}")
_ASKED = ("maThe", "hoTen", "ngaySinh", "hoTenCb", "cccdCb")


class Found(StrEnum):
    """`maKetQua` of a look-up by this gateway's own judgment; a card of the register may bring any other."""

    NO_INFORMATION = "050"
    CARD_WRONG = "051"
    OFFICER_UNKNOWN = "054"
    OFFICER_NAME = "055"
    NAME = "060"
    NAME_BUT_LETTERS = "061"
    BIRTH = "070"


@dataclass(frozen=True, slots=True)
class Function:
    """One look-up: where, whether it takes JSON, and which list of the answer is null."""

    path: str
    json: bool
    history: str


FUNCTIONS = (
    Function("/api/egw/KQNhanLichSuKCB2024", True, "dsLichSuKCB2018"),
    Function("/api/egw/Lskcb2025", False, "dsLichSuKCB2025"),  # a form only, although the guide says JSON
)


def routes(gateway: Gateway) -> list[web.RouteDef]:
    def bound(function: Function) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            return await _look_up(gateway, request, function)

        return handle

    return [web.post(function.path, bound(function)) for function in FUNCTIONS]


async def _look_up(gateway: Gateway, request: web.Request, function: Function) -> web.Response:
    query = request.query
    credentials = Credentials(query.get("token", ""), query.get("id_token", ""), query.get("password", ""))
    registry = gateway.register.current()
    username = query.get("username", "")
    known = registry.accounts.get(username)
    call = Call(LOOK_UP, known.facility if known else None, None)
    body = await request.read()
    with gateway.stats.under_way(call):
        if failure := await struck(gateway, call, request, credentials):
            return failure
        card: Card | None = None
        try:
            account = account_of(gateway, call, request, credentials)
            if account.username != username:
                raise Refusal(Code.AUTHENTICATION, "Tài khoản không khớp với phiên làm việc")
            if gateway.faults.strike(call, "restricted"):
                raise Refusal(Code.SYSTEM, "Tài khoản bị hạn chế tra cứu thông tin thẻ")
            form_only(gateway, call, request)
            json_allowed = function.json or gateway.rules.json_bodies
            asked = form.fields(request.content_type, body, json_allowed=json_allowed)
            code, card = judge(asked, account, registry)
            text = ""
        except Refusal as refusal:
            code, text = refusal.code, refusal.text
        return say(gateway, call, _answer(code, text, card, function))


def judge(asked: Mapping[str, str], account: Account, registry: Registry) -> tuple[str, Card | None]:
    """The code, and the card when it may be told. Raises Refusal 205."""
    for name in _ASKED:
        form.required(asked, name)
    if not _BIRTH.fullmatch(asked["ngaySinh"]):
        raise Refusal(Code.PARAMETER, "Sai định dạng tham số: ngaySinh")
    officer = account.officers.get(asked["cccdCb"])
    if officer is None:
        return Found.OFFICER_UNKNOWN, None
    if officer != asked["hoTenCb"]:
        return Found.OFFICER_NAME, None
    if not _CARD.fullmatch(asked["maThe"]):
        return Found.CARD_WRONG, None
    card = registry.cards.get(asked["maThe"])
    if card is None:
        return Found.NO_INFORMATION, None
    if _folded(asked["hoTen"]) != _folded(card.name):
        return Found.NAME_BUT_LETTERS if _letters(asked["hoTen"]) == _letters(card.name) else Found.NAME, None
    if not card.birth.endswith(asked["ngaySinh"]):  # a year, or month and year, may be all that is known
        return Found.BIRTH, None
    return card.code, card


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _letters(name: str) -> str:
    return "".join(word[0] for word in _folded(name).split())


def _answer(code: str, text: str, card: Card | None, function: Function) -> dict[str, Any]:
    """On an error card, name and birth are empty (§8): who asked must remember what was asked."""
    return {
        "maKetQua": str(code),
        "ghiChu": text,
        "maThe": card.number if card else "",
        "hoTen": card.name if card else "",
        "ngaySinh": card.birth if card else "",
        function.history: None,
    }
