"""What a person decides is written down: who and why; with `--dry-run` nothing is done."""

import getpass
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST = 500


class Words(click.ParamType):
    """One line of plain text that says something."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if not text:
            self.fail("is empty; say it in a few words", param, ctx)
        if not text.isprintable():
            self.fail("holds a line end or a character that cannot be printed; write one line of text", param, ctx)
        if len(text) > _LONGEST:
            self.fail(f"has {len(text)} characters, at most {_LONGEST} are kept", param, ctx)
        return text


def act_options(command: F) -> F:
    """Adds `--reason`, `--actor` and `--dry-run`; the command receives them under these names."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Says what would be done, and does nothing."),
        click.option("--actor", type=Words(), default=_user, show_default="your user name", required=True, help="Who."),
        click.option("--reason", type=Words(), required=True, help="Why; it is kept. Nothing about a patient."),
    ):
        command = option(command)
    return command


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers: then --actor must say it
        return None
