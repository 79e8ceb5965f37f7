"""A clock gets a new version: from tomorrow on, in a file of the operator, for all who compute due times."""

import json
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.adapters.clocks import FolderClocks
from streams.adapters.facilities import Watched
from streams.cli import main
from streams.config import Settings
from streams.domain.dossier.moments import VIETNAM
from streams.sla.clock import Clock
from streams.sla.clocks import CLOSED_TO_RECEIPT, RECEIPT_TO_SHOWN, due, read_added, shipped, versions

TODAY = datetime.now(UTC).astimezone(VIETNAM).date()
TOMORROW = TODAY + timedelta(days=1)
LATER = TODAY + timedelta(days=40)
HOUR = timedelta(hours=1)
BASIS = ("--legal-basis", "Thông tư “thử” số 1", "--article", 'Điều 3 "b"')


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderClocks:
    """The clocks of a process that runs already."""
    monkeypatch.setattr("streams.adapters.facilities.LOOK_AGAIN", 0.0)
    found = FolderClocks(Settings(home=tmp_path))
    assert len(found()) == len(shipped())
    return found


def deadline(home: Path, *arguments: object, **settings: str) -> Result:
    given = {"HEALTHBOOK_HOME": str(home)} | {f"HEALTHBOOK_{name.upper()}": value for name, value in settings.items()}
    return CliRunner().invoke(main, ["deadline", *map(str, arguments)], env=given)


def add(home: Path, clock: str, duration: str, day: date, *more: object, **settings: str) -> Result:
    return deadline(home, "add", clock, "--duration", duration, "--from", day, *BASIS, *more, **settings)


def listed(home: Path, clock: str, **settings: str) -> list[dict[str, Any]]:
    answer = deadline(home, "list", "--clock", clock, "--output", "json", **settings)
    assert answer.exit_code == 0, answer.stderr
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=VIETNAM)


def test_a_version_counts_from_its_day_on_in_a_process_that_runs(tmp_path: Path, running: FolderClocks) -> None:
    looked = add(tmp_path, RECEIPT_TO_SHOWN, "12h", TOMORROW, "--dry-run", "--output", "json")
    assert looked.exit_code == 0, looked.stderr
    document = json.loads(looked.stdout)
    assert document["changes"][0] == {"what": "lasts", "before": "1 day, 0:00:00", "after": "12:00:00"}
    assert {change["what"] for change in document["changes"]} == {"lasts", "basis", "article"}
    assert "nothing was changed" in looked.stderr
    assert not (tmp_path / "clocks").exists()
    assert running() == FolderClocks(Settings(home=tmp_path))() == versions_of_nobody()

    assert add(tmp_path, RECEIPT_TO_SHOWN, "12h", TOMORROW).exit_code == 0
    start = midnight(TOMORROW)
    assert due(RECEIPT_TO_SHOWN, start - timedelta(seconds=1), running()) == start - timedelta(seconds=1) + 24 * HOUR
    assert due(RECEIPT_TO_SHOWN, start, running()) == start + 12 * HOUR
    old, new = listed(tmp_path, RECEIPT_TO_SHOWN)
    assert (old["valid_until"], old["source"]) == (TOMORROW.isoformat(), "shipped")
    assert (new["valid_until"], new["source"]) == (None, str(running.path(RECEIPT_TO_SHOWN, TOMORROW)))
    assert (new["basis"], new["article"], new["offer_again_at"]) == (BASIS[1], BASIS[3], [50, 75])
    assert (tmp_path / "clocks" / RECEIPT_TO_SHOWN / f"{TOMORROW}.toml").stat().st_mode & 0o777 == 0o644


def versions_of_nobody() -> tuple[Clock, ...]:
    """The clocks of a home where nobody added anything."""
    return FolderClocks(Settings(home=Path("/nonexistent")))()


def test_marks_are_as_before_unless_they_are_given_and_a_day_between_two_versions_has_its_own(
    tmp_path: Path, running: FolderClocks
) -> None:
    marks = ("--warn-at", "60,40", "--at-risk", 80, "--offer-again-at", "10")
    assert add(tmp_path, RECEIPT_TO_SHOWN, "2wd", LATER, *marks).exit_code == 0
    between = LATER - timedelta(days=9)
    answer = add(tmp_path, RECEIPT_TO_SHOWN, "90min", between, "--output", "json")
    assert json.loads(answer.stdout)["valid_until"] == LATER.isoformat()
    assert add(tmp_path, RECEIPT_TO_SHOWN, "3h", LATER + timedelta(days=9)).exit_code == 0
    _, second, third, fourth = versions(RECEIPT_TO_SHOWN, running())
    assert (second.duration, second.valid_from, second.valid_until) == (timedelta(minutes=90), between, LATER)
    assert (second.warn_at, second.at_risk, second.offer_again_at) == ((50, 75, 90), 75, (50, 75))
    assert (third.duration, third.warn_at, third.at_risk, third.offer_again_at) == (2, (40, 60), 80, (10,))
    assert (fourth.warn_at, fourth.at_risk, fourth.offer_again_at) == (third.warn_at, third.at_risk, (10,))


def test_a_version_that_is_there_is_not_overwritten(tmp_path: Path, running: FolderClocks) -> None:
    assert add(tmp_path, RECEIPT_TO_SHOWN, "12h", TOMORROW).exit_code == 0
    again = add(tmp_path, RECEIPT_TO_SHOWN, "6h", TOMORROW)
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    version = versions(RECEIPT_TO_SHOWN, running())[-1]
    with pytest.raises(FileExistsError):  # two operators in the same moment: both saw that the day is free
        running.add(version, "duration = '1h'")
    assert versions(RECEIPT_TO_SHOWN, running())[-1].duration == 12 * HOUR
    assert [each.name for each in (tmp_path / "clocks" / RECEIPT_TO_SHOWN).iterdir()] == [f"{TOMORROW}.toml"]


def test_the_draft_rule_by_setting_and_an_added_version_of_its_day_do_not_contradict(tmp_path: Path) -> None:
    rule = {"receipt_rule_from": LATER.isoformat()}
    refused = add(tmp_path, CLOSED_TO_RECEIPT, "2h", LATER, **rule)
    assert (refused.exit_code, "is there already" in refused.stderr) == (1, True)
    assert add(tmp_path, CLOSED_TO_RECEIPT, "2h", LATER).exit_code == 0
    # The setting came later, or an upgrade ships what somebody added: what was added counts, and nothing stops.
    target, added = listed(tmp_path, CLOSED_TO_RECEIPT, **rule)
    assert target["source"] == "shipped, HEALTHBOOK_RECEIPT_TARGET"
    assert (added["lasts"], Path(added["source"]).name) == ("2:00:00", f"{LATER}.toml")
    assert add(tmp_path, CLOSED_TO_RECEIPT, "1h", TOMORROW, **rule).exit_code == 0
    days = [(row["valid_from"], row["valid_until"]) for row in listed(tmp_path, CLOSED_TO_RECEIPT, **rule)]
    assert days == [(None, str(TOMORROW)), (str(TOMORROW), str(LATER)), (str(LATER), None)]
    by_setting = listed(tmp_path / "other", CLOSED_TO_RECEIPT, **rule)[-1]
    assert by_setting["source"] == "shipped, HEALTHBOOK_RECEIPT_RULE_FROM"


@pytest.mark.parametrize(
    ("clock", "duration", "day", "more", "exit_code", "said"),
    [
        (RECEIPT_TO_SHOWN, "12h", TODAY, (), 1, f"begins on {TOMORROW} at the earliest"),
        (RECEIPT_TO_SHOWN, "12h", date(2025, 1, 1), (), 1, "not changed behind it"),
        ("no-such-clock", "12h", TOMORROW, (), 2, "there is no clock no-such-clock"),
        ("../..", "12h", TOMORROW, (), 2, "there is no clock"),
        (RECEIPT_TO_SHOWN, "0h", TOMORROW, (), 1, "duration '0h'"),
        (RECEIPT_TO_SHOWN, "1 day", TOMORROW, (), 1, "15min, 24h, 2wd"),
        (RECEIPT_TO_SHOWN, "12h", TOMORROW, ("--warn-at", "50,100"), 1, "whole percents from 1 to 99"),
        (RECEIPT_TO_SHOWN, "12h", TOMORROW, ("--warn-at", "half"), 2, "50,75,90"),
        (RECEIPT_TO_SHOWN, "12h", TOMORROW, ("--at-risk", "0"), 1, "at_risk"),
        (CLOSED_TO_RECEIPT, "2h", TOMORROW, ("--offer-again-at", "50"), 1, "waits for the display side"),
        (CLOSED_TO_RECEIPT, "25h", TOMORROW, (), 1, "HEALTHBOOK_SEND_HORIZON (86400 s) is shorter"),
        (CLOSED_TO_RECEIPT, "2wd", TOMORROW, (), 1, "HEALTHBOOK_SEND_HORIZON"),
    ],
)
def test_what_cannot_count_is_refused_and_nothing_is_written(
    tmp_path: Path, clock: str, duration: str, day: date, more: tuple[str, ...], exit_code: int, said: str
) -> None:
    answer = add(tmp_path, clock, duration, day, *more)
    assert answer.exit_code == exit_code, answer.output
    assert said in answer.stderr
    assert answer.stdout == ""
    assert not (tmp_path / "clocks").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{LATER}.toml", "duration = "),
        (f"{LATER}.toml", "duration = 3\nlegal_basis = 'x'\narticle = 'x'"),
        (f"{LATER}.toml", "duration = '3h'\narticle = 'x'"),
        (f"{LATER}.toml", "duration = '3h'\nlegal_basis = 'x'\narticle = 'x'\nsubject = 'difficulty'"),
        (f"{LATER}.toml", "duration = '3h'\nlegal_basis = 'x'\narticle = 'x'\nwarn_at = 50"),
        (f"{LATER}.toml", b"\xff\xfe"),
        ("tomorrow.toml", "duration = '3h'\nlegal_basis = 'x'\narticle = 'x'"),
    ],
)
def test_a_file_that_cannot_be_used_counts_as_not_there_and_the_list_says_so(
    tmp_path: Path, running: FolderClocks, name: str, content: str | bytes
) -> None:
    assert add(tmp_path, RECEIPT_TO_SHOWN, "12h", TOMORROW).exit_code == 0
    before = running()
    file = tmp_path / "clocks" / RECEIPT_TO_SHOWN / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert running() == before
    *rows, broken = listed(tmp_path, RECEIPT_TO_SHOWN)
    assert len(rows) == 2
    assert broken["source"].startswith(f"CANNOT BE USED: {file}" if name != "tomorrow.toml" else "CANNOT BE USED")
    file.unlink()
    assert len(listed(tmp_path, RECEIPT_TO_SHOWN)) == 2


def test_a_version_of_a_clock_that_is_not_there_counts_as_not_there(tmp_path: Path, running: FolderClocks) -> None:
    folder = tmp_path / "clocks" / "no-such-clock"
    folder.mkdir(parents=True)
    (folder / f"{LATER}.toml").write_text("duration = '3h'\nlegal_basis = 'x'\narticle = 'x'")
    assert running() == versions_of_nobody()
    assert [each.file.parent.name for each in running.unusable] == ["no-such-clock"]


def test_what_is_written_is_read_again_as_it_was_given(tmp_path: Path) -> None:
    assert add(tmp_path, RECEIPT_TO_SHOWN, "12h", TOMORROW).exit_code == 0
    text = (tmp_path / "clocks" / RECEIPT_TO_SHOWN / f"{TOMORROW}.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["article"] == BASIS[3]
    read = read_added(RECEIPT_TO_SHOWN, TOMORROW, text, "here")
    assert (read.subject, read.starts_on, read.stops_on) == ("revision", "receipt", "shown")


def test_a_broken_file_costs_no_memory_however_often_it_is_asked_for(tmp_path: Path) -> None:
    def load(content: bytes | None) -> None:
        raise ValueError("broken")

    watched = Watched(tmp_path / "nothing", load)
    depths = set()
    for _ in range(5):
        with pytest.raises(ValueError, match="broken") as caught:
            watched.get()
        depths.add(len(caught.traceback))
    assert len(depths) == 1 or max(depths) <= 4
