"""Corrections the whole way, from the HIS to the health book, past a visit that is held and a dead letter."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from tests.support.eventually import eventually
from tests.support.system import RunningSystem, running_system

FACILITY, TOPIC = "01999", "visit.closed.v1"
DISCHARGED = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%S}"
"""One moment for all: the same visit again has the same content."""
DISPLAYED, HELD = "health-book.displayed.v1", "visit.held.v1"


class His:
    """A hospital that makes dossiers and closes visits; looks at what became of them as a person does."""

    def __init__(self, system: RunningSystem, folder: Path) -> None:
        self.system, self._folder = system, folder

    def dossier(self, seed: int, name: str, *options: str) -> Path:
        """The same seed is the same visit; other options are another content of it."""
        out = self._folder / f"{seed}-{name}"
        made = ("dossier", "new", "--facility", FACILITY, "--seed", str(seed), "--kind", "exam", "--insured")
        answer = self.system.healthbook(*made, "--discharged", DISCHARGED, *options, "--out", str(out))
        assert answer.returncode == 0, answer.stderr
        (found,) = out.glob("MAU*")
        return found

    def close(self, path: Path) -> int:
        answer = self.system.healthbook("visit", "close", str(path), "--facility", FACILITY, "--output", "json")
        assert answer.returncode == 0, answer.stderr
        return int(json.loads(answer.stdout)["revision"])

    def story(self, ma_lk: str) -> dict[str, Any]:
        answer = self.system.healthbook("visit", "show", FACILITY, ma_lk, "--output", "json")
        found: dict[str, Any] = json.loads(answer.stdout) if answer.returncode == 0 else {"story": [], "standing": []}
        return found

    def told(self, ma_lk: str, revision: int) -> list[str]:
        return [line["type"] for line in self.story(ma_lk)["story"] if line["revision"] == revision]

    async def tells(self, ma_lk: str, revision: int, what: str) -> None:
        await eventually(lambda: what in self.told(ma_lk, revision), timeout=90, message=f"{ma_lk}: {what}")

    async def shown(self, *paths: Path) -> list[int]:
        """Closes one visit after the other, each once the one before it is on the screen."""
        revisions = []
        for path in paths:
            revisions.append(self.close(path))
            await self.tells(path.name, revisions[-1], DISPLAYED)
        return revisions

    async def versions(self, ma_lk: str) -> list[str]:
        found = await self.system.gateway(f"/_sim/hoso?maCSKCB={FACILITY}&maLK={ma_lk}")
        return [item["state"] for item in found]

    async def entries(self, ma_lk: str) -> int:
        return [key for key, _ in await self.system.committed("health-book.entry.v1")].count(f"{FACILITY}|{ma_lk}")

    async def at_the_gateway(self, path: str, **document: Any) -> None:
        url = f"{self.system.addresses['gateway']}/_sim/{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=document) as answer:
            assert answer.status == 200, await answer.text()


async def unpaid_then_paid(his: His) -> None:
    unpaid, paid = his.dossier(501, "unpaid", "--trait", "unpaid"), his.dossier(501, "paid")
    assert unpaid.name == paid.name
    first, second = await his.shown(unpaid, paid)
    assert first < second
    assert await his.versions(paid.name) == ["replaced", "current"]
    assert await his.entries(paid.name) == 2


async def corrected_while_the_first_is_in_flight(his: His) -> None:
    """The gateway has both, in their order; the book the second alone."""
    first_, second_ = his.dossier(502, "first"), his.dossier(502, "second", "--size", "8")
    ma_lk = first_.name
    await his.at_the_gateway("faults", fault="latency", seconds=20, count=1, maLK=ma_lk)
    first = his.close(first_)
    await eventually(lambda: [item["state"] for item in his.story(ma_lk)["standing"]] == ["SENDING"], timeout=60)
    second = his.close(second_)

    def waits() -> bool:
        return {item["revision"]: item["waits_for"] for item in his.story(ma_lk)["standing"]} == {
            first: "the gateway's answer",
            second: f"the answer to revision {first}, which is in flight",
        }

    await eventually(waits, timeout=18, message="the story says what the second waits for")
    await his.tells(ma_lk, second, DISPLAYED)
    assert await his.versions(ma_lk) == ["replaced", "current"]
    assert await his.entries(ma_lk) == 1
    assert "visit.accepted.v1" not in his.told(ma_lk, first)


async def held_by_a_closed_window_while_others_pass(his: His) -> None:
    """What was shown stays shown; nobody else waits; released by a person it is sent, accepted and shown."""
    first, second = his.dossier(503, "first"), his.dossier(503, "second", "--size", "8")
    ma_lk = first.name
    await his.shown(first)
    await his.at_the_gateway("faults", fault="701", maLK=ma_lk)
    revision = his.close(second)
    await his.tells(ma_lk, revision, HELD)
    await a_dead_letter_lies_in_the_partition_of(his, ma_lk)
    await his.shown(*(his.dossier(seed, "other") for seed in (504, 505)))
    assert await his.versions(ma_lk) == ["current"]
    assert his.told(ma_lk, revision).count(HELD) == 1, "never a loop"

    async with aiohttp.ClientSession() as http:
        await http.delete(his.system.addresses["gateway"] + "/_sim/faults")
    release = ("held", "release", FACILITY, ma_lk, "--reason", "the insurer opened the window")
    assert his.system.healthbook(*release).returncode == 0
    await his.tells(ma_lk, revision, DISPLAYED)
    assert await his.versions(ma_lk) == ["replaced", "current"]
    assert len([item for item in his.story(ma_lk)["attempts"] if item["revision"] == revision]) == 2


async def a_dead_letter_lies_in_the_partition_of(his: His, ma_lk: str) -> None:
    """Of the same visit, so of the same partition; the next revisions and all others go past it."""
    async with AIOKafkaProducer(bootstrap_servers=his.system.addresses["kafka"]) as producer:
        await producer.send_and_wait(TOPIC, b"no Avro", key=f"{FACILITY}|{ma_lk}".encode())

    def listed() -> list[dict[str, Any]]:
        answer = his.system.healthbook("dlq", "list", "--topic", TOPIC, "--output", "json")
        rows = json.loads(answer.stdout) if answer.returncode == 0 else []
        return [row for row in rows if row["visit"] == f"{FACILITY}|{ma_lk}" and row["stage"] == "validate"]

    (letter,) = await eventually(listed, timeout=60)
    assert (letter["reason"], letter["open"]) == ("NOT_AVRO", True)


STEPS: list[Callable[[His], Awaitable[None]]] = [
    unpaid_then_paid,
    corrected_while_the_first_is_in_flight,
    held_by_a_closed_window_while_others_pass,
]


@pytest.mark.timeout(900)
async def test_corrections_reach_the_health_book_in_their_order(own_home: Path, downloads: Path) -> None:
    async with running_system(own_home, downloads) as system:
        his = His(system, own_home / "his")
        for step in STEPS:
            await step(his)
