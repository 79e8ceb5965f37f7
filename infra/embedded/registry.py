"""Apicurio Registry, spoken to through its Confluent-compatible API; it keeps everything in PostgreSQL.

Its other storage forgets all schemas at a restart. The 4-byte id in our messages is its content id: never switch
legacy ids on.
"""

from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from infra.embedded.home import keep_port, required_port
from infra.embedded.jars import resolve
from infra.embedded.java import Application
from infra.embedded.process import Child, spawn

NAME = "registry"
READY_WITHIN = 120.0
COMPATIBILITY = "BACKWARD"  # for subjects without a level of their own; a fresh registry checks nothing


def application(home: Path, folder: Path) -> Application:
    return Application(folder, ("-jar", str(folder / "quarkus-run.jar")), (), home / "run" / "registry-%p.classes")


async def start(home: Path, downloads: Path, *, database: str, port: int | None = None) -> tuple[Child, str]:
    """Start the registry on the server of `database`, in its own database there; its base URL. Raises PartFailed."""
    port = keep_port(home, NAME) if port is None else required_port(NAME, port)
    options = _options(database, port, keep_port(home, f"{NAME}-management"))
    app = application(home, await resolve(NAME, downloads))
    child = await spawn(home, NAME, app.command("-Xms64m", *options))
    base = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    try:
        await child.ready(lambda: _answers(base), READY_WITHIN)
        await _require_compatibility(base)
    except BaseException:
        await child.stop()
        raise
    return child, base


def _options(database: str, port: int, management: int) -> list[str]:
    server = urlsplit(database)
    properties = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": port,
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": management,
        "quarkus.http.access-log.enabled": "false",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "postgresql",
        "apicurio.datasource.url": f"jdbc:postgresql://{server.hostname}:{server.port}/registry",
        "apicurio.datasource.username": server.username,
        "apicurio.datasource.password": "unused",  # our server asks for none, but an empty one counts as missing
    }
    return [f"-D{name}={value}" for name, value in properties.items()]


async def _answers(base: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http,
            http.get(f"{base}/config") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _require_compatibility(base: str) -> None:
    """Only where nothing is checked yet: a stricter level that somebody set stays."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        async with http.get(f"{base}/config") as answer:
            level = (await answer.json(content_type=None))["compatibilityLevel"]
        if level == "NONE":
            async with http.put(f"{base}/config", json={"compatibility": COMPATIBILITY}) as answer:
                answer.raise_for_status()
