"""A disk that is really full (a small tmpfs): a clear error, nothing half-written, and recovery without a hand."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.his import Adapter, Receipt, SpoolFullError
from events.his.source import read_dossier
from events.his.spool import HandOver, Placed, Spool
from infra.embedded.parts import Addresses
from tests.support.eventually import eventually
from tests.support.his import Bus, dossier, ids, some_facility

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")

SIZE = 8 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
async def bus(parts: Addresses) -> Bus:
    bus = Bus(parts)
    await bus.prepare()
    return bus


def item(number: int, size: int) -> HandOver:
    found = read_dossier(dossier(f"V{number}", size=size))
    return HandOver("01999", f"V{number}", None, datetime.now(UTC), found.digest, found)


def fill(spool: Spool, size: int, first: int = 0) -> int:
    """Hands over until the disk is full; answers how many were taken."""
    number = first
    while True:
        (answer,) = spool.put([item(number, size)], datetime.now(UTC))
        if not isinstance(answer, Placed):
            assert answer.code == "DISK_FULL"
            return number - first
        number += 1


def fill_up(disk: Path) -> Path:
    """Somebody else takes the last byte of the disk."""
    hog = disk / "hog"
    with hog.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    assert shutil.disk_usage(disk).free == 0
    return hog


@pytest.mark.parametrize("size", [2_000, 50_000, 1_000_000])
def test_a_spool_that_filled_its_own_disk_can_still_be_emptied_and_used_again(small_disk: Path, size: int) -> None:
    spool = Spool(small_disk / "spool")
    for _ in range(3):
        taken = fill(spool, size)
        assert taken * size > SIZE / 4
        sent: list[str] = []
        while batch := spool.heads(50, 10**7):
            sent += [event.ma_lk for _, event in batch]
            spool.settle([position for position, _ in batch], {})
        assert len(sent) == taken
        size += 2  # other bytes, else they would be repeats
    spool.close()


def test_when_somebody_else_fills_the_disk_nothing_is_half_written_and_earlier_entries_are_whole(
    small_disk: Path,
) -> None:
    spool = Spool(small_disk / "spool")
    assert all(
        isinstance(answer, Placed) for answer in spool.put([item(n, 50_000) for n in range(20)], datetime.now(UTC))
    )
    hog = fill_up(small_disk)
    (answer,) = spool.put([item(99, 50_000)], datetime.now(UTC))
    assert isinstance(answer, SpoolFullError)
    spool.close()
    spool = Spool(small_disk / "spool")  # also a restart finds them, on the full disk
    found = [event for _, event in spool.heads(100, 10**9)]
    assert [event.ma_lk for event in found] == [f"V{number}" for number in range(20)]
    for number, event in enumerate(found):
        assert {table.kind: table.content for table in event.tables} == dossier(f"V{number}", size=50_000)
    hog.unlink()
    (answer,) = spool.put([item(99, 50_000)], datetime.now(UTC))
    assert isinstance(answer, Placed)
    spool.close()


def test_a_spool_of_the_version_before_opens_and_sends_on_a_full_disk_and_counts_once_there_is_room(
    small_disk: Path,
) -> None:
    """Also when it remembers something that is old enough to be forgotten."""
    spool = Spool(small_disk / "spool")
    spool.put([item(n, 50_000) for n in range(20)], datetime.now(UTC))
    spool.close()
    with sqlite3.connect(small_disk / "spool" / "spool.sqlite3") as older:
        older.executescript(
            "DROP TABLE day; DROP TABLE identity; PRAGMA user_version = 1; VACUUM;"
            "UPDATE handed SET at = 0 WHERE ma_lk = 'V1'; PRAGMA wal_checkpoint(TRUNCATE);"
        )
    older.close()
    hog = fill_up(small_disk)
    spool = Spool(small_disk / "spool")
    batch = spool.heads(100, 10**9)
    assert len(batch) == 20
    assert spool.tally.news(datetime.now(UTC)) == []
    with pytest.raises(SpoolFullError):
        spool.put([item(99, 50_000)], datetime.now(UTC))
    hog.unlink()
    spool.settle([position for position, _ in batch[:15]], {})
    spool.put([item(99, 50_000)], datetime.now(UTC))
    (count,) = spool.tally.news(datetime.now(UTC))
    assert (count.closed, len(count.waiting)) == (6, 6), "what waited, and what came"
    spool.close()


def test_a_disk_that_fills_in_the_middle_of_a_write_leaves_no_trace_of_it(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check before the write saw room that somebody took since."""
    spool = Spool(small_disk / "spool")
    spool.put([item(1, 50_000)], datetime.now(UTC))
    hog = fill_up(small_disk)
    room = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)
    with pytest.raises(SpoolFullError) as caught:
        spool.put([item(2, 6_000_000), item(3, 100)], datetime.now(UTC))
    assert caught.value.code == "DISK_FULL"
    monkeypatch.undo()
    assert [event.ma_lk for _, event in spool.heads(100, 10**9)] == ["V1"]
    hog.unlink()
    answers = spool.put([item(2, 60_000), item(3, 100)], datetime.now(UTC))
    assert [type(answer) for answer in answers] == [Placed, Placed]
    spool.close()


async def test_the_caller_hears_of_a_full_disk_and_everything_taken_before_arrives_once(
    small_disk: Path, bus: Bus
) -> None:
    facility = some_facility()
    addresses = (bus.addresses.kafka, bus.addresses.schema_registry)
    taken: list[Receipt] = []
    async with Adapter(facility, small_disk / "spool", "127.0.0.1:1", "http://127.0.0.1:1") as his:
        with pytest.raises(SpoolFullError, match="DISK_FULL"):
            await close_until_full(his, taken)
    assert len(taken) > 20
    hog = fill_up(small_disk)
    async with Adapter(facility, small_disk / "spool", *addresses) as his:
        # It sends although it cannot note that it did, and does not send again while it waits for room.
        await eventually(lambda: his.trouble == "DISK_FULL", timeout=60)
        with pytest.raises(SpoolFullError, match="DISK_FULL"):
            await his.close_visit(dossier("VX"))
        hog.unlink()
        await asyncio.wait_for(his.flush(), 60)
        taken.append(await his.close_visit(dossier("VX")))
        await asyncio.wait_for(his.flush(), 60)
    assert sorted(ids(await bus.arrived(facility))) == sorted(str(receipt.event_id) for receipt in taken)


async def close_until_full(his: Adapter, taken: list[Receipt]) -> None:
    while True:
        taken.append(await his.close_visit(dossier(f"V{len(taken)}", size=100_000)))
