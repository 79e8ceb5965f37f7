"""`healthbook completion`: the script that lets a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Prints the completion script of SHELL. In bash: `source <(healthbook completion bash)`."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows the three shells of the choice
    click.echo(kind(context.find_root().command, {}, "healthbook", "_HEALTHBOOK_COMPLETE").source())
