"""Counters of one run: answers per operation and code, how many calls were under way at once, and came in a second."""

import time
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from streams.simulators.gateway.faults import SEND, Call


@dataclass(slots=True)
class _Level:
    """How many at once, for each key, and the most there ever were for one."""

    now: Counter[Hashable] = field(default_factory=Counter)
    highest: int = 0

    def enter(self, key: Hashable) -> None:
        self.now[key] += 1
        self.highest = max(self.highest, self.now[key])

    def leave(self, key: Hashable) -> None:
        self.now[key] -= 1
        if not self.now[key]:
            del self.now[key]


@dataclass(slots=True)
class _Pace:
    """The most arrivals that there ever were within any one second."""

    lately: deque[float] = field(default_factory=deque)
    highest: int = 0

    def arrived(self, now: float) -> None:
        self.lately.append(now)
        while self.lately[0] <= now - 1.0:
            self.lately.popleft()
        self.highest = max(self.highest, len(self.lately))


class Stats:
    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self._all, self._facility, self._visit = _Level(), _Level(), _Level()
        self._sends = _Pace()

    def count(self, operation: str, code: str) -> None:
        self.answers[operation, code] += 1

    @contextmanager
    def under_way(self, call: Call) -> Iterator[None]:
        if call.operation == SEND:
            self._sends.arrived(time.monotonic())
        levels: list[tuple[_Level, Hashable]] = [(self._all, None), (self._facility, call.facility)]
        if call.visit:
            levels.append((self._visit, (call.facility, call.visit)))
        for level, key in levels:
            level.enter(key)
        try:
            yield
        finally:
            for level, key in levels:
                level.leave(key)

    def concurrency(self) -> dict[str, int]:
        return {
            "concurrent": self._all.now.total(),
            "maxConcurrent": self._all.highest,
            "maxConcurrentPerFacility": self._facility.highest,
            "maxConcurrentPerVisit": self._visit.highest,
            "maxSendsPerSecond": self._sends.highest,
        }

    def by_operation(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (operation, code), count in sorted(self.answers.items()):
            found.setdefault(operation, {})[code] = count
        return found
