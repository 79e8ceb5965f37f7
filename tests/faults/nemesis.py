"""Carries a schedule out, and leaves nothing hurt behind."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from streams.simulators.gateway.faults import parse_fault
from tests.faults.links import Weather
from tests.faults.schedule import Fault, Kind
from tests.faults.system import System

_WEATHER = {Kind.CUT: Weather.CUT, Kind.HALF_OPEN: Weather.HALF_OPEN}


@dataclass
class Injected:
    """What was done, by kind; `missed`: its target was down or away at that moment."""

    done: Counter[Kind] = field(default_factory=Counter)
    missed: int = 0

    def __str__(self) -> str:
        kinds = " ".join(f"{kind} {self.done[kind]}" for kind in Kind if self.done[kind])
        return f"{sum(self.done.values())} faults ({kinds})" + (f", {self.missed} missed" if self.missed else "")


async def hurt(
    system: System, faults: Sequence[Fault], tell: Callable[[str], None] = lambda _: None, *, pace: float = 1.0
) -> Injected:
    """Returns when the last fault is over. `pace` stretches the time between them, not themselves."""
    injected = Injected()
    started = time.monotonic()

    async def one(fault: Fault) -> None:
        await asyncio.sleep(max(0.0, started + fault.at * pace - time.monotonic()))
        done = await _inflict(system, fault)
        tell(f"{fault}{'' if done else ' (missed)'}")
        if done:
            injected.done[fault.kind] += 1
        else:
            injected.missed += 1

    async with asyncio.TaskGroup() as group:
        for fault in faults:
            group.create_task(one(fault))
    return injected


async def _inflict(system: System, fault: Fault) -> bool:
    match fault.kind:
        case Kind.KILL | Kind.RESTART:
            return await system.processes[fault.target].down(fault.seconds, kill=fault.kind is Kind.KILL)
        case Kind.PAUSE:
            return await system.processes[fault.target].pause(fault.seconds)
        case Kind.SLOW:
            system.links[fault.target].slow = True
            await asyncio.sleep(fault.seconds)
            system.links[fault.target].slow = False
        case Kind.CUT | Kind.HALF_OPEN:
            link = system.links[fault.target]
            link.become(_WEATHER[fault.kind])
            await asyncio.sleep(fault.seconds)
            link.become(Weather.CLEAR)
        case Kind.CLOCK:
            system.clocks.step(fault.target, fault.detail)
            await asyncio.sleep(fault.seconds)
            system.clocks.step(fault.target, "+0")
        case Kind.DISK_FULL:
            await asyncio.to_thread(system.disk.fill)
            await asyncio.sleep(fault.seconds)
            system.disk.free()
        case Kind.GATEWAY:
            return await _gateway(system, fault)
    return True


async def _gateway(system: System, fault: Fault) -> bool:
    """Added and taken away again; a gateway that was killed meanwhile has forgotten it by itself."""
    wanted = parse_fault(fault.detail)
    document = {"fault": wanted.name, "probability": wanted.probability, **wanted.options}
    try:
        async with _http() as http, http.post(f"{system.gateway}/_sim/faults", json=document) as answer:
            answer.raise_for_status()
    except (aiohttp.ClientConnectionError, TimeoutError):
        return False
    await asyncio.sleep(fault.seconds)
    try:
        async with _http() as http, http.delete(f"{system.gateway}/_sim/faults?fault={wanted.name}"):
            pass
    except (aiohttp.ClientConnectionError, TimeoutError):
        await asyncio.sleep(0)
    return True


async def calm(system: System) -> None:
    """Whatever a fault that could not be taken back left: none of the gateway's is active any more."""
    async with _http() as http, http.delete(f"{system.gateway}/_sim/faults") as answer:
        answer.raise_for_status()


def _http() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3))
