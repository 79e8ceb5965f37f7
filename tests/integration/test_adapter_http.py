"""`adapter http` as a process, on a real broker: what it answered arrives, killed or stopped at any moment."""

import asyncio
import io
import json
import signal
import zipfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.embedded.parts import Addresses
from tests.support.commands import healthbook, started
from tests.support.eventually import eventually
from tests.support.his import Bus, dossier, ids, some_facility

AWAY = {"kafka_bootstrap_servers": "127.0.0.1:1", "schema_registry_url": "http://127.0.0.1:1"}


@pytest.fixture
async def bus(parts: Addresses) -> Bus:
    bus = Bus(parts)
    await bus.prepare()
    return bus


def zipped(ma_lk: str, note: str = "") -> bytes:
    """A visit as a HIS might pack it; the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for kind, content in dossier(ma_lk, note, size=20_000).items():
            archive.writestr(zipfile.ZipInfo(f"{kind}.xml"), content)
    return buffer.getvalue()


@dataclass
class Served:
    """The process, where it listens, and what it logged."""

    process: Process
    url: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            with suppress(ValueError):
                self.lines.append(json.loads(line))

    async def close(self, token: str, ma_lk: str, note: str = "", query: str = "") -> tuple[int, Any]:
        """POSTs one visit as a zip; status and JSON."""
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}{query}", data=zipped(ma_lk, note), headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    async def probe(self, path: str) -> tuple[int, str]:
        """Status and text of a probe or of /metrics."""
        (url,) = [line["url"] for line in self.lines if line["event"] == "listening"]
        async with aiohttp.ClientSession() as http, http.get(url + path) as answer:
            return answer.status, await answer.text()

    async def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 60)


@asynccontextmanager
async def serving(home: Path, where: Mapping[str, str], *arguments: str) -> AsyncIterator[Served]:
    process = await started(
        *("adapter", "http", *arguments), home=str(home), tokens=str(home / "tokens"), log_level="info", **where
    )
    served = Served(process)
    reading = asyncio.create_task(served.read())
    try:
        served.url = await eventually(
            lambda: next((line["url"] for line in served.lines if line["event"] == "takes visits"), ""), timeout=60
        )
        yield served
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading


async def token_of(home: Path, facility: str) -> str:
    answer = await healthbook(
        *("adapter", "token", facility, "--output", "json"), home=str(home), tokens=str(home / "tokens")
    )
    return str(answer.json["token"])


def there(bus: Bus) -> dict[str, str]:
    return {
        "kafka_bootstrap_servers": bus.addresses.kafka,
        "schema_registry_url": bus.addresses.schema_registry,
    }


async def test_visits_of_two_facilities_arrive_each_under_the_facility_of_its_token(bus: Bus, tmp_path: Path) -> None:
    ours, theirs = some_facility(), some_facility()
    async with serving(tmp_path, there(bus)) as served:
        answers = {}
        for facility in (ours, theirs):
            answers[facility] = await served.close(await token_of(tmp_path, facility), "V1")
        await eventually(lambda: _has(bus, ours, 1))
        await eventually(lambda: _has(bus, theirs, 1))
        assert (await served.probe("/livez"))[0] == (await served.probe("/readyz"))[0] == 200
        assert 'healthbook_adapter_requests_total{outcome="TAKEN"} 2.0' in (await served.probe("/metrics"))[1]
        assert await served.terminate() == 0
    for facility in (ours, theirs):
        (found,) = await bus.arrived(facility)
        status, said = answers[facility]
        assert (status, said["event_id"], said["facility"]) == (202, found.meta.id, facility)
        (line,) = [line for line in served.lines if line.get("event_id") == found.meta.id]
        assert line["trace_id"] == found.meta.trace_id


async def _has(bus: Bus, facility: str, count: int) -> bool:
    return len(await bus.arrived(facility)) == count


async def test_killed_right_after_the_answer_while_the_bus_is_away_the_visit_arrives_after_a_restart(
    bus: Bus, tmp_path: Path
) -> None:
    facility = some_facility()
    token = await token_of(tmp_path, facility)
    async with serving(tmp_path, AWAY) as served:
        assert (await served.probe("/readyz"))[0] == 200
        status, said = await served.close(token, "V1")
        assert status == 202
        served.process.kill()
        await served.process.wait()
    async with serving(tmp_path, there(bus)) as served:
        await eventually(lambda: _has(bus, facility, 1))
        # The HIS does not know whether its first request arrived, and sends it once more.
        status, again = await served.close(token, "V1")
        assert (status, again) == (200, said | {"repeated": True})
        assert await served.terminate() == 0
    assert ids(await bus.arrived(facility)) == [said["event_id"]]


@pytest.mark.parametrize("answers_before_the_kill", [1, 30])
async def test_killed_again_and_again_amid_handing_over_no_answered_visit_is_lost_and_order_is_kept(
    bus: Bus, tmp_path: Path, answers_before_the_kill: int
) -> None:
    facility = some_facility()
    token = await token_of(tmp_path, facility)
    promised: list[str] = []

    async def one_after_the_other(served: Served, ma_lk: str) -> None:
        """Corrections of one visit with the HIS's own numbers, until there is no answer."""
        with suppress(aiohttp.ClientError, ConnectionError):
            for revision in range(1, 1000):
                status, said = await served.close(token, ma_lk, str(revision), f"?revision={revision}")
                assert status in (200, 202)
                promised.append(said["event_id"])

    for _ in range(2):
        async with serving(tmp_path, there(bus)) as served:
            before = len(promised)
            closing = [asyncio.create_task(one_after_the_other(served, f"V{number}")) for number in range(4)]
            await eventually(lambda: len(promised) >= before + answers_before_the_kill)  # noqa: B023 - of this round
            served.process.kill()
            await asyncio.gather(*closing)
    async with serving(tmp_path, there(bus)) as served:
        assert await served.terminate() == 0
    found = await bus.arrived(facility)
    assert set(promised) <= set(ids(found))
    for ma_lk in {item.event.ma_lk for item in found}:
        first_told = list(dict.fromkeys(item.event.revision for item in found if item.event.ma_lk == ma_lk))
        assert first_told == sorted(first_told)


async def test_on_sigterm_a_request_that_has_begun_is_finished_and_the_spool_is_emptied(
    bus: Bus, tmp_path: Path
) -> None:
    facility = some_facility()
    token = await token_of(tmp_path, facility)
    async with serving(tmp_path, there(bus)) as served:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def stream() -> AsyncIterator[bytes]:
            yield zipped("V1")[:50]
            begun.set()
            await go_on.wait()
            yield zipped("V1")[50:]

        async def post() -> tuple[int, Any]:
            async with (
                aiohttp.ClientSession() as http,
                http.post(served.url, data=stream(), headers={"Authorization": f"Bearer {token}"}) as answer,
            ):
                return answer.status, await answer.json()

        posting = asyncio.create_task(post())
        await begun.wait()
        await eventually(lambda: _measures(served, "healthbook_adapter_requests_in_hand 1.0"))
        served.process.send_signal(signal.SIGTERM)
        await eventually(lambda: _refuses(served))
        go_on.set()
        status, said = await posting
        assert status == 202
        assert await asyncio.wait_for(served.process.wait(), 60) == 0
    assert ids(await bus.arrived(facility)) == [said["event_id"]]
    assert served.lines[-1]["event"] == "drained"


async def _measures(served: Served, line: str) -> bool:
    return line in (await served.probe("/metrics"))[1]


async def _refuses(served: Served) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(served.url):
            return False
    except aiohttp.ClientConnectorError:
        return True


async def test_on_sigterm_without_a_bus_it_ends_in_time_and_keeps_the_visit(tmp_path: Path) -> None:
    facility = some_facility()
    token = await token_of(tmp_path, facility)
    async with serving(tmp_path, AWAY) as served:
        await served.close(token, "V1")
        await eventually(lambda: _measures(served, 'healthbook_spool_entries{state="waiting"} 1.0'))
        assert await served.terminate() == 0
    (kept,) = [line for line in served.lines if line["event"].startswith("the spool keeps")]
    assert (kept["entries"], kept["trouble"]) == (1, "REGISTRY_AWAY")


async def test_a_second_one_on_the_same_spool_waits_and_takes_over(bus: Bus, tmp_path: Path) -> None:
    facility = some_facility()
    token = await token_of(tmp_path, facility)
    async with serving(tmp_path, there(bus)) as first:
        (tmp_path / "second").mkdir()
        waiting = await started(
            *("adapter", "http", "--spool", str(tmp_path / "spool" / "adapter-http")),
            home=str(tmp_path / "second"),
            tokens=str(tmp_path / "tokens"),
            log_level="info",
            **there(bus),
        )
        second = Served(waiting)
        reading = asyncio.create_task(second.read())
        await eventually(lambda: [line for line in second.lines if "SPOOL_IN_USE" in line.get("cause", "")])
        assert (await second.probe("/readyz"))[0] == 503
        assert await first.terminate() == 0
        second.url = await eventually(
            lambda: next((line["url"] for line in second.lines if line["event"] == "takes visits"), ""), timeout=60
        )
        assert (await second.close(token, "V1"))[0] == 202
        assert await second.terminate() == 0
        await reading
    assert len(await bus.arrived(facility)) == 1


async def test_a_port_that_is_taken_is_a_reason_to_stop(tmp_path: Path) -> None:
    async with serving(tmp_path, AWAY) as served:
        port = served.url.split(":")[2].split("/")[0]
        answer = await healthbook("adapter", "http", home=str(tmp_path / "other"), adapter_port=port, **AWAY)
    assert answer.code == 70
    assert "HEALTHBOOK_ADAPTER_PORT" in answer.stderr
