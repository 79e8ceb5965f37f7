"""The gateway on a real socket: for the command, and inside a test as `async with GatewaySimulator(...) as gateway`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from streams.simulators.gateway import api, look_up, sim
from streams.simulators.gateway.calls import Gateway
from streams.simulators.gateway.clock import VirtualClock
from streams.simulators.gateway.faults import Faults, parse_fault
from streams.simulators.gateway.journal import Journal
from streams.simulators.gateway.limits import QUIET_LIMIT
from streams.simulators.gateway.registry import Register
from streams.simulators.gateway.rules import profile as profile_named
from streams.simulators.gateway.rules import with_switches
from streams.simulators.gateway.store import Store

MAX_BODY = QUIET_LIMIT + QUIET_LIMIT // 4
"""The largest allowed file with `+`, `/` and `=` percent-encoded still fits."""
DRAIN_SECONDS = 10.0


class GatewaySimulator:
    """A whole gateway. `url` is known once it has been entered; leaving it drains what is under way."""

    def __init__(
        self,
        accounts: Path,
        *,
        seed: int = 0,
        profile: str = "strict",
        faults: Sequence[str] = (),
        rules: Mapping[str, str] | None = None,
        clock: VirtualClock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        state: Path | None = None,
        keep_bytes: Path | None = None,
        test_mode: bool = True,
    ) -> None:
        """`accounts`: the folder of `registry.py`. `faults` as on the command line; `rules` override the profile.

        Raises RegistryError, RuleError, FaultError, JournalError.
        """
        chosen = profile_named(profile)
        self._host, self._port = host, port
        self._test_mode = test_mode
        self._journal = Journal(state) if state else None
        self.gateway = Gateway(
            register=Register(accounts),
            rules=with_switches(chosen.rules, rules or {}),
            faults=Faults(seed, (*map(parse_fault, faults), *chosen.faults)),
            clock=clock or VirtualClock(),
            store=Store(seed, self._journal, keep_bytes),
        )
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=MAX_BODY)
        application.add_routes(api.routes(self.gateway))
        application.add_routes(look_up.routes(self.gateway))
        application.add_routes(_health(self.gateway))
        if self._test_mode:
            application.add_routes(sim.routes(self.gateway))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=DRAIN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gateway.stopping.set()  # whoever hangs on purpose lets go
        if self._runner:
            await self._runner.cleanup()
        if self._journal:
            self._journal.close()


def _health(gateway: Gateway) -> list[web.RouteDef]:
    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def metrics(_: web.Request) -> web.Response:
        name = "healthbook_gateway_simulator_answers_total"
        lines = [f"# HELP {name} Answers of the gateway simulator.", f"# TYPE {name} counter"]
        lines += [
            f'{name}{{operation="{operation}",code="{code}"}} {count}'
            for (operation, code), count in sorted(gateway.stats.answers.items())
        ]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain", charset="utf-8")

    return [web.get("/livez", alive), web.get("/readyz", alive), web.get("/metrics", metrics)]
