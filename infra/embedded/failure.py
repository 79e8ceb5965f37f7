"""What can go wrong while parts stand up, said in one sentence with the place to look."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PartFailed(Exception):  # noqa: N818 - named for what happened, like the words of the runtime
    """A part cannot start or went away. `why` is the part's own last meaningful line, or what we found ourselves."""

    code = "part-failed"

    def __init__(self, part: str, why: str, log: Path | None = None) -> None:
        self.part, self.why, self.log = part, why, log
        where = f" Its log is {log}." if log else ""
        super().__init__(f"{part} cannot run: {why.rstrip('.')}.{where}")


class HomeBusy(Exception):  # noqa: N818
    """Another supervisor holds this home; two of them would start the same parts on the same data."""

    code = "home-busy"

    def __init__(self, home: Path, pid: int | None) -> None:
        self.home, self.pid = home, pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{home} is in use by {who}: end that one first, or choose another HEALTHBOOK_HOME.")


@contextmanager
def first_failure() -> Iterator[None]:
    """A task group's first error as itself: the others are its consequences, and callers wait for PartFailed."""
    try:
        yield
    except BaseExceptionGroup as group:
        failure: BaseException = group
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        raise failure from None
