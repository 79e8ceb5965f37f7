"""The two commands of a stranger: `healthbook run --once` on a bare home, and a look at what became of one visit."""

import json
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from lxml import etree
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from events.topics import TOPICS
from streams.domain.dossier.sample import FACILITIES
from tests.support.eventually import eventually
from tests.support.system import HEALTHBOOK, RunningSystem, environment_of, running_system
from tests.support.traces import Received, otlp_receiver


@pytest.fixture(scope="module")
def environment(own_home: Path, downloads: Path) -> dict[str, str]:
    return environment_of(own_home, downloads)


async def a_rejected_visit_is_mended_and_shown(system: RunningSystem, folder: Path) -> None:
    """The hospital's way: rejected, told what to mend, closed again, accepted, shown."""
    made = ("dossier", "new", "--facility", "01999", "--seed", "77")
    assert system.healthbook(*made, "--out", str(folder / "wrong"), "--defect", "wrong-total").returncode == 0
    assert system.healthbook(*made, "--out", str(folder / "right"), "--kind", "exam", "--insured").returncode == 0
    (wrong,), (right,) = (sorted(folder.joinpath(name).glob("MAU*")) for name in ("wrong", "right"))
    assert wrong.name == right.name

    def told(revision: int) -> list[str]:
        return told_of(system, wrong.name, revision)

    first = close(system, wrong)
    await eventually(lambda: "visit.rejected.v1" in told(first), timeout=60)
    errors = json.loads(system.healthbook("facility", "errors", "01999", "--output", "json").stdout)
    (error,) = [row for row in errors if row["ma_lk"] == wrong.name and row["severity"] == "critical"]
    assert (error["code"], error["field"], error["from"]) == ("MON-103", "T_TONGCHI_BV", "validation")
    second = close(system, right)
    assert second > first
    await eventually(lambda: "health-book.displayed.v1" in told(second), timeout=60)
    assert "visit.signed.v1" not in told(first)


async def a_visit_found_wrong_after_it_was_taken_is_corrected_and_shown_anew(
    system: RunningSystem, folder: Path
) -> None:
    """Accepted and shown; hours later the portal finds fault; corrected, taken in its place, shown as a new version."""
    made = ("dossier", "new", "--facility", "01999", "--seed", "78", "--kind", "exam", "--insured")
    assert system.healthbook(*made, "--out", str(folder / "first")).returncode == 0
    assert system.healthbook(*made, "--out", str(folder / "second"), "--size", "8").returncode == 0
    (first_folder,), (second_folder,) = (sorted(folder.joinpath(name).glob("MAU*")) for name in ("first", "second"))
    ma_lk = first_folder.name
    fault = {"fault": "async_errors", "hours": 0.0001, "code": "E-48", "table": "XML1", "field": "T_BHTT", "count": 1}
    async with aiohttp.ClientSession() as http:
        await http.post(system.addresses["gateway"] + "/_sim/faults", json=fault | {"maLK": ma_lk})

    first = close(system, first_folder)
    await eventually(lambda: "health-book.displayed.v1" in told_of(system, ma_lk, first), timeout=60)
    fetched = json.loads(system.healthbook("verdict", "fetch", "--facility", "01999", "--output", "json").stdout)
    assert fetched["accepted"] == 1
    assert json.loads(system.healthbook("verdict", "fetch", "--output", "json").stdout)["accepted"] == 0
    await eventually(lambda: "visit.late-verdict.v1" in told_of(system, ma_lk, first), timeout=60)
    errors = json.loads(system.healthbook("facility", "errors", "01999", "--output", "json").stdout)
    (error,) = [row for row in errors if row["ma_lk"] == ma_lk]
    assert (error["code"], error["table"], error["field"], error["from"]) == ("E-48", "XML1", "T_BHTT", "gateway")
    listed = json.loads(system.healthbook("visit", "list", "--state", "late-verdict", "--output", "json").stdout)
    assert [row["ma_lk"] for row in listed] == [ma_lk]
    await eventually(lambda: correction_clock(system, ma_lk)["state"] == "RUNNING", timeout=60)

    second = close(system, second_folder)
    await eventually(lambda: "health-book.displayed.v1" in told_of(system, ma_lk, second), timeout=60)
    versions = await system.gateway(f"/_sim/hoso?maCSKCB=01999&maLK={ma_lk}")
    assert [item["state"] for item in versions] == ["replaced", "current"]
    await eventually(lambda: correction_clock(system, ma_lk)["state"] == "MET", timeout=60)
    assert correction_clock(system, ma_lk)["revision"] == first


def correction_clock(system: RunningSystem, ma_lk: str) -> dict[str, Any]:
    """The one clock of a late verdict; {"state": ""} while there is none."""
    clocks = [
        clock for clock in story(system, "01999", ma_lk)["clocks"] if clock["clock"] == "late-verdict-to-correction"
    ]
    assert len(clocks) <= 1
    return clocks[0] if clocks else {"state": ""}


def close(system: RunningSystem, path: Path) -> int:
    """Hands a dossier over; its revision."""
    answer = system.healthbook("visit", "close", str(path), "--facility", "01999", "--output", "json")
    return int(json.loads(answer.stdout)["revision"])


def told_of(system: RunningSystem, ma_lk: str, revision: int) -> list[str]:
    """What the story tells of a revision; nothing of a visit that is not known yet."""
    answer = system.healthbook("visit", "show", "01999", ma_lk, "--output", "json")
    lines = json.loads(answer.stdout)["story"] if answer.returncode == 0 else []
    return [line["type"] for line in lines if line["revision"] == revision]


def run_once(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HEALTHBOOK, "run", "--once"], env=environment, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.mark.timeout(900)
async def test_every_sample_ends_as_its_page_says_and_a_second_start_keeps_the_data(
    own_home: Path, downloads: Path, environment: dict[str, str]
) -> None:
    first = run_once(environment)
    assert first.returncode == 0, first.stderr + first.stdout
    assert "29 of 29 visits ended as they should." in first.stderr

    second = run_once(environment)
    assert second.returncode == 0, second.stderr + second.stdout

    with otlp_receiver() as traces:
        await look_at_the_running_system(own_home, downloads, traces)


async def look_at_the_running_system(own_home: Path, downloads: Path, traces: Received) -> None:
    async with running_system(own_home, downloads, HEALTHBOOK_TRACES_OTLP_URL=traces.url) as system:
        for run in ("0001", "0002"):
            manifest = json.loads((own_home / "samples" / run / "manifest.json").read_text(encoding="utf-8"))
            shown = next(item for item in manifest if item["expected"] == "displayed")
            told = story(system, shown["facility"], shown["ma_lk"])
            assert [line["type"] for line in told["story"] if line["type"] != "deadline.changed.v1"] == [
                "visit.closed.v1",
                "visit.validated.v1",
                "visit.signed.v1",
                "visit.accepted.v1",
                "health-book.entry.v1",
                "health-book.displayed.v1",
            ]
            (attempt,) = told["attempts"]
            assert attempt["result"] == "ACCEPTED"
            assert {clock["clock"]: clock["state"] for clock in told["clocks"]} == {
                "closed-to-receipt": "MET",
                "receipt-to-shown": "MET",
            }
        await a_rejected_visit_is_mended_and_shown(system, own_home / "loop")
        await a_visit_found_wrong_after_it_was_taken_is_corrected_and_shown_anew(system, own_home / "late")
        await every_step_of_a_visit_is_in_its_trace(system, traces)
        await assert_nothing_personal(system, traces)
        status = system.status()
        assert status["running"]
        assert set(status) >= {"kafka", "database", "schema_registry", "gateway", "console", "prometheus", "metrics"}


def story(system: RunningSystem, facility: str, ma_lk: str) -> dict[str, list[dict[str, str]]]:
    answer = system.healthbook("visit", "show", facility, ma_lk, "--output", "json")
    assert answer.returncode == 0, answer.stderr
    found: dict[str, list[dict[str, str]]] = json.loads(answer.stdout)
    return found


async def every_step_of_a_visit_is_in_its_trace(system: RunningSystem, traces: Received) -> None:
    """From the record that the hospital wrote to the acknowledgement of VNeID; each span below one that is there."""
    acknowledged = [headers["traceparent"] for _, headers in await system.committed("health-book.displayed.v1")]
    closed = [headers["traceparent"] for _, headers in await system.committed("visit.closed.v1")]
    steps = {
        "validate": "process visit.closed.v1",
        "sign": "process visit.validated.v1",
        "forward": "POST dossier",
        "publish": "create health-book.entry.v1",
        "record": "process health-book.displayed.v1",
        "deadlines": "create deadline.changed.v1",
    }

    def whole() -> dict[str, list[tuple[str, Span]]]:
        by_trace = {trace: traces.of(trace) for trace in {item.split("-")[1] for item in acknowledged}}
        names = {trace: {(service, span.name) for service, span in spans} for trace, spans in by_trace.items()}
        return {trace: by_trace[trace] for trace, found in names.items() if found >= set(steps.items())}

    found = await eventually(whole, timeout=60, message="a visit's trace is whole")
    roots = {item.split("-")[2] for item in (*closed, *acknowledged)}
    for spans in found.values():
        known = {span.span_id.hex() for _, span in spans} | roots
        orphans = {span.name for _, span in spans if span.parent_span_id.hex() not in known}
        assert orphans <= {"process visit.late-verdict.v1"}, "`verdict fetch`, a command, exports no spans"
    linked = {link.trace_id.hex() for service, span in traces.spans if service == "relay" for link in span.links}
    assert set(found) <= linked, "the relay's transactions name what they carried"


async def assert_nothing_personal(system: RunningSystem, traces: Received) -> None:
    """In no log, key, header, metric or story: names, numbers and addresses of the samples' people, no credential.

    Citizen and card numbers of sample people begin with 99…, their middle names say "test", hashes are known.
    """
    home = system.home
    hashes = [(home / "facilities" / code / "gateway-password-hash").read_text().strip() for code in FACILITIES]
    forbidden = [*hashes, "HO_TEN", "Thử Nghiệm", *personal_values(home)]
    places = {log.name: log.read_text(encoding="utf-8", errors="replace") for log in (home / "log").glob("*.log")}
    for topic in TOPICS:
        for name in (topic.name, topic.dlq):
            places[f"keys and headers of {name}"] = str(await system.committed(name))
    for url in system.status()["metrics"]:
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            places[url] = await answer.text()
    places["spans"] = b"".join(traces.raw).decode("utf-8", "replace")
    for row in await system.fetch("select type, string_agg(detail::text, ' ') as told from timeline group by type"):
        places[f"stories of {row['type']}"] = row["told"]
    assert sum(map(len, places.values())) > 100_000, "there is something to look at"
    for place, text in places.items():
        found = [value for value in forbidden if value and value in text]
        assert not found, f"{place} holds {len(found)} values of sample people or credentials"


def personal_values(home: Path) -> set[str]:
    """Names, citizen numbers and cards out of the dossiers that were handed over as folders."""
    values = set()
    for table in (home / "samples").glob("*/*/*XML1*"):
        row = etree.fromstring(table.read_bytes())
        for element in row.iter("HO_TEN", "SO_CCCD", "MA_THE_BHYT", "DIA_CHI", "DIEN_THOAI"):
            if len(element.text or "") > 5:
                values.add(str(element.text).strip())
    assert values, "the samples have people"
    return values
