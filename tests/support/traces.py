"""Where tests send traces: a real Zipkin, and a receiver made of OpenTelemetry's own service definition."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from infra.embedded.home import keep_port
from infra.embedded.jars import resolve
from infra.embedded.java import LEAN, find_java
from infra.embedded.process import spawn

ZIPKIN_POM = Path(__file__).with_name("zipkin.xml")


@dataclass
class Received:
    """What an OTLP receiver was sent: `url` to export to, every span with the service that sent it."""

    url: str = ""
    spans: list[tuple[str, Span]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def of(self, trace_id: str) -> list[tuple[str, Span]]:
        return [(service, span) for service, span in self.spans if span.trace_id.hex() == trace_id]


@contextmanager
def otlp_receiver() -> Iterator[Received]:
    """Takes OTLP over HTTP as protobuf, in a thread of its own: a test that waits for a command does not hold it up."""
    received = Received()

    async def export(request: web.Request) -> web.Response:
        body = await request.read()
        received.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                received.spans += [(named["service.name"], span) for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    app = web.Application(client_max_size=64 * 2**20)
    app.add_routes([web.post("/v1/traces", export)])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def serve() -> web.AppRunner:
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = asyncio.run_coroutine_threadsafe(serve(), loop).result(20)
    host, port = runner.addresses[0][:2]
    received.url = f"http://{host}:{port}/v1/traces"
    try:
        yield received
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def zipkin(home: Path, downloads: Path) -> AsyncIterator[str]:
    """A real Zipkin with its traces in memory; its base URL."""
    (jar,) = (await resolve("zipkin", downloads, ZIPKIN_POM)).glob("*.jar")
    port = keep_port(home, "zipkin")
    command = [str(find_java().program), *LEAN, "-jar", str(jar)]
    child = await spawn(home, "zipkin", command, env={**os.environ, "QUERY_PORT": str(port)})
    base = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{base}/health") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await child.ready(answers, 90)
        yield base
    finally:
        await child.stop()


async def trace_of(base: str, trace_id: str) -> list[dict[str, Any]]:
    """The spans of a trace as Zipkin has them; none while it knows of none."""
    async with aiohttp.ClientSession() as http, http.get(f"{base}/api/v2/trace/{trace_id}") as answer:
        found: list[dict[str, Any]] = await answer.json() if answer.status == 200 else []
        return found
