"""`POST /v1/visits`: a dossier comes in, the answer says that it is durable here and which revision it is."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from aiohttp import hdrs, web

from events.envelope import traceparent
from events.his import HisError, Receipt, SharedAdapter
from events.visit import VisitClosed
from streams.adapter_http.body import read_body
from streams.adapter_http.errors import RETRY_AFTER, RequestError, status_of
from streams.adapter_http.parameters import parameters
from streams.adapter_http.slots import Slots
from streams.adapters.tokens import TokenFileError, Tokens
from streams.metrics import ADAPTER_DURATION, ADAPTER_IN_HAND, ADAPTER_REQUESTS

log = structlog.get_logger()

VISITS = "/v1/visits"
_PLAIN = partial(json.dumps, ensure_ascii=False)
"""For whoever reads an answer at a terminal."""

PATIENCE = 10.0
"""Seconds that a request may wait for its turn."""


class VisitsApp:
    """The one address. `most` is the largest body, `together` how many requests are worked on at once."""

    def __init__(
        self, his: SharedAdapter, tokens: Tokens, *, most: int, together: int, patience: float = PATIENCE
    ) -> None:
        self._his = his
        self._tokens = tokens
        self._most = most
        self._slots = Slots(together, patience)
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._finishing = False

    def app(self) -> web.Application:
        """The web application."""
        app = web.Application(client_max_size=self._most)
        app.on_response_prepare.append(_unversioned)
        app.add_routes(
            [
                web.post(VISITS, self.visits),
                web.route(hdrs.METH_ANY, VISITS, self.other_method),
                web.route(hdrs.METH_ANY, "/{path:.*}", self.other_path),
            ]
        )
        return app

    async def visits(self, request: web.Request) -> web.Response:
        """Takes one dossier; one log line and one count for each request, whatever became of it."""
        started = time.monotonic()
        line: dict[str, Any] = {}
        try:
            with self._counted():
                answer = await self._take(request, line)
        except HisError as error:
            answer = refusal(error)
            line["outcome"] = error.code
        except Exception as error:  # noqa: BLE001 - one request's trouble must not become another's
            log.error("a request failed", error=type(error).__name__, place=_place(error))
            answer = refusal(RequestError("UNEXPECTED"))
            line["outcome"] = "UNEXPECTED"
        seconds = time.monotonic() - started
        ADAPTER_REQUESTS.labels(line["outcome"]).inc()
        ADAPTER_DURATION.observe(seconds)
        log.info("request", status=answer.status, bytes=request.content_length, seconds=round(seconds, 4), **line)
        if self._finishing:
            answer.force_close()
        return answer

    async def finish(self, patience: float) -> None:
        """Returns when every request that has begun is answered, or `patience` seconds have passed.

        aiohttp's own shutdown would not do: from its beginning on it throws the rest of a body away.
        """
        self._finishing = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), patience)

    async def other_method(self, _request: web.Request) -> web.Response:
        """Anything but POST."""
        return refusal(RequestError("METHOD_UNKNOWN"), {hdrs.ALLOW: hdrs.METH_POST})

    async def other_path(self, _request: web.Request) -> web.Response:
        """Any other address."""
        return refusal(RequestError("PATH_UNKNOWN"))

    async def _take(self, request: web.Request, line: dict[str, Any]) -> web.Response:
        """Nothing of the body is read before the token is known. Fills `line` with what is known of the request."""
        facility = line["facility"] = self._facility(request)
        said = parameters(request.query)
        async with self._slots.one_for(facility):
            source = await read_body(request, self._most)
            receipt = await self._his.hand_over(facility, source, **asdict(said))
        trace = traceparent(VisitClosed(facility, receipt.ma_lk, receipt.revision, datetime.now(UTC), ()))
        outcome = "SENT_AGAIN" if receipt.repeated and said.again else "REPEATED" if receipt.repeated else "TAKEN"
        line |= {
            "visit": f"{facility}|{receipt.ma_lk}",
            "revision": receipt.revision,
            "event_id": str(receipt.event_id),
            "trace_id": trace.split("-")[1],
            "outcome": outcome,
        }
        status = 200 if outcome == "REPEATED" else 202
        document = _document(facility, receipt)
        return web.json_response(document, status=status, headers={"traceparent": trace}, dumps=_PLAIN)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._in_hand += 1
        self._idle.clear()
        ADAPTER_IN_HAND.set(self._in_hand)
        try:
            yield
        finally:
            self._in_hand -= 1
            ADAPTER_IN_HAND.set(self._in_hand)
            if not self._in_hand:
                self._idle.set()

    def _facility(self, request: web.Request) -> str:
        """Whose token the request shows. Raises RequestError."""
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise RequestError("TOKEN_MISSING")
        try:
            facility = self._tokens.facility_of(token.strip())
        except TokenFileError as error:
            log.error("tokens cannot be used", cause=str(error))
            raise RequestError("TOKENS_UNREADABLE") from None
        if facility is None:
            raise RequestError("TOKEN_WRONG")
        return facility


def refusal(error: HisError, headers: dict[str, str] | None = None) -> web.Response:
    """The error as an answer: what, where, what was expected, how to mend it, in both languages."""
    more = dict(headers or {})
    if error.code in RETRY_AFTER:
        more[hdrs.RETRY_AFTER] = str(RETRY_AFTER[error.code])
    if status_of(error) == web.HTTPUnauthorized.status_code:
        more[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="healthbook"'
    return web.json_response({"error": error.document()}, status=status_of(error), headers=more, dumps=_PLAIN)


async def _unversioned(_request: web.Request, answer: web.StreamResponse) -> None:
    """Who asks is not told which versions of which libraries answer."""
    answer.headers[hdrs.SERVER] = "healthbook"


def _document(facility: str, receipt: Receipt) -> dict[str, Any]:
    return {
        "event_id": str(receipt.event_id),
        "facility": facility,
        "ma_lk": receipt.ma_lk,
        "revision": receipt.revision,
        "repeated": receipt.repeated,
        "ignored": list(receipt.ignored),
    }


def _place(error: BaseException) -> str:
    """Where it was raised: a file and a line, no value."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
