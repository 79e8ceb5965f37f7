"""The switches of the gateway: everything that no public source settles is a value here, never a hard-coded truth.

A profile (GATEWAY §13) is a set of switches with the faults that belong to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Any, Self

from streams.simulators.gateway.faults import Fault, parse_fault


class Window(StrEnum):
    """When cost data is taken (§6.5, code 701)."""

    OPEN = "open"
    MONTH_AND_FIVE_DAYS = "month+5"
    CLOSED = "closed"


class SizeRule(StrEnum):
    """How large `fileHSBase64` may be (§6.7, code 1001)."""

    STRICT = "strict"  # 20 MB at any hour
    BY_HOUR = "by_hour"  # 20 MB in the busy hours, 100 MB otherwise


@dataclass(frozen=True, slots=True)
class Days:
    """From the first to the last day, written `2024-07-01/2024-12-31`."""

    first: date
    last: date

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises ValueError."""
        first, last = map(date.fromisoformat, text.split("/"))
        return cls(first, last)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{self.first}/{self.last}"


@dataclass(frozen=True, slots=True)
class Rules:
    """Defaults are those of the profile `strict`."""

    window: Window = Window.OPEN
    # QĐ 3176 obliges BHXH to let facilities replace dossiers of the transition, whatever the window.
    replacement: Days = Days(date(2024, 7, 1), date(2024, 12, 31))
    size_rule: SizeRule = SizeRule.STRICT
    token_seconds: int = 600
    ip_binding: bool = True
    single_session: bool = False
    allow_batch: bool = False
    allow_unsigned: bool = False
    allow_two_references: bool = False  # signature profile P2 for a dossier
    require_subject_name: bool = True
    lower_case_hash: bool = False
    json_bodies: bool = False


class RuleError(ValueError):
    """A switch or profile that does not exist, or a value it cannot have."""


def with_switches(rules: Rules, switches: Mapping[str, str]) -> Rules:
    """`rules` with switches given as text (`{"window": "month+5", "allow_batch": "true"}`). Raises RuleError."""
    known = {field.name: type(getattr(rules, field.name)) for field in fields(rules)}
    changes: dict[str, Any] = {}
    for name, text in switches.items():
        if name not in known:
            raise RuleError(f"unknown rule {name!r}; known: {', '.join(known)}")
        try:
            changes[name] = _READ.get(known[name], known[name])(text)
        except (KeyError, ValueError):
            raise RuleError(f"rule {name}: cannot be {text!r}") from None
    return replace(rules, **changes)


_READ: Mapping[type, Callable[[str], Any]] = {
    bool: lambda text: {"true": True, "false": False}[text.lower()],
    Days: Days.read,
}


@dataclass(frozen=True, slots=True)
class Profile:
    rules: Rules
    faults: tuple[Fault, ...] = ()


def _faults(*texts: str) -> tuple[Fault, ...]:
    return tuple(parse_fault(text) for text in texts)


PROFILES: Mapping[str, Profile] = {
    "strict": Profile(Rules()),
    "lenient": Profile(
        Rules(allow_unsigned=True, lower_case_hash=True, json_bodies=True, require_subject_name=False),
    ),
    "flaky": Profile(
        Rules(),
        _faults(
            "auth_in_body=0.03",
            "token_ttl=seconds:5,silent:true,probability:0.2",
            "html_page=probability:0.03",
            "accept_then_drop=0.03",
            "burst_500=probability:0.01,length:5",
        ),
    ),
    "month_end": Profile(
        Rules(size_rule=SizeRule.BY_HOUR),
        _faults("rate_limit=0.1", "latency=seconds:0.5,jitter:2.5"),
    ),
    "maintenance": Profile(Rules(), _faults("maintenance")),
}


def profile(name: str) -> Profile:
    """Raises RuleError."""
    try:
        return PROFILES[name]
    except KeyError:
        raise RuleError(f"unknown profile {name!r}; known: {', '.join(PROFILES)}") from None
