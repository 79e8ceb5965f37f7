"""Every command as a script meets it: help, wrong usage, one JSON document, and a part that does not answer."""

import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from streams.cli import main

AWAY = {
    "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "HEALTHBOOK_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "HEALTHBOOK_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
}


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = list(commands())


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_the_promised_commands_are_there() -> None:
    """INTERFACE §3, as far as it is built (README, state of the work)."""
    assert {
        ("run",),
        ("status",),
        ("stop",),
        ("stage",),
        ("dossier", "new"),
        ("dossier", "check"),
        ("visit", "close"),
        ("visit", "show"),
        ("visit", "list"),
        ("standard", "list"),
        ("standard", "show"),
        ("standard", "add"),
        ("deadline", "list"),
        ("deadline", "show"),
        ("deadline", "add"),
        ("facility", "list"),
        ("facility", "show"),
        ("facility", "add"),
        ("facility", "reconcile"),
        ("certificate", "list"),
        ("certificate", "show"),
        ("certificate", "add"),
        ("held", "list"),
        ("held", "show"),
        ("held", "release"),
        ("held", "abandon"),
        ("outage", "open"),
        ("outage", "close"),
        ("outage", "list"),
        ("dlq", "list"),
        ("dlq", "show"),
        ("dlq", "redrive"),
        ("adapter", "folder"),
        ("topic", "plan"),
        ("topic", "apply"),
        ("schema", "check"),
        ("simulate", "gateway"),
        ("simulate", "vneid"),
        ("simulate", "his"),
        ("config", "print"),
        ("config", "check"),
        ("completion",),
    } <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_and_unknown_options_are_wrong_usage(
    runner: CliRunner, command: tuple[str, ...]
) -> None:
    answer = runner.invoke(main, [*command, "--help"])
    assert answer.exit_code == 0
    assert answer.stdout.startswith("Usage:")
    assert len(answer.stdout.splitlines()) > 3
    assert runner.invoke(main, [*command, "--no-such-option"]).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(runner: CliRunner, shell: str) -> None:
    answer = runner.invoke(main, ["completion", shell])
    assert answer.exit_code == 0
    assert "_HEALTHBOOK_COMPLETE" in answer.stdout


@pytest.mark.parametrize(
    "command",
    [
        "visit list",
        "visit show 01999 V1",
        "held list",
        "held show 01999 V1",
        "held release 01999 V1 --reason mended",
        "held abandon 01999 V1 --reason settled",
        "outage list",
        "outage show 1",
        "outage open --subject us --reason away",
        "outage close 1 --reason back",
        "dlq list",
        "dlq redrive visit.closed.v1 --all --reason mended",
        "topic plan",
        "topic apply",
        "schema check",
        "schema register",
    ],
)
def test_a_part_that_does_not_answer_is_exit_3_with_a_reason(runner: CliRunner, command: str) -> None:
    answer = runner.invoke(main, command.split(), env=AWAY)
    assert answer.exit_code == 3, answer.output
    assert answer.stdout == ""
    assert answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("command", ["config print --output json", "status --output json"])
def test_json_is_one_document_on_standard_output(
    runner: CliRunner, command: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    answer = runner.invoke(main, command.split(), env={**AWAY, "HEALTHBOOK_HOME": str(home)})
    assert json.loads(answer.stdout)
