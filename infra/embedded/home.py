"""One home, one supervisor: the lock, the ports it used last, the addresses a second terminal looks up."""

import fcntl
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from infra.embedded.failure import HomeBusy, PartFailed
from infra.embedded.records import is_running, read_json, write_atomically

# Below the kernel's ephemeral range. A client that keeps calling a dead port of that range may be given the very same
# port as its own end, connect to itself, and so hold the port against the part that wants to come back.
PORTS = range(20_000, 32_000)


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the home. Raises HomeBusy when another process does; the kernel lets go when its holder dies."""
    run = home / "run"
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeBusy(home, supervisor(home)) from None
        (run / "addresses.json").unlink(missing_ok=True)  # of a supervisor that was killed
        write_atomically(run / "supervisor.json", {"pid": os.getpid(), "create_time": psutil.Process().create_time()})
        try:
            yield
        finally:
            (run / "addresses.json").unlink(missing_ok=True)
            (run / "supervisor.json").unlink(missing_ok=True)


def supervisor(home: Path) -> int | None:
    """The pid of the process that holds this home, or None. Looks without taking the lock."""
    match read_json(home / "run" / "supervisor.json"):
        case {"pid": int(pid), "create_time": float(create_time)} if is_running(pid, create_time):
            return pid
        case _:
            return None


def write_addresses(home: Path, addresses: dict[str, object]) -> None:
    """Merge into `HOME/run/addresses.json`; whoever supervises adds what it serves itself (gateway, metrics…)."""
    path = home / "run" / "addresses.json"
    write_atomically(path, {**read_json(path), **addresses})


def read_addresses(home: Path) -> dict[str, object]:
    """What the running supervisor of this home wrote; empty when none runs, whatever file a killed one left."""
    return read_json(home / "run" / "addresses.json") if supervisor(home) else {}


def keep_port(home: Path, use: str) -> int:
    """A free port for `use`: that of the last start when it is still free, so that clients come back by themselves."""
    ports = read_json(_ports(home))
    last = ports.get(use)
    port = last if isinstance(last, int) and is_free(last) else _free_port(taken=set(ports.values()))
    write_atomically(_ports(home), {**ports, use: port})
    return port


def same_port(home: Path, use: str) -> int:
    """The port of the last start, for a restart under clients that know it. Raises PartFailed when it is taken."""
    return required_port(use, int(str(read_json(_ports(home))[use])))


def required_port(use: str, port: int) -> int:
    if not is_free(port):
        raise PartFailed(use, f"port {port} of 127.0.0.1 is taken by another program")
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen there now. Connections in TIME_WAIT do not matter to it, nor here."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


def _ports(home: Path) -> Path:
    return home / "run" / "ports.json"


def _free_port(taken: set[object]) -> int:
    candidates = random.sample(PORTS, k=1000)
    return next(port for port in candidates if port not in taken and is_free(port))
