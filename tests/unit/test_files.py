"""Files of the registers are durable, and what a killed process left of them is removed by the next."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.adapters import files


def test_every_folder_that_is_made_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: kept.append(os.fstat(handle).st_ino))
    files.make_folder(tmp_path / "one" / "two")
    assert kept == [tmp_path.stat().st_ino, (tmp_path / "one").stat().st_ino]
    files.make_folder(tmp_path / "one" / "two")
    assert len(kept) == 2, "nothing was made"


def test_only_drafts_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    stay = {f".key.pem.{os.getppid()}", "key.pem", f"..2026_01_31.{gone.pid}", f"key.{gone.pid}", ".hidden"}
    for name in (*stay, f".key.pem.{gone.pid}"):
        (tmp_path / name).touch()
    (tmp_path / f".folder.{gone.pid}" / "inside").mkdir(parents=True)
    files.write(tmp_path / "new", b"", files.SECRET)
    assert {each.name for each in tmp_path.iterdir()} == {*stay, "new"}


def test_a_new_folder_takes_nothing_from_one_that_is_there_nor_from_an_earlier_draft(tmp_path: Path) -> None:
    (tmp_path / f".new.{os.getpid()}").mkdir()
    (tmp_path / f".new.{os.getpid()}" / "left").touch()
    with files.new_folder(tmp_path / "new") as draft:
        files.write(draft / "one", b"", files.PUBLIC)
    with pytest.raises(OSError, match="not empty"), files.new_folder(tmp_path / "new") as draft:
        files.write(draft / "two", b"", files.PUBLIC)
    assert [each.relative_to(tmp_path).as_posix() for each in sorted(tmp_path.rglob("*"))] == ["new", "new/one"]
