"""`healthbook topic plan|apply`: topics as declared against what is there."""

import asyncio
from dataclasses import asdict

import click

from streams.adapters import topic_admin
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_rows, fail, output_option, say
from streams.errors import RetryLater

COLUMNS = ("topic", "action", "what")


@click.command("plan")
@output_option
def topic_plan(output: str) -> None:
    """Shows what `apply` would do. Exit 1 when something is not as declared."""
    found = _ask(apply=False, replication=1)
    _answer(found, output)
    raise SystemExit(int(Exit.NO if found else Exit.DONE))


@click.command("apply")
@click.option(
    "--replication", type=click.IntRange(min=1), default=1, show_default=True, help="Replicas of a new topic."
)
@output_option
def topic_apply(replication: int, output: str) -> None:
    """Creates and configures topics as declared. Exit 1 when one cannot be changed (partitions)."""
    found = _ask(apply=True, replication=replication)
    _answer(found, output)
    if any(item.action == "refuse" for item in found):
        fail("The number of partitions of a topic cannot be changed in place.", Exit.NO)


def _ask(*, apply: bool, replication: int) -> list[topic_admin.TopicPlan]:
    bootstrap = settings_or_fail().kafka_bootstrap_servers
    try:
        if apply:
            return asyncio.run(topic_admin.apply(bootstrap, replication=replication))
        return asyncio.run(topic_admin.plan(bootstrap))
    except RetryLater as trouble:
        fail(str(trouble), Exit.UNREACHABLE)
    except topic_admin.TopicRefusedError as error:
        fail(str(error), Exit.NO)


def _answer(found: list[topic_admin.TopicPlan], output: str) -> None:
    if found or output == "json":
        emit_rows([asdict(item) for item in found], COLUMNS, output)
    else:
        say("All topics are as declared.")
