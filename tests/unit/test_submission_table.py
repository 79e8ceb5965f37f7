"""docs/submission-states.md tells what happens, or why nothing does, for every state and everything that can happen."""

from itertools import product
from pathlib import Path

from click.testing import CliRunner

from streams.cli import main
from streams.cli.submission import page
from streams.domain.submission import MOVES, Happening, State
from streams.domain.submission_table import HAPPENINGS, NOTHING, STATES, effects

REPOSITORY = Path(__file__).parents[2]
COMMAND = ("submission", "states", "--file")


def test_every_pair_either_moves_or_has_a_reason_why_not() -> None:
    assert MOVES.keys() | NOTHING.keys() == set(product(State, Happening))
    assert not MOVES.keys() & NOTHING.keys()


def test_every_word_is_explained() -> None:
    assert STATES.keys() == set(State)
    assert HAPPENINGS.keys() == set(Happening)
    assert all(effects(*pair) for pair in MOVES)


def test_an_event_is_told_exactly_by_answers_that_become_the_state() -> None:
    tells = {pair for pair in MOVES if "into the outbox" in effects(*pair)}
    answers = (Happening.ACCEPTED, Happening.REFUSED, Happening.HELD)
    assert tells == {(State.SENDING, answer) for answer in answers}


def test_the_page_is_fresh() -> None:
    page_ = REPOSITORY / "docs" / "submission-states.md"
    assert CliRunner().invoke(main, [*COMMAND, str(page_), "--check"]).exit_code == 0


def test_a_stale_page_is_told_and_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "states.md"
    file.write_text(page().replace("**ACCEPTED**", "**REFUSED**", 1), encoding="utf-8")
    command = [*COMMAND, str(file)]
    assert CliRunner().invoke(main, [*command, "--check"]).exit_code == 1
    assert CliRunner().invoke(main, command).exit_code == 0
    assert CliRunner().invoke(main, [*command, "--check"]).exit_code == 0


def test_the_diagram_has_every_move_once() -> None:
    drawn = [line.split(" : ")[0].split() for line in page().splitlines() if " --> " in line and " : " in line]
    assert sorted((old, new) for old, _, new in drawn) == sorted(
        {(old.value, new.value) for (old, _), new in MOVES.items()}
    )
