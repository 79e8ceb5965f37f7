"""`healthbook submission states`: writes docs/submission-states.md from the source, or tells that it is stale."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from streams.cli.page import page_options, write_or_check
from streams.domain.submission import MOVES, Happening, State
from streams.domain.submission_table import HAPPENINGS, NOTHING, STATES, effects, moves_between

_OF_THE_CONTRACT = (
    ("BUILT, VALIDATED", "`visit.closed.v1`, `visit.validated.v1`: before the ledger"),
    ("SIGNED (bytes frozen)", "READY: the row has the bytes and their SHA-256, and no statement changes either"),
    ("SENDING (attempt written first)", "SENDING, OVERTAKEN"),
    ("200 → ACCEPTED → PUBLISH → DISPLAYED", "ACCEPTED; then `publish` and the display side"),
    ("PERMANENT-* → REJECTED", "REFUSED when the dossier is wrong, HELD when it is not to blame"),
    ("AUTH", "inside one attempt: a new session, the same call once more"),
    ("UNKNOWN → wait → the same bytes", "WAITING"),
    ("exhausted → HELD", "HELD, once the horizon has passed"),
    ("SUPERSEDED", "SUPERSEDED, or OVERTAKEN while it is in flight"),
)


@click.command("states")
@page_options("docs/submission-states.md")
def submission_states(check: bool, file: Path) -> None:
    """Writes the page of every state of a revision at the gateway × everything that can happen to it."""
    write_or_check(file, page(), "healthbook submission states", check=check)


def page() -> str:
    """The page, from the table that the ledger obeys."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (
        "# States of a revision at the gateway",
        "",
        "Written by `healthbook submission states` from `streams/domain/submission.py`; `make check` fails when it is",
        "stale. The ledger hands the same moves to PostgreSQL; `tests/integration/test_ledger_machine.py` holds it",
        "against random lives of visits. Why it is so: [decision 0006](decisions/0006-submission-ledger.md). What a",
        "correction does at each point of a revision's life: [replacement](replacement.md).",
        "",
        "```mermaid",
        *_diagram(),
        "```",
        "",
        "## States",
    )
    yield from _table(("state", "meaning"), ((f"`{state}`", STATES[state]) for state in State))
    yield from ("", "## What can happen")
    yield from _table(("happening", "what it is"), ((f"`{item}`", HAPPENINGS[item]) for item in Happening))
    reasons = {why: f"{number}" for number, why in enumerate(dict.fromkeys(NOTHING.values()), start=1)}
    yield from (
        "",
        "## Every state × everything that can happen",
        "",
        "A number: nothing happens, for the reason below.",
    )
    yield from _table(
        ("", *(f"`{item}`" for item in Happening)),
        ((f"`{state}`", *(_cell(state, item, reasons) for item in Happening)) for state in State),
    )
    yield ""
    yield from (f"{number}. {why}." for why, number in reasons.items())
    yield from ("", "## What a move does besides, in one transaction")
    yield from _table(
        ("from", "by", "to", "what is done"),
        ((f"`{old}`", f"`{item}`", f"**{new}**", effects(old, item)) for (old, item), new in MOVES.items()),
    )
    yield from ("", "## The words of the contract (GATEWAY §12)")
    yield from _table(("contract", "here"), _OF_THE_CONTRACT)


def _diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    yield f"    [*] --> {State.READY}"
    for (old, new), happenings in moves_between().items():
        yield f"    {old} --> {new} : {', '.join(happenings).lower().replace('_', ' ')}"
    leaving = {old for old, _ in moves_between()}
    yield from (f"    {state} --> [*]" for state in State if state not in leaving)


def _cell(state: State, happening: Happening, reasons: Mapping[str, str]) -> str:
    after = MOVES.get((state, happening))
    return f"**{after}**" if after else reasons[NOTHING[state, happening]]


def _table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]] | tuple[tuple[str, ...], ...]) -> Iterator[str]:
    yield from ("", _row(columns), _row(("---",) * len(columns)))
    yield from map(_row, rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
