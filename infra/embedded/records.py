"""What a supervisor leaves on disk about its children, and how a process is known again.

A pid alone is no identity: the kernel gives it away again. pid and start time together are, so that is what is
recorded and what is compared before a signal is sent to a process we did not start ourselves.
"""

import json
import os
import signal
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

# Start times come from the boot time, which the kernel derives from a clock that is being adjusted: the same process
# may be seen a fraction of a second off. No pid comes round again that quickly.
SAME_START_SECONDS = 1.0


@dataclass(frozen=True)
class Record:
    """One child: `HOME/run/processes/<name>.json`. `exit_code` is None while it runs or when nobody saw it end."""

    name: str
    pid: int
    create_time: float
    argv: list[str]
    started_at: str
    stop_signal: int = signal.SIGTERM
    exit_code: int | None = None

    def running(self) -> bool:
        """Whether this very process is still there; a zombie nobody reaped is not, a later owner of the pid is not."""
        return is_running(self.pid, self.create_time)

    def ended(self, exit_code: int) -> "Record":
        return replace(self, exit_code=exit_code)


def is_running(pid: int, create_time: float) -> bool:
    try:
        process = psutil.Process(pid)
        return (
            abs(process.create_time() - create_time) < SAME_START_SECONDS and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def write_atomically(path: Path, content: object) -> None:
    """JSON that a reader in another terminal never sees half-written."""
    write_text_atomically(path, json.dumps(content, indent=2) + "\n")


def write_text_atomically(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path) -> dict[str, object]:
    """The file's object; empty when there is none, or a full disk left a broken one behind."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_record(home: Path, record: Record) -> None:
    write_atomically(_folder(home) / f"{record.name}.json", asdict(record))


def read_records(home: Path) -> list[Record]:
    contents = (read_json(path) for path in sorted(_folder(home).glob("*.json")))
    return [Record(**content) for content in contents if content]  # type: ignore[arg-type]


def forget_record(home: Path, name: str) -> None:
    (_folder(home) / f"{name}.json").unlink(missing_ok=True)


def _folder(home: Path) -> Path:
    return home / "run" / "processes"
