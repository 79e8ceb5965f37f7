"""`visit close`, `adapter folder` and `simulate his` as a person types them: answers and exit codes."""

import asyncio
import collections
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.parts import Addresses
from tests.support.eventually import eventually
from tests.support.his import Bus, dossier, ids, some_facility


@pytest.fixture
async def bus(parts: Addresses) -> Bus:
    bus = Bus(parts)
    await bus.prepare()
    return bus


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def healthbook(bus: Bus | None, home: Path, *arguments: str) -> Answer:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams", *arguments, stdout=PIPE, stderr=PIPE, env=environment(bus, home)
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Answer(process.returncode, out.decode(), err.decode())


def environment(bus: Bus | None, home: Path) -> dict[str, str]:
    return os.environ | {
        "HEALTHBOOK_HOME": str(home),
        "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": bus.addresses.kafka if bus else "127.0.0.1:1",
        "HEALTHBOOK_SCHEMA_REGISTRY_URL": bus.addresses.schema_registry if bus else "http://127.0.0.1:1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


def folder(path: Path, ma_lk: str = "V1") -> str:
    path.mkdir(parents=True)
    for kind, content in dossier(ma_lk).items():
        (path / f"{kind}.xml").write_bytes(content)
    return str(path)


async def test_visit_close_prints_event_id_and_revision_when_the_broker_has_it(bus: Bus, tmp_path: Path) -> None:
    facility, path = some_facility(), folder(tmp_path / "v")
    first = await healthbook(bus, tmp_path, "visit", "close", path, "--facility", facility, "--output", "json")
    assert first.code == 0, first.err
    assert first.json["on_bus"] is True
    assert ids(await bus.arrived(facility)) == [first.json["event_id"]]
    again = await healthbook(bus, tmp_path, "visit", "close", path, "--facility", facility, "--output", "json")
    assert (again.code, again.json["event_id"], again.json["repeated"]) == (0, first.json["event_id"], True)
    given = await healthbook(bus, tmp_path, "visit", "close", path, "--facility", facility, "--revision", "12")
    assert given.code == 0
    assert "revision: 12" in given.out
    assert {item.event.revision for item in await bus.arrived(facility)} == {first.json["revision"], 12}


async def test_visit_close_says_no_with_the_code_in_both_languages(bus: Bus, tmp_path: Path) -> None:
    (tmp_path / "XML1.xml").write_text("<TONG_HOP/>")
    answer = await healthbook(bus, tmp_path, "visit", "close", str(tmp_path / "XML1.xml"), "--facility", "01999")
    assert (answer.code, answer.out) == (1, "")
    assert "MA_LK_MISSING" in answer.err
    assert "XML1 không có MA_LK" in answer.err
    assert "XML1 has no MA_LK" in answer.err
    wrong = await healthbook(bus, tmp_path, "visit", "close", str(tmp_path), "--facility", "0199")
    assert wrong.code == 1
    assert "FACILITY_CODE" in wrong.err


async def test_visit_close_without_a_broker_exits_3_and_the_next_one_sends_what_waited(
    bus: Bus, tmp_path: Path
) -> None:
    facility = some_facility()
    close = ("--facility", facility, "--wait", "1", "--output", "json")
    away = await healthbook(None, tmp_path, "visit", "close", folder(tmp_path / "a", "VA"), *close)
    assert (away.code, away.json["on_bus"]) == (3, False)
    assert "the spool keeps the visit" in away.err
    back = await healthbook(bus, tmp_path, "visit", "close", folder(tmp_path / "b", "VB"), "--facility", facility)
    assert back.code == 0, back.err
    assert {item.event.ma_lk for item in await bus.arrived(facility)} == {"VA", "VB"}


async def test_visit_close_dry_run_hands_nothing_over(tmp_path: Path) -> None:
    answer = await healthbook(
        None, tmp_path / "home", "visit", "close", folder(tmp_path / "v"), "--facility", "01999", "--dry-run"
    )
    assert answer.code == 0
    assert "ma_lk: V1" in answer.out
    assert not (tmp_path / "home").exists()


async def test_adapter_folder_once_exits_by_what_became_of_the_items(bus: Bus, tmp_path: Path) -> None:
    facility, inbox = some_facility(), tmp_path / "dir" / "inbox"
    command = ("adapter", "folder", str(tmp_path / "dir"), "--facility", facility, "--once", "--poll", "0.1")
    folder(inbox / "v1")
    answer = await healthbook(None, tmp_path, *command, "--wait", "2", "--output", "json")
    assert (answer.code, answer.json["waiting"]) == (3, 1)
    answer = await healthbook(bus, tmp_path, *command, "--output", "json")
    assert (answer.code, answer.json["done"]) == (0, 1), answer.err
    (inbox / "bad.xml").write_text("no")
    answer = await healthbook(bus, tmp_path, *command)
    assert (answer.code, answer.out.strip()) == (1, "done 0, failed 1, waiting 0")


async def test_adapter_folder_watches_until_it_is_told_to_stop(bus: Bus, tmp_path: Path) -> None:
    facility = some_facility()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "streams", "adapter", "folder", str(tmp_path / "dir"), "--facility", facility, "--poll", "0.1"),
        stdout=PIPE,
        stderr=PIPE,
        env=environment(bus, tmp_path),
    )
    await eventually((tmp_path / "dir" / "inbox").exists)
    folder(tmp_path / "dir" / "inbox" / "v1")
    await eventually((tmp_path / "dir" / "done" / "v1").exists)
    process.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert out.decode().strip() == "done 1, failed 0, waiting 0"
    assert b"Traceback" not in err


async def test_the_simulated_his_closes_what_its_own_list_says(bus: Bus, tmp_path: Path) -> None:
    facilities, closed = [some_facility(), some_facility()], tmp_path / "closed.jsonl"
    answer = await healthbook(
        bus,
        tmp_path,
        *("simulate", "his", "--facilities", ",".join(facilities), "--count", "60", "--rate", "0", "--seed", "7"),
        *("--corrections", "0.2", "--defects", "0.2", "--size", "6", "--closed", str(closed), "--output", "json"),
    )
    assert answer.code == 0, answer.err
    lines = [json.loads(line) for line in closed.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == answer.json["closed"] == 60
    assert answer.json["corrections"] == sum(line["corrects"] for line in lines) > 0
    assert answer.json["defects"] == sum(line["defect"] is not None for line in lines) > 0
    assert answer.json["refused"] == 0
    on_list = collections.Counter((line["facility"], line["ma_lk"], line["revision"]) for line in lines)
    on_bus: collections.Counter[tuple[str, str, int]] = collections.Counter()
    for facility in facilities:
        on_bus.update((facility, item.event.ma_lk, item.event.revision) for item in await bus.arrived(facility))
    assert on_bus == on_list
    for line in lines:
        if line["corrects"]:
            earlier = [one for one in lines if one["ma_lk"] == line["ma_lk"] and one["revision"] < line["revision"]]
            assert len(earlier) == 1
