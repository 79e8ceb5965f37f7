"""`healthbook config print|check`: the settings as this process sees them, without secrets."""

import click

from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.config import PREFIX, ConfigError, Settings, load


def settings_or_fail() -> Settings:
    """The settings, or exit 2 with what is wrong, where, and how to mend it."""
    try:
        return load()
    except ConfigError as error:
        fail(str(error), Exit.USAGE)


@click.command("print")
@output_option
def config_print(output: str) -> None:
    """Shows every setting; a secret only says that it is set."""
    shown = settings_or_fail().public()
    if output == "json":
        emit_json(shown)
        return
    meanings = {name: field.description or "" for name, field in Settings.model_fields.items()}
    rows = [
        {"setting": PREFIX + name.upper(), "value": value, "meaning": meanings[name]} for name, value in shown.items()
    ]
    emit_rows(rows, ("setting", "value", "meaning"), output)


@click.command("check")
def config_check() -> None:
    """Says what is wrong with the settings, where, and how to mend it."""
    try:
        load()
    except ConfigError as error:
        fail(str(error), Exit.NO)
    say("All settings can be used.")
