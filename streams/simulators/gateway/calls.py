"""What all functions of the gateway share: its parts, trouble on the way, how an answer is spelled."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from streams.simulators.gateway import form, trouble
from streams.simulators.gateway.answers import Code, Refusal, respelled
from streams.simulators.gateway.clock import VirtualClock
from streams.simulators.gateway.faults import ActiveFault, Call, Faults
from streams.simulators.gateway.registry import Account, Register
from streams.simulators.gateway.rules import Rules
from streams.simulators.gateway.sessions import Sessions
from streams.simulators.gateway.stats import Stats
from streams.simulators.gateway.store import Store


@dataclass(slots=True)
class Gateway:
    """Everything that one gateway is made of. `rules` and `faults` may be exchanged while it runs."""

    register: Register
    rules: Rules
    faults: Faults
    clock: VirtualClock
    store: Store
    stats: Stats = field(default_factory=Stats)
    sessions: Sessions = field(default_factory=Sessions)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a call brings back of its session: in headers (style A) or in the query (style B)."""

    token: str = field(repr=False)
    session: str = field(repr=False)
    password_hash: str = field(repr=False)


async def struck(
    gateway: Gateway, call: Call, request: web.Request, credentials: Credentials | None = None
) -> web.Response | None:
    """What the caller gets when a fault ends the call before it is judged; None when none does."""
    if slow := gateway.faults.strike(call, "latency"):
        await asyncio.sleep(slow.seconds())
    active = trouble.before(gateway.faults, call, gateway.clock.now())
    if active is None:
        return None
    gateway.stats.count(call.operation, active.fault.name)
    if credentials and active.fault.name in trouble.ENDS_SESSION:
        gateway.sessions.end(credentials.session)
    return await fail(gateway, call, request, active)


async def fail(gateway: Gateway, call: Call, request: web.Request, active: ActiveFault) -> web.Response:
    """Carries a fault out that has been counted."""
    if answer := trouble.answer(active):
        displaced = gateway.faults.strike(call, "reason_in_magd") is not None
        return _spelled(gateway, call, answer.body(reason_in_transaction=displaced), active.fault.options["status"])
    return await trouble.carry_out(active, request, gateway.clock.now(), gateway.stopping)


def account_of(gateway: Gateway, call: Call, request: web.Request, credentials: Credentials) -> Account:
    """The account that a call belongs to. Raises Refusal 401, 403."""
    gateway.faults.strike(call, "ip_change")
    return gateway.sessions.account(
        credentials.token,
        credentials.session,
        credentials.password_hash,
        address(gateway, call, request),
        gateway.clock.now(),
        gateway.register.current(),
        gateway.rules,
    )


def address(gateway: Gateway, call: Call, request: web.Request) -> str:
    """Where the caller is seen to come from: each `ip_change` puts it behind another exit address for good (Q04)."""
    return f"{request.remote} exit {gateway.faults.taken('ip_change', call.facility)}"


def form_only(gateway: Gateway, call: Call, request: web.Request) -> None:
    """Raises Refusal 205 for a JSON body where that quirk strikes (Q21)."""
    if request.content_type == form.JSON and gateway.faults.strike(call, "form_only"):
        raise Refusal(Code.PARAMETER, "Sai định dạng tham số: chỉ nhận form")


def say(gateway: Gateway, call: Call, body: Mapping[str, Any]) -> web.Response:
    """The gateway's own answer, counted by its code."""
    gateway.stats.count(call.operation, str(body["maKetQua"]))
    return _spelled(gateway, call, body)


def _spelled(gateway: Gateway, call: Call, body: Mapping[str, Any], status: int = 200) -> web.Response:
    number = gateway.faults.strike(call, "num_code") is not None
    other_keys = gateway.faults.strike(call, "alt_keys") is not None
    return web.json_response(respelled(body, number=number, other_keys=other_keys), status=status)
