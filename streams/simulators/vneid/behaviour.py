"""How this display side behaves: seeded delays, and the faults that it may have."""

import math
import random
import re
from dataclasses import dataclass, fields, replace
from typing import Any

SPREAD = 0.6
"""Sigma of the lognormal delay: one in twenty takes 2.7 times the median."""


class FaultError(ValueError):
    """A fault that is not known, or a value it cannot have."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares are of entries, 0 to 1; which entries is decided by the seed, not by the order in which they come."""

    silence: float = 0.0
    """Shown, but never acknowledged."""
    silence_match: str = ""
    """The same for entries whose id matches this regular expression."""
    silence_until_reminded: float = 0.0
    """Shown, but acknowledged only when a reminder names it."""
    overlooked: float = 0.0
    """Passed over as if it had not arrived, until a reminder names it."""
    duplicate: float = 0.0
    """Acknowledged twice."""
    stale: float = 0.0
    """Together with a version, an older one is acknowledged again."""
    late: float = 0.0
    """Shown `late_seconds` later."""
    late_seconds: float = 25 * 3600.0

    def having(self, name: str, value: object) -> "Faults":
        """These faults with one changed; dashes in its name are as good as underscores. Raises FaultError."""
        name = name.strip().replace("-", "_")
        if name not in KINDS:
            raise FaultError(f"fault {name!r} is not known; known: {', '.join(KINDS)}")
        if name == "silence_match":
            try:
                re.compile(str(value))
            except re.error as error:
                raise FaultError(f"fault {name}: not a regular expression: {error.msg}") from None
            return replace(self, silence_match=str(value))
        try:
            number = float(str(value))
        except ValueError:
            raise FaultError(f"fault {name}: expected a number") from None
        if not number >= 0 or (name != "late_seconds" and number > 1):
            raise FaultError(f"fault {name}: expected {'seconds' if name == 'late_seconds' else 'a share of 0 to 1'}")
        changed: dict[str, Any] = {name: number}
        return replace(self, **changed)


KINDS = tuple(field.name for field in fields(Faults))


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one version of one entry. `delay` in seconds from its arrival."""

    delay: float
    silent: bool
    silent_until_reminded: bool
    overlooked: bool
    acknowledgements: int
    stale: bool


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The same seed, faults and version give the same plan. `median_delay` in seconds."""

    seed: int
    median_delay: float
    faults: Faults = Faults()

    def plan(self, entry_id: str, version: int) -> Plan:
        faults, chance = self.faults, random.Random(f"{self.seed}|{entry_id}|{version}")  # noqa: S311 (must repeat)
        delay = self.median_delay * math.exp(chance.gauss(0, SPREAD))
        silent, duplicate, stale, late, until_reminded, overlooked = (
            chance.random() < share
            for share in (
                *(faults.silence, faults.duplicate, faults.stale, faults.late),
                *(faults.silence_until_reminded, faults.overlooked),
            )
        )
        matched = bool(faults.silence_match) and re.search(faults.silence_match, entry_id) is not None
        return Plan(
            delay=delay + (faults.late_seconds if late else 0.0),
            silent=silent or matched,
            silent_until_reminded=until_reminded,
            overlooked=overlooked,
            acknowledgements=2 if duplicate else 1,
            stale=stale,
        )


def parse_faults(given: tuple[str, ...]) -> Faults:
    """`NAME=VALUE`, one a string; a share without value is 1. Raises FaultError."""
    faults = Faults()
    for item in given:
        name, separator, value = item.partition("=")
        faults = faults.having(name, value if separator else 1)
    return faults
