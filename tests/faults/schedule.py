"""What goes wrong, where and when: a pure function of a seed, so that a run can be played again."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch


class Kind(StrEnum):
    """Every way in which the nemesis hurts."""

    KILL = "kill"  # kill -9; it is started again after the fault's seconds
    RESTART = "restart"  # asked to end, as an operator does; started again likewise
    PAUSE = "pause"  # SIGSTOP, SIGCONT
    CUT = "cut"  # the connections of a link are reset, new ones too
    SLOW = "slow"  # a link with latency and little bandwidth
    HALF_OPEN = "half-open"  # requests arrive, answers vanish, nobody is told
    CLOCK = "clock"  # the process's clock jumps; PostgreSQL's does not
    DISK_FULL = "disk-full"  # of the HIS's spools
    GATEWAY = "gateway"  # a fault of the gateway simulator (docs/gateway-simulator.md)


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` and `seconds` from the start of the run. `target`: a process, a link `process>part`, or `gateway`."""

    at: float
    kind: Kind
    target: str
    seconds: float
    detail: str = ""

    def __str__(self) -> str:
        detail = f" {self.detail}" if self.detail else ""
        return f"{self.at:6.2f} s  {self.kind} {self.target}{detail}, {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Targets:
    """What there is to hurt. `clocks` and `disks` are empty on a machine that does not let us."""

    processes: tuple[str, ...]
    parts: tuple[str, ...]
    links: tuple[str, ...]
    clocks: tuple[str, ...]
    disks: tuple[str, ...]


Focus = Sequence[tuple[Kind, str]]
"""Kinds and target patterns that get most of the faults (a planted bug's neighbourhood); empty: all get theirs."""

_MEAN_PAUSE = 0.6
_FOCUSED = 0.9
_STRUCK = 0.5
_SETTLES = 8.0
"""A part needs about so long until everybody has found it again; until then it is left alone."""

_WEIGHTS: Mapping[Kind, int] = {
    Kind.KILL: 30,
    Kind.RESTART: 8,
    Kind.PAUSE: 12,
    Kind.CUT: 14,
    Kind.SLOW: 8,
    Kind.HALF_OPEN: 12,
    Kind.CLOCK: 6,
    Kind.DISK_FULL: 4,
    Kind.GATEWAY: 14,
}
_SECONDS: Mapping[Kind, tuple[float, float]] = {
    Kind.KILL: (0.0, 2.0),
    Kind.RESTART: (0.0, 1.0),
    Kind.PAUSE: (0.5, 6.0),
    Kind.CUT: (0.2, 3.0),
    Kind.SLOW: (2.0, 8.0),
    Kind.HALF_OPEN: (1.0, 5.0),
    Kind.CLOCK: (3.0, 8.0),
    Kind.DISK_FULL: (1.0, 4.0),
    Kind.GATEWAY: (1.0, 5.0),
}
_STEPS = ("+7200", "+90", "+1800", "-30", "-600", "-5400")
"""Seconds by which a clock is set wrong. The certificates and dossiers of a run stand any of them."""

GATEWAY_FAULTS = (
    "accept_then_drop=probability:0.7",
    "burst_500=probability:0.3,length:4",
    "reset=probability:0.5",
    "reset=probability:0.5,when:after",
    "hang=probability:0.3,seconds:30",
    "hang=probability:0.3,seconds:30,when:after",
    "html_page=status:502",
    "html_page=status:200,blank:true,when:after,probability:0.6",
    "auth_in_body=probability:0.4",
    "auth_http_empty=probability:0.4",
    "latency=seconds:0.5,jitter:1.5",
    "rate_limit=probability:0.4",
    "take_down",
    "send_down",
    "token_ttl=1",
    "ip_change=probability:0.2",
    "num_code=probability:0.6",
    "alt_keys=probability:0.6",
    "reason_in_magd",
    "maintenance",
)
"""Of GATEWAY §11, those after which every visit can still end by itself: none that needs a person."""


def schedule(seed: int, seconds: float, targets: Targets, focus: Focus = ()) -> tuple[Fault, ...]:
    """The faults of one run; all are over when `seconds` have passed.

    They overlap, but no two of them take each other's effect away, and a part that was hurt is given time to come back.
    """
    faults = _draw(random.Random(f"faults/{seed}"), seconds, targets, focus)
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _draw(dice: random.Random, seconds: float, targets: Targets, focus: Focus) -> Iterator[Fault]:
    by_kind = _possible(targets)
    free_at: dict[str, float] = {}
    at = 1.0
    while (at := at + dice.expovariate(1 / _MEAN_PAUSE)) < seconds:
        kind = dice.choices(list(by_kind), [_WEIGHTS[kind] for kind in by_kind])[0]
        target = dice.choice(by_kind[kind])
        aimed = [(a_kind, name) for a_kind, pattern in focus for name in by_kind[a_kind] if fnmatch(name, pattern)]
        if aimed and dice.random() < _FOCUSED:
            kind, target = dice.choice(aimed)
        lasts = min(dice.uniform(*_SECONDS[kind]), seconds - at)
        detail = _detail(kind, dice)
        held = _held(kind, target, detail)
        if free_at.get(held, 0.0) > at:
            continue
        heavy = target in targets.parts and kind in (Kind.KILL, Kind.RESTART, Kind.PAUSE)
        free_at[held] = at + lasts + (_SETTLES if heavy else 0.5)
        yield Fault(round(at, 3), kind, target, round(lasts, 3), detail)
        process, _, part = target.partition(">")
        if part and dice.random() < _STRUCK and free_at.get(process, 0.0) <= at:
            yield _struck(process, at, lasts, dice, free_at)


def _struck(process: str, at: float, lasts: float, dice: random.Random, free_at: dict[str, float]) -> Fault:
    """The process dies, or stands still, while its link is bad: then nobody is left who knows what got through."""
    kind = dice.choice((Kind.KILL, Kind.KILL, Kind.PAUSE))
    begins = at + dice.uniform(0.2, 0.9) * lasts
    rests = min(dice.uniform(*_SECONDS[kind]), at + lasts - begins)
    free_at[process] = begins + rests + 0.5
    return Fault(round(begins, 3), kind, process, round(rests, 3))


def _held(kind: Kind, target: str, detail: str) -> str:
    """What may not be hurt twice at once. A slow link may be cut as well, and the gateway have several troubles."""
    match kind:
        case Kind.SLOW:
            return f"{target} slow"
        case Kind.GATEWAY:
            return f"{target} {detail.partition('=')[0]}"
        case _:
            return target


def _possible(targets: Targets) -> dict[Kind, tuple[str, ...]]:
    everything = targets.processes + targets.parts
    found = {
        Kind.KILL: everything,
        Kind.RESTART: everything,
        Kind.PAUSE: everything,
        Kind.CUT: targets.links,
        Kind.SLOW: targets.links,
        Kind.HALF_OPEN: targets.links,
        Kind.CLOCK: targets.clocks,
        Kind.DISK_FULL: targets.disks,
        Kind.GATEWAY: ("gateway",),
    }
    return {kind: names for kind, names in found.items() if names}


def _detail(kind: Kind, dice: random.Random) -> str:
    match kind:
        case Kind.CLOCK:
            return dice.choice(_STEPS)
        case Kind.GATEWAY:
            return dice.choice(GATEWAY_FAULTS)
        case _:
            return ""
