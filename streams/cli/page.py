"""A page of documentation that is written from the source, or told to be stale."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from streams.cli.output import Exit, fail, say

F = TypeVar("F", bound=Callable[..., Any])


def page_options(page: str) -> Callable[[F], F]:
    """Adds `--check` and `--file`; the command receives them as `check` and `file`."""

    def add(command: F) -> F:
        kind = click.Path(dir_okay=False, path_type=Path)
        file = click.option("--file", type=kind, default=page, show_default=True, help="The page.")
        check = click.option(
            "--check", is_flag=True, help="Writes nothing; fails when the page is not what the source says."
        )
        return check(file(command))

    return add


def write_or_check(file: Path, text: str, command: str, *, check: bool) -> None:
    """Writes `text`; with `check` writes nothing and ends with 1 when the page says something else."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        say(f"{file} is what the source says.")
    elif check:
        fail(f"{file} is not what the source says: run `{command}`.", Exit.NO)
    else:
        file.write_text(text, encoding="utf-8")
        say(f"{file} written.")
