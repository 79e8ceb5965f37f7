"""Faults carried out on a connection: the answer that is no answer (GATEWAY §11)."""

import asyncio
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
AFTER = ("accept_then_drop", "reset", "hang", "answer")
"""Kinds that hide the answer of a dossier that was accepted and stored."""

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_LOOK_AT_CONNECTION = 0.2


def before(faults: Faults, call: Call, now: datetime) -> ActiveFault | None:
    """The fault that ends this call before it is judged. A maintenance outside its hours leaves it alone."""
    asleep = {
        active.fault.name for active in faults if active.fault.name == "maintenance" and not _in_hours(active, now)
    }
    return faults.strike(call, *(name for name in BEFORE if name not in asleep))


def _in_hours(active: ActiveFault, now: datetime) -> bool:
    begin, end = active.fault.options["from"], active.fault.options["until"]
    return (not begin or instant(begin) <= now) and (not end or now < instant(end))


async def carry_out(active: ActiveFault, request: web.Request, stopping: asyncio.Event) -> web.Response:
    """What the caller gets to see, if anything."""
    options = active.fault.options
    match active.fault.name:
        case "auth_in_body":
            return web.json_response(Answer(Code.AUTHENTICATION, "Token hết hạn").body())
        case "auth_http_empty":
            return web.Response(status=401)
        case "take_down" | "send_down" | "checkin_down":
            return web.Response(status=options["status"])
        case "maintenance":
            return _page(503, "Hệ thống đang bảo trì", retry_after=3600)
        case "html_page":
            return web.Response(status=options["status"]) if options["blank"] else _page(options["status"], "Lỗi")
        case "rate_limit":
            return web.Response(status=429, headers={"Retry-After": str(options["retry_after"])})
        case "burst_500":
            return web.json_response(Answer(Code.SYSTEM, "Lỗi hệ thống").body(), status=options["status"])
        case "answer":
            return web.json_response(Answer(options["code"], options["text"]).body(), status=options["status"])
        case "hang":
            await _hang(active.seconds(), request, stopping)
    return _drop(request)


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
