"""How every command answers: `--output table|json`; JSON is one document on standard output (INTERFACE §3)."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NoReturn, TypeVar

import click

_PAGE = 1000
"""Width where there is no terminal: no row is broken, so that grep finds it."""

F = TypeVar("F", bound=Callable[..., Any])


class Exit(IntEnum):
    """Exit codes of INTERFACE §3 (click itself answers 2 to wrong usage)."""

    DONE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3


def output_option(command: F) -> F:
    """Adds `--output table|json`; the command receives it as `output`."""
    return click.option(
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="How the answer is printed.",
    )(command)


def emit_json(document: Any) -> None:
    """Writes the one JSON document of this command to standard output."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def emit_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output: str) -> None:
    """A list of rows: a table with these columns for people, the whole rows as a JSON list for programs."""
    if output == "json":
        emit_json(list(rows))
        return
    from rich.console import Console  # rich costs 0.1 s to import: only for people
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")  # a code that is cut off cannot be copied
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    terminal = sys.stdout.isatty()
    Console(no_color=None if terminal else True, width=None if terminal else _PAGE).print(table)


def emit_fields(fields: Mapping[str, Any], output: str) -> None:
    """One thing: a line for each field that it has for people, the whole of it as a JSON object for programs."""
    if output == "json":
        emit_json(fields)
        return
    click.echo("\n".join(_lines(fields)))


def _lines(fields: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{within}{name}.")
        elif value is not None:
            yield f"{within}{name}: {value}"


def say(message: str) -> None:
    """A message for the person at the terminal: standard error, so that standard output stays the answer."""
    click.echo(message, err=True)


def fail(message: str, code: Exit) -> NoReturn:
    """Ends the command with a reason and the exit code."""
    say(message)
    raise SystemExit(int(code))
