"""Faults carried out on a connection: the answer that is no answer (GATEWAY §11)."""

import asyncio
import math
import socket
import struct
from datetime import datetime

from aiohttp import web

from streams.simulators.gateway.answers import Answer, Code
from streams.simulators.gateway.clock import instant
from streams.simulators.gateway.faults import ActiveFault, Call, Faults

BEFORE = (
    "maintenance",
    "take_down",
    "send_down",
    "checkin_down",
    "rate_limit",
    "auth_in_body",
    "auth_http_empty",
    "html_page",
    "reset",
    "hang",
    "burst_500",
    "answer",
)
"""Kinds that end a call before it is judged."""
AFTER = ("accept_then_drop", "reset", "hang", "html_page", "answer")
"""Kinds that hide the answer of a dossier that was accepted and stored."""
ENDS_SESSION = ("auth_in_body", "auth_http_empty")
"""Kinds that tell of a session that died: the same token again would not do."""

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_LOOK_AT_CONNECTION = 0.02


def before(faults: Faults, call: Call, now: datetime) -> ActiveFault | None:
    """The fault that ends this call before it is judged."""
    return faults.strike(call, *BEFORE, now=now)


def answer(active: ActiveFault) -> Answer | None:
    """What the gateway says in JSON, for the kinds that are an answer; it is spelled like any other."""
    options = active.fault.options
    match active.fault.name:
        case "auth_in_body":
            return Answer(Code.AUTHENTICATION, "Token hết hạn")
        case "burst_500":
            return Answer(Code.SYSTEM, "Lỗi hệ thống")
        case "answer":
            return Answer(options["code"], options["text"])
    return None


async def carry_out(active: ActiveFault, request: web.Request, now: datetime, stopping: asyncio.Event) -> web.Response:
    """What the caller gets to see of the other kinds, if anything."""
    options = active.fault.options
    match active.fault.name:
        case "auth_http_empty":
            return web.Response(status=401)
        case "take_down" | "send_down" | "checkin_down":
            return web.Response(status=options["status"])
        case "maintenance":
            return _page(503, "Hệ thống đang bảo trì", retry_after=_left(options["until"], now))
        case "html_page":
            return web.Response(status=options["status"]) if options["blank"] else _page(options["status"], "Lỗi")
        case "rate_limit":
            return web.Response(status=429, headers={"Retry-After": str(options["retry_after"])})
        case "hang":
            await _hang(active.seconds(), request, stopping)
    return _drop(request)


def _left(until: str, now: datetime) -> int | None:
    """Whole seconds until the announced end of a maintenance, rounded up; None when none was announced."""
    return math.ceil((instant(until) - now).total_seconds()) if until else None


def _page(status: int, title: str, *, retry_after: int | None = None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return web.Response(status=status, text=_PAGE.format(title), content_type="text/html", headers=headers)


async def _hang(seconds: float, request: web.Request, stopping: asyncio.Event) -> None:
    """Silence until the caller gives up, the time is over, or the gateway stops."""
    deadline = asyncio.get_running_loop().time() + seconds
    while request.transport and not request.transport.is_closing():
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            return
        try:
            await asyncio.wait_for(stopping.wait(), min(left, _LOOK_AT_CONNECTION))
        except TimeoutError:
            continue
        return


def _drop(request: web.Request) -> web.Response:
    """Ends the connection with a reset; the response is never sent."""
    if request.transport:
        connection = request.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
