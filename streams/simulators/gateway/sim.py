"""`/_sim`: what the real gateway does not have: a look into the store, faults, the clock (GATEWAY §6.6).

Served only in test mode.
"""

import csv
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from datetime import UTC, timedelta
from typing import Any

from aiohttp import web

from streams.simulators.gateway.calls import Gateway
from streams.simulators.gateway.clock import fourteen_digits, instant
from streams.simulators.gateway.faults import ActiveFault, FaultError, Faults, fault_from
from streams.simulators.gateway.rules import RuleError, profile, with_switches
from streams.simulators.gateway.store import ErrorItem, Receipt

_ERROR_COLUMNS = ("maCSKCB", "maLK", "maGiaoDich", "bang", "stt", "truong", "maLoi", "moTa", "thoiGian")


def routes(gateway: Gateway) -> list[web.RouteDef]:
    def bound(function: Callable[[Gateway, web.Request], Awaitable[web.Response]]) -> Any:
        async def handle(request: web.Request) -> web.Response:
            return await function(gateway, request)

        return handle

    return [
        web.get("/_sim/hoso", bound(_versions)),
        web.get("/_sim/giaodich/{transaction}", bound(_transaction)),
        web.get("/_sim/bytes/{transaction}", bound(_bytes)),
        web.get("/_sim/loi", bound(_errors)),
        web.get("/_sim/faults", bound(_faults)),
        web.post("/_sim/faults", bound(_add_faults)),
        web.delete("/_sim/faults", bound(_clear_faults)),
        web.get("/_sim/rules", bound(_rules)),
        web.post("/_sim/rules", bound(_switch_rules)),
        web.post("/_sim/profile", bound(_profile)),
        web.post("/_sim/clock", bound(_clock)),
        web.get("/_sim/stats", bound(_stats)),
    ]


async def _versions(gateway: Gateway, request: web.Request) -> web.Response:
    query = request.query
    return web.json_response(
        [
            {"maLK": visit, "state": "current" if current else "replaced", **_receipt(gateway, receipt)}
            for visit, receipt, current in gateway.store.versions(query.get("maCSKCB"), query.get("maLK"))
        ]
    )


async def _transaction(gateway: Gateway, request: web.Request) -> web.Response:
    receipt = gateway.store.receipt(request.match_info["transaction"])
    if receipt is None:
        raise web.HTTPNotFound
    return web.json_response({"maLK": ";".join(receipt.visits), **_receipt(gateway, receipt)})


def _receipt(gateway: Gateway, receipt: Receipt) -> dict[str, Any]:
    errors = gateway.store.errors(gateway.clock.now(), transaction=receipt.transaction)
    return {
        "maGiaoDich": receipt.transaction,
        "maCSKCB": receipt.facility,
        "operation": receipt.operation,
        "thoiGianTiepNhan": fourteen_digits(receipt.at),
        "receivedAt": receipt.received,
        "sha256": receipt.sha256,
        "payloadSha256": receipt.payload_sha256,
        "bytes": receipt.size,
        "username": receipt.sender,
        "certificateSerial": receipt.certificate_serial,
        "errors": [_error(item) for item in errors],
    }


async def _bytes(gateway: Gateway, request: web.Request) -> web.Response:
    data = gateway.store.kept_bytes(request.match_info["transaction"])
    if data is None:
        raise web.HTTPNotFound
    return web.Response(body=data, content_type="application/xml")


async def _errors(gateway: Gateway, request: web.Request) -> web.Response:
    query = request.query
    items = gateway.store.errors(
        gateway.clock.now(), facility=query.get("maCSKCB"), first=query.get("tuNgay"), last=query.get("denNgay")
    )
    rows = [_error(item) for item in items]
    if query.get("format") != "csv" and "text/csv" not in request.headers.get("Accept", ""):
        return web.json_response(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, _ERROR_COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return web.Response(text=text.getvalue(), content_type="text/csv", charset="utf-8")


def _error(item: ErrorItem) -> dict[str, Any]:
    finding = item.finding
    values = (item.facility, item.visit, item.transaction, finding.table, finding.row, finding.field, finding.code)
    return dict(zip(_ERROR_COLUMNS, (*values, finding.text, fourteen_digits(item.at)), strict=True))


async def _faults(gateway: Gateway, _: web.Request) -> web.Response:
    return web.json_response([_fault(active) for active in gateway.faults])


async def _add_faults(gateway: Gateway, request: web.Request) -> web.Response:
    document = await _json(request)
    try:
        faults = [fault_from(_object(each)) for each in (document if isinstance(document, list) else [document])]
    except FaultError as error:
        raise _bad(str(error)) from None
    for fault in faults:
        gateway.faults.add(fault)
    return await _faults(gateway, request)


async def _clear_faults(gateway: Gateway, request: web.Request) -> web.Response:
    return web.json_response({"removed": gateway.faults.clear(request.query.get("fault"))})


def _fault(active: ActiveFault) -> dict[str, Any]:
    fault = active.fault
    return {
        "fault": fault.name,
        "on": sorted(fault.on),
        "probability": fault.probability,
        "count": fault.count,
        "match": {"maCSKCB": fault.facility, "maLK": fault.visit},
        **fault.options,
        "taken": active.taken,
    }


async def _rules(gateway: Gateway, _: web.Request) -> web.Response:
    return web.json_response({each.name: str(getattr(gateway.rules, each.name)) for each in fields(gateway.rules)})


async def _switch_rules(gateway: Gateway, request: web.Request) -> web.Response:
    """`{"window": "month+5", …}`: as `--rule` on the command line; what is not named stays."""
    wanted = _object(await _json(request))
    try:
        gateway.rules = with_switches(gateway.rules, {name: str(value) for name, value in wanted.items()})
    except RuleError as error:
        raise _bad(str(error)) from None
    return await _rules(gateway, request)


async def _profile(gateway: Gateway, request: web.Request) -> web.Response:
    """`{"profile": NAME, "seed": N}`: its rules and its faults take the place of those that are active."""
    wanted = _object(await _json(request))
    seed = wanted.get("seed", 0)
    if set(wanted) - {"profile", "seed"} or not isinstance(seed, int):
        raise _bad("profile knows profile (a name) and seed (a whole number)")
    try:
        chosen = profile(str(wanted.get("profile")))
    except RuleError as error:
        raise _bad(str(error)) from None
    gateway.rules, gateway.faults = chosen.rules, Faults(seed, chosen.faults)
    return await _faults(gateway, request)


async def _clock(gateway: Gateway, request: web.Request) -> web.Response:
    """`{"set": ISO instant}` or `{"advance": seconds}`, either with `"frozen": true|false`; `{}` only reads it."""
    wanted = _object(await _json(request))
    clock = gateway.clock
    frozen = wanted.get("frozen")
    if set(wanted) - {"set", "advance", "frozen"} or not isinstance(frozen, bool | None):
        raise _bad("clock knows set (ISO 8601 instant), advance (seconds) and frozen (true or false)")
    try:
        at = instant(wanted["set"]) if "set" in wanted else clock.now()
        clock.set(at + timedelta(seconds=wanted.get("advance", 0)), frozen=frozen)
    except (TypeError, ValueError, OverflowError):
        raise _bad("clock: set is an ISO 8601 instant, advance a number of seconds") from None
    now = clock.now()
    return web.json_response(
        {"now": now.astimezone(UTC).isoformat(), "local": fourteen_digits(now), "frozen": clock.frozen}
    )


async def _stats(gateway: Gateway, _: web.Request) -> web.Response:
    duplicates = [
        {"maCSKCB": facility, "maLK": visit, "payloadSha256": digest, "receipts": count}
        for (facility, visit, digest), count in gateway.store.duplicates().items()
    ]
    return web.json_response(
        {
            "answers": gateway.stats.by_operation(),
            **gateway.stats.concurrency(),
            **gateway.store.counts(),
            "duplicates": duplicates,
        }
    )


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read() or b"{}")
    except ValueError:
        raise _bad("the body is not JSON") from None


def _object(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise _bad("expected a JSON object")
    return document


def _bad(text: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=json.dumps({"error": text}), content_type="application/json")
