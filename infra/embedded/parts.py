"""The set of parts under one home: what starts beside what, what stops before what."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from infra.embedded import cluster, jars, kafka, postgres, registry
from infra.embedded.cluster import Cluster, Node, planned
from infra.embedded.failure import PartFailed, first_failure
from infra.embedded.home import locked, same_port, write_addresses
from infra.embedded.locks import one_at_a_time
from infra.embedded.process import Child, end_orphans, run_to_end
from infra.embedded.restarts import keep_running


@dataclass(frozen=True)
class Addresses:
    """Kafka's bootstrap servers (all of them), PostgreSQL's URL, the registry's base URL (`…/apis/ccompat/v7`)."""

    kafka: str
    database: str
    schema_registry: str


class Parts:
    """`async with Parts(home) as addresses`: the parts of `home`, from ready until the block is left.

    A given address is used as it is and nothing is started for it. Entering raises HomeBusy when another supervisor
    holds the home, PartFailed when a part cannot start; nothing is left running then. `downloads` keeps the jars, so
    that several homes can share them. `brokers` is 1 ("kafka") or 3 ("kafka-1" to "kafka-3"). Data, ports and logs stay
    in `home` for the next start.
    """

    addresses: Addresses

    def __init__(
        self,
        home: Path,
        *,
        downloads: Path | None = None,
        kafka: str | None = None,
        database: str | None = None,
        registry: str | None = None,
        brokers: int = 1,
    ) -> None:
        self.home = home.resolve()
        self.children: dict[str, Child] = {}
        self._downloads = (downloads or home / "parts").resolve()
        self._kafka, self._database, self._registry = kafka, database, registry
        self._embedded_database = ""
        self._brokers = brokers
        self._cluster = Cluster(self.home, ())
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Addresses:
        async with AsyncExitStack() as starting:
            try:
                starting.enter_context(locked(self.home))
                await end_orphans(self.home)
                starting.push_async_callback(self._stop)
                self.addresses = await self._start()
                write_addresses(self.home, asdict(self.addresses))
            except OSError as error:
                raise PartFailed("home", f"{self.home} cannot be used: {error.strerror or error}") from error
            starting.push_async_callback(_cancel, asyncio.create_task(self._archive_classes()))
            self._running = starting.pop_all()
        return self.addresses

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    async def keep_running(self) -> None:
        """For ever: start a part again when it ends unasked. Raises PartFailed when one keeps ending."""
        with first_failure():
            async with asyncio.TaskGroup() as group:
                for part, child in self.children.items():
                    group.create_task(keep_running(child, partial(self._restarted, part)))

    async def kill(self, part: str) -> None:
        """SIGKILL a part ("kafka", "kafka-2", "postgres", "registry") as a crash would; for tests of what survives."""
        await self.children[part].kill()

    async def restart(self, part: str) -> None:
        """End `part` if it still runs, then start it at the same address with the same data. Raises PartFailed."""
        await self.children[part].stop()
        match part:
            case postgres.NAME:
                await self._start_postgres(same_port(self.home, part))
            case registry.NAME:
                await self._start_registry(same_port(self.home, part))
            case _:
                await self._start_broker(next(node for node in self._cluster.nodes if node.name == part))

    async def _restarted(self, part: str) -> Child:
        await self.restart(part)
        return self.children[part]

    async def _start(self) -> Addresses:
        with first_failure():
            async with asyncio.TaskGroup() as group:
                broker = group.create_task(self._start_kafka())
                stores = group.create_task(self._start_stores())
        return Addresses(broker.result(), *stores.result())

    async def _start_stores(self) -> tuple[str, str]:
        """PostgreSQL beside the registry's download, then the registry, which keeps its schemas there."""
        async with asyncio.TaskGroup() as group:
            database = group.create_task(self._start_postgres())
            if not self._registry:
                group.create_task(jars.resolve(registry.NAME, self._downloads))
        return database.result(), await self._start_registry()

    async def _start_kafka(self) -> str:
        if self._kafka:
            return self._kafka
        self._cluster = planned(self.home, self._brokers)
        async with asyncio.TaskGroup() as group:  # none of several is ready before most of them run
            for node in self._cluster.nodes:
                group.create_task(self._start_broker(node))
        return self._cluster.bootstrap

    async def _start_broker(self, node: Node) -> None:
        self.children[node.name] = await kafka.start(self._cluster, node, self._downloads)

    async def _start_postgres(self, port: int | None = None) -> str:
        """Also when only the registry needs it: a given server may not let us make a database for the registry."""
        if self._database and self._registry:
            return self._database
        self.children[postgres.NAME], self._embedded_database = await postgres.start(self.home, port=port)
        return self._database or self._embedded_database

    async def _start_registry(self, port: int | None = None) -> str:
        if self._registry:
            return self._registry
        started = registry.start(self.home, self._downloads, database=self._embedded_database, port=port)
        self.children[registry.NAME], address = await started
        return address

    async def _archive_classes(self) -> None:
        """Quicker starts from now on. Nothing waits for it; if it fails, its log says why and starts stay slow."""
        first_broker = [(cluster.NAME, kafka.application, node.name) for node in self._cluster.nodes[:1]]
        makers = [*first_broker, (registry.NAME, registry.application, registry.NAME)]
        running = [(part, make, self.children[name].pid) for part, make, name in makers if name in self.children]
        for part, make, pid in running:
            application = make(self.home, await jars.resolve(part, self._downloads))
            async with one_at_a_time(self._downloads / f".{part}-archive.lock"):
                if command := application.archive_command(pid):
                    with suppress(PartFailed):
                        await run_to_end(self.home, f"{part}-archive", command)
                        application.forget_lists()

    async def _stop(self) -> None:
        """Brokers ∥ (registry → PostgreSQL): nobody loses what he stands on.

        The brokers all at once: stopped one after the other, the last would wait for a quorum that is gone.
        """

        async def stop(*names: str) -> None:
            for name in names:
                if child := self.children.get(name):
                    await child.stop()

        brokers = [stop(node.name) for node in self._cluster.nodes]
        await asyncio.gather(*brokers, stop(registry.NAME, postgres.NAME))


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])
