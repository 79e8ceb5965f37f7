"""The folder adapter on a real broker: every form of dossier, every end, a crash at every step."""

import asyncio
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from events.his import Adapter
from events.his.folder import Counts, FolderAdapter
from infra.embedded.parts import Addresses
from tests.integration.his_process import STEPS
from tests.integration.test_spool_crash import his_process
from tests.support.eventually import eventually
from tests.support.his import Bus, dossier, ids, some_facility

POLL = 0.05


@pytest.fixture
async def bus(parts: Addresses) -> Bus:
    bus = Bus(parts)
    await bus.prepare()
    return bus


def connected(bus: Bus, facility: str, tmp_path: Path) -> Adapter:
    return Adapter(facility, tmp_path / "spool", bus.addresses.kafka, bus.addresses.schema_registry)


def put(path: Path, ma_lk: str, note: str = "") -> Path:
    """A folder of table files, written whole."""
    path.mkdir(parents=True)
    for kind, content in dossier(ma_lk, note).items():
        (path / f"{kind}.xml").write_bytes(content)
    return path


async def run_once(bus: Bus, facility: str, tmp_path: Path) -> Counts:
    async with connected(bus, facility, tmp_path) as his:
        return await asyncio.wait_for(FolderAdapter(tmp_path / "dir", his).run(POLL, once=True), 60)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def report(path: Path) -> Any:
    return json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))


async def test_a_folder_a_zip_and_an_envelope_end_in_done_with_a_report_beside_each(bus: Bus, tmp_path: Path) -> None:
    facility, inbox, done = some_facility(), tmp_path / "dir" / "inbox", tmp_path / "dir" / "done"
    put(inbox / "visit 1", "V1")
    (inbox / "visit 1" / "scan.pdf").write_bytes(b"%PDF")
    with zipfile.ZipFile(inbox / "visit2.zip", "w") as archive:
        for kind, content in dossier("V2").items():
            archive.writestr(f"{kind}.xml", content)
    inner = "PFRPTkdfSE9QPjxNQV9MSz5WMzwvTUFfTEs+PC9UT05HX0hPUD4="  # <TONG_HOP><MA_LK>V3</MA_LK></TONG_HOP>
    envelope = (
        f"<GIAMDINHHS><FILEHOSO><LOAIHOSO>XML1</LOAIHOSO><NOIDUNGFILE>{inner}</NOIDUNGFILE></FILEHOSO></GIAMDINHHS>"
    )
    (inbox / "visit3.xml").write_text(envelope)

    counts = await run_once(bus, facility, tmp_path)

    assert (counts.done, counts.failed, counts.waiting) == (3, 0, 0)
    assert names(done) == [
        "visit 1",
        "visit 1.json",
        "visit 1.txt",
        "visit2.zip",
        "visit2.zip.json",
        "visit2.zip.txt",
        "visit3.xml",
        "visit3.xml.json",
        "visit3.xml.txt",
    ]
    assert names(inbox) == names(tmp_path / "dir" / "work") == names(tmp_path / "dir" / "failed") == []
    found = {item.event.ma_lk: item for item in await bus.arrived(facility)}
    assert set(found) == {"V1", "V2", "V3"}
    assert found["V3"].event.envelope == envelope.encode()
    said = report(done / "visit 1")
    assert (said["state"], said["ma_lk"], said["event_id"]) == ("done", "V1", found["V1"].meta.id)
    assert said["ignored"] == ["scan.pdf"]
    text = (done / "visit 1.txt").read_text(encoding="utf-8")
    assert "ĐÃ CHUYỂN" in text
    assert "HANDED OVER" in text


async def test_what_cannot_be_handed_over_ends_in_failed_and_says_why_in_both_languages(
    bus: Bus, tmp_path: Path
) -> None:
    facility, inbox, failed = some_facility(), tmp_path / "dir" / "inbox", tmp_path / "dir" / "failed"
    put(inbox / "good", "V1")
    put(inbox / "nameless", "V2")
    (inbox / "nameless" / "XML1.xml").unlink()
    (inbox / "scan.rar").write_bytes(b"Rar!")
    (inbox / "broken.zip").write_bytes(b"PK\x03\x04 and nothing else")

    counts = await run_once(bus, facility, tmp_path)

    assert (counts.done, counts.failed) == (1, 3)
    codes = {name: report(failed / name)["error"]["code"] for name in ("nameless", "scan.rar", "broken.zip")}
    assert codes == {"nameless": "XML1_MISSING", "scan.rar": "DOSSIER_EMPTY", "broken.zip": "ZIP_DAMAGED"}
    text = (failed / "nameless.txt").read_text(encoding="utf-8")
    assert "Thiếu bảng XML1" in text
    assert "Table XML1 is missing" in text
    assert len(await bus.arrived(facility)) == 1


async def test_one_that_cannot_be_moved_holds_up_no_other_and_a_long_name_is_cut(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def held_open(path: Path, target: Path) -> Path:
        if path.name == "blocked":
            raise PermissionError  # as Windows answers while somebody has a file open
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", held_open)
    facility, base = some_facility(), tmp_path / "dir"
    long_name = "Nguyễn Văn Thử " * 12  # 240 bytes: with the report's suffix no disk takes it
    put(base / "inbox" / long_name, "V1")
    put(base / "inbox" / "second", "V2")
    put(base / "inbox" / "blocked", "V3")
    async with connected(bus, facility, tmp_path) as his:
        adapter = FolderAdapter(base, his)

        async def both() -> bool:
            await adapter.look()
            return adapter.counts.done == 2

        await eventually(both)
    done = [name for name in names(base / "done") if not name.endswith((".txt", ".json"))]
    assert "second" in done
    assert max(len(name.encode()) for name in done) <= 200
    assert names(base / "inbox") == ["blocked"]


async def test_an_item_that_is_still_being_written_is_left_alone(bus: Bus, tmp_path: Path) -> None:
    facility, inbox = some_facility(), tmp_path / "dir" / "inbox"
    put(inbox / ".hidden", "V8")
    (inbox / "V9.xml.part").write_bytes(b"<")
    growing = put(inbox / "growing", "V1")
    (growing / "XML1.xml").unlink()
    async with connected(bus, facility, tmp_path) as his:
        adapter = FolderAdapter(tmp_path / "dir", his)
        for number in range(10):  # no two looks alike
            (growing / f"XML{number + 2}.xml").write_bytes(b"<x/>")
            await adapter.look()
            assert growing.exists()
        (growing / "XML1.xml").write_bytes(dossier("V1")["XML1"])
        await adapter.run(POLL, once=True)
    (found,) = await bus.arrived(facility)
    assert len(found.event.tables) == 11
    assert names(inbox) == [".hidden", "V9.xml.part"]


async def test_a_correction_under_the_same_name_is_another_revision_and_overwrites_nothing(
    bus: Bus, tmp_path: Path
) -> None:
    facility, inbox, done = some_facility(), tmp_path / "dir" / "inbox", tmp_path / "dir" / "done"
    for note in ("first", "second", "second"):
        put(inbox / "v.1", "V1", note)
        await run_once(bus, facility, tmp_path)
    assert [name for name in names(done) if not name.endswith((".txt", ".json"))] == ["v.1", "v~2.1", "v~3.1"]
    revisions = [report(done / name)["revision"] for name in ("v.1", "v~2.1", "v~3.1")]
    assert revisions[0] < revisions[1] == revisions[2]
    assert report(done / "v~3.1")["repeated"] is True
    assert [item.event.revision for item in await bus.arrived(facility)] == revisions[:2]


async def test_without_a_bus_items_wait_in_the_spool_and_end_in_done_later(bus: Bus, tmp_path: Path) -> None:
    facility, folder = some_facility(), tmp_path / "dir"
    for number in range(5):
        put(folder / "inbox" / f"v{number}", f"V{number}")
    async with Adapter(facility, tmp_path / "spool", "127.0.0.1:1", "http://127.0.0.1:1") as his:
        adapter = FolderAdapter(folder, his)
        watching = asyncio.create_task(adapter.run(POLL))
        await eventually(lambda: len(names(folder / "work")) == 5 and adapter.counts.waiting == 5)
        watching.cancel()
    assert names(folder / "done") == []
    counts = await run_once(bus, facility, tmp_path)
    assert counts.done == 5
    assert len(await bus.arrived(facility)) == 5


async def test_a_full_spool_leaves_items_in_the_inbox_until_there_is_room(bus: Bus, tmp_path: Path) -> None:
    facility, folder = some_facility(), tmp_path / "dir"
    for number in range(8):
        put(folder / "inbox" / f"v{number}", f"V{number}")
    async with Adapter(facility, tmp_path / "spool", "127.0.0.1:1", "http://127.0.0.1:1", spool_limit=500) as his:
        adapter = FolderAdapter(folder, his)
        for _ in range(4):
            await adapter.look()
        assert (adapter.counts.done, adapter.counts.failed, adapter.counts.waiting) == (0, 0, 8)
    async with Adapter(
        facility, tmp_path / "spool", bus.addresses.kafka, bus.addresses.schema_registry, spool_limit=500
    ) as his:
        counts = await asyncio.wait_for(FolderAdapter(folder, his).run(POLL, once=True), 60)
    assert (counts.done, counts.waiting) == (8, 0)
    assert len(await bus.arrived(facility)) == 8


async def test_an_item_that_changes_after_it_was_read_is_handed_over_again(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that still had the file open."""
    facility, folder = some_facility(), tmp_path / "dir"
    put(folder / "inbox" / "v", "V1", "first")
    async with connected(bus, facility, tmp_path) as his:
        adapter = FolderAdapter(folder, his)
        with monkeypatch.context() as slow:
            slow.setattr(his, "state", AsyncMock(return_value="WAITING"))
            await adapter.look()
            await adapter.look()
        assert names(folder / "work") == ["v"]
        shutil.rmtree(folder / "work" / "v")
        put(folder / "work" / "v", "V1", "longer than the first")
        await adapter.run(POLL, once=True)
    first, last = await bus.arrived(facility)
    assert b"first" in first.event.tables[1].content
    assert b"longer than the first" in last.event.tables[1].content
    assert report(folder / "done" / "v")["event_id"] == last.meta.id


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_it_goes_on_and_the_bus_has_the_visit_once(
    bus: Bus, tmp_path: Path, step: str
) -> None:
    facility, folder = some_facility(), tmp_path / "dir"
    put(folder / "inbox" / "v", "V1")
    process = await his_process(
        bus.addresses.kafka,
        bus.addresses.schema_registry,
        "folder",
        facility,
        str(tmp_path / "spool"),
        str(folder),
        step,
    )
    assert await asyncio.wait_for(process.wait(), 60) == -9
    assert names(folder / "done") in ([], ["v.txt"], ["v.json", "v.txt"])

    counts = await run_once(bus, facility, tmp_path)

    assert (counts.done, counts.failed, counts.waiting) == (1, 0, 0)
    assert names(folder / "done") == ["v", "v.json", "v.txt"]
    assert names(folder / "inbox") == names(folder / "work") == []
    assert set(ids(await bus.arrived(facility))) == {report(folder / "done" / "v")["event_id"]}


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
async def test_reports_and_names_stay_in_the_folder_and_out_of_the_log(
    bus: Bus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    facility, folder = some_facility(), tmp_path / "dir"
    folder.joinpath("inbox").mkdir(parents=True)
    (folder / "inbox" / "NGUYEN VAN TEST.xml").write_text("not xml")
    caplog.set_level("DEBUG", logger="healthbook")
    await run_once(bus, facility, tmp_path)
    assert (folder / "failed" / "NGUYEN VAN TEST.xml.txt").exists()
    assert "NGUYEN" not in caplog.text
