"""Faults: the ways in which the real gateway fails (GATEWAY §11), by name, each with chance, count and match.

A fault says *what* goes wrong and *for whom*; `trouble.py` does it. Faults are asked in the order in which they were
added, each with its own seeded dice, so the same seed and the same order of requests give the same behaviour.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streams.simulators.gateway.clock import instant


@dataclass(frozen=True, slots=True)
class Kind:
    """One quirk: the operations it touches by default, its options with their defaults, and what `NAME=VALUE` sets."""

    on: frozenset[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    primary: str = "probability"


TAKE, SEND, CHECK_IN, LOOK_UP = "take", "send", "checkin", "lookup"
OPERATIONS = frozenset({TAKE, SEND, CHECK_IN, LOOK_UP})
_SEND, _TAKE, _ANY, _STYLE_A = frozenset({SEND}), frozenset({TAKE}), OPERATIONS, frozenset({SEND, CHECK_IN})
_IN_SESSION = OPERATIONS - _TAKE

KINDS: Mapping[str, Kind] = {
    "auth_in_body": Kind(_IN_SESSION, {"status": 200}),  # Q01
    "auth_http_empty": Kind(_IN_SESSION),  # Q02
    "token_ttl": Kind(_TAKE, {"seconds": 5.0, "silent": False}, "seconds"),  # Q03; silent: announces the usual life
    "ip_change": Kind(_IN_SESSION),  # Q04
    "take_down": Kind(_TAKE, {"status": 503}),  # Q05
    "send_down": Kind(_SEND, {"status": 503}),  # Q05
    "html_page": Kind(_SEND, {"status": 502, "blank": False, "when": "before"}, "status"),  # Q06
    "reset": Kind(_SEND, {"when": "before"}),  # Q07
    "hang": Kind(_SEND, {"when": "before", "seconds": 3600.0}, "seconds"),  # Q07
    "accept_then_drop": Kind(_STYLE_A),  # Q08
    "burst_500": Kind(_SEND, {"length": 1, "status": 200}, "count"),  # Q09
    "num_code": Kind(_ANY),  # Q10
    "alt_keys": Kind(_ANY),  # Q10
    "reason_in_magd": Kind(_STYLE_A),  # Q11
    "latency": Kind(_IN_SESSION, {"seconds": 1.0, "jitter": 0.0}, "seconds"),  # Q12
    "lenient_sender": Kind(_STYLE_A),  # Q14
    "async_errors": Kind(_SEND, {"hours": 24.0, "code": "", "text": "", "table": "XML1", "field": ""}, "hours"),  # Q15
    "checkin_down": Kind(frozenset({CHECK_IN}), {"status": 503}),  # Q18
    "restricted": Kind(frozenset({LOOK_UP})),  # Q19
    "maintenance": Kind(_ANY, {"from": "", "until": ""}),  # Q20; instants of the virtual clock
    "form_only": Kind(_ANY),  # Q21
    "rate_limit": Kind(_SEND, {"retry_after": 1}),  # Q22
    "answer": Kind(
        _SEND, {"code": "500", "text": "", "status": 200, "when": "before"}, "code"
    ),  # any maKetQua; 701 is Q16, 1001 is Q17
}

MOMENTS = ("before", "after")
"""Of `when`: before anything is judged, or after the dossier was accepted and stored."""


class FaultError(ValueError):
    """A fault that cannot be: says which word is wrong and what is known."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who is calling, as far as the request tells. `facility` is MA_CSKCB, `visit` is MA_LK."""

    operation: str
    facility: str | None
    visit: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    on: frozenset[str]
    options: Mapping[str, Any]
    probability: float = 1.0
    count: int | None = None
    facility: str | None = None
    visit: str | None = None

    def touches(self, call: Call) -> bool:
        return call.operation in self.on and self.facility in (None, call.facility) and self.visit in (None, call.visit)

    def in_hours(self, now: datetime) -> bool:
        """Between `from` and `until`, for the kind that has them (a maintenance)."""
        begin, end = self.options.get("from"), self.options.get("until")
        return (not begin or instant(begin) <= now) and (not end or now < instant(end))


def parse_fault(text: str) -> Fault:
    """`NAME`, `NAME=VALUE` or `NAME=key:value,key:value`; a code alone (`701`) answers it. Raises FaultError."""
    name, _, rest = text.partition("=")
    document: dict[str, Any] = {"fault": name}
    if rest and ":" not in rest:
        kind = KINDS.get(name)
        document[kind.primary if kind else "code"] = rest
    elif rest:
        document |= {key: value for key, _, value in (part.partition(":") for part in rest.split(","))}
    return fault_from(document)


def fault_from(document: Mapping[str, Any]) -> Fault:
    """The JSON form: `fault`, `probability`, `count`, `on`, `match {maCSKCB, maLK}` and the options of that kind.

    `maCSKCB` and `maLK` may also stand at the top, as on the command line. Raises FaultError.
    """
    given = dict(document)
    name = str(given.pop("fault", ""))
    if name.isdigit():
        name, given = "answer", {"code": name, **given}
    kind = KINDS.get(name)
    if kind is None:
        raise FaultError(f"unknown fault {name!r}; known: {', '.join(KINDS)}")
    match = given.pop("match", None) or {}
    if not isinstance(match, Mapping) or set(match) - {"maCSKCB", "maLK"}:
        raise FaultError(f"{name}: match knows maCSKCB and maLK only")
    match = {**{key: given.pop(key) for key in ("maCSKCB", "maLK") if key in given}, **match}
    on = given.pop("on", None)
    operations = kind.on if on is None else OPERATIONS if on == "any" else frozenset({str(on)})
    if operations - OPERATIONS:
        raise FaultError(f"{name}: on is one of {', '.join(sorted(OPERATIONS))}, any")
    probability = float(_like(0.0, given.pop("probability", 1.0), f"{name}.probability"))
    if not 0 <= probability <= 1:
        raise FaultError(f"{name}: probability is between 0 and 1")
    count = given.pop("count", None)
    unknown = set(given) - set(kind.options)
    if unknown:
        raise FaultError(f"{name} has no option {', '.join(sorted(unknown))}; it has: {', '.join(kind.options)}")
    options = {key: _like(usual, given.get(key, usual), f"{name}.{key}") for key, usual in kind.options.items()}
    if options.get("when", "before") not in MOMENTS:
        raise FaultError(f"{name}: when is one of {', '.join(MOMENTS)}")
    for key in ("from", "until"):
        if options.get(key):
            options[key] = _instant(options[key], f"{name}.{key}")
    return Fault(
        name=name,
        on=operations,
        options=options,
        probability=probability,
        count=None if count is None else int(_like(0, count, f"{name}.count")),
        facility=match.get("maCSKCB"),
        visit=match.get("maLK"),
    )


def _instant(text: str, where: str) -> str:
    try:
        return instant(text).isoformat()
    except ValueError:
        raise FaultError(f"{where}: not an ISO 8601 instant") from None


def _like(usual: Any, value: Any, where: str) -> Any:
    """`value` as the type of the usual value; text from the command line becomes a number or a switch."""
    kind = type(usual)
    try:
        if kind is bool and isinstance(value, str):
            return {"true": True, "false": False}[value.lower()]
        return kind(value)
    except (KeyError, TypeError, ValueError):
        raise FaultError(f"{where}: expected {kind.__name__}") from None


@dataclass(slots=True)
class ActiveFault:
    """A fault with its own dice. `taken` counts how often it struck."""

    fault: Fault
    dice: random.Random
    taken: int = 0
    burst: int = 0

    def strikes(self, call: Call) -> bool:
        fault = self.fault
        if not fault.touches(call) or (fault.count is not None and self.taken >= fault.count):
            return False
        if self.burst:
            self.burst -= 1
        elif self.dice.random() >= fault.probability:
            return False
        else:
            self.burst = int(fault.options.get("length", 1)) - 1
        self.taken += 1
        return True

    def seconds(self) -> float:
        """`seconds` and, where the kind has it, up to `jitter` more."""
        options = self.fault.options
        return float(options["seconds"]) + self.dice.random() * float(options.get("jitter", 0.0))


class Faults:
    """The active faults, in order."""

    def __init__(self, seed: int, faults: tuple[Fault, ...] = ()) -> None:
        self._seed = seed
        self._added = 0
        self._active: list[ActiveFault] = []
        for fault in faults:
            self.add(fault)

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(self._active)

    def add(self, fault: Fault) -> None:
        # Dice of its own: adding or removing one fault leaves the luck of the others as it was.
        dice = random.Random(f"{self._seed}/{self._added}/{fault.name}")  # noqa: S311 - repeatable on purpose
        self._added += 1
        self._active.append(ActiveFault(fault, dice))

    def clear(self, name: str | None = None) -> int:
        """Removes all faults, or those of one name; answers how many."""
        kept = [active for active in self._active if name is not None and active.fault.name != name]
        removed = len(self._active) - len(kept)
        self._active = kept
        return removed

    def taken(self, name: str, facility: str | None) -> int:
        """How often faults of this kind struck, as far as they touch this facility."""
        touching = (active for active in self._active if active.fault.facility in (None, facility))
        return sum(active.taken for active in touching if active.fault.name == name)

    def strike(self, call: Call, *names: str, when: str = "before", now: datetime | None = None) -> ActiveFault | None:
        """The first of these kinds, in order of adding, that strikes this call at this moment."""
        for active in self._active:
            fault = active.fault
            at_the_moment = fault.options.get("when", when) == when and (now is None or fault.in_hours(now))
            if fault.name in names and at_the_moment and active.strikes(call):
                return active
        return None
