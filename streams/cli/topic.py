"""`healthbook topic plan|apply`: topics as declared against what is there."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

import click

from streams.adapters import topic_admin
from streams.adapters.topic_admin import TopicPlan
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_rows, fail, output_option, say
from streams.errors import RetryLater

COLUMNS = ("topic", "action", "what")


_replication = click.option(
    "--replication", type=click.IntRange(min=1), help="Replicas of each topic; default: as the brokers are configured."
)


@click.command("plan")
@_replication
@output_option
def topic_plan(output: str, replication: int | None) -> None:
    """Shows what `apply` would do. Exit 1 when something is not as declared."""
    found = _ask(topic_admin.plan, replication)
    _answer(found, output)
    raise SystemExit(int(Exit.NO if found else Exit.DONE))


@click.command("apply")
@_replication
@output_option
def topic_apply(output: str, replication: int | None) -> None:
    """Creates and configures topics as declared. Exit 1 when one cannot be changed (partitions, replicas)."""
    found = _ask(topic_admin.apply, replication)
    _answer(found, output)
    if any(item.action == "refuse" for item in found):
        fail("The number of partitions or replicas of a topic cannot be changed in place.", Exit.NO)


def _ask(act: Callable[..., Coroutine[Any, Any, list[TopicPlan]]], replication: int | None) -> list[TopicPlan]:
    bootstrap = settings_or_fail().kafka_bootstrap_servers
    try:
        return asyncio.run(act(bootstrap, replication=replication))
    except RetryLater as trouble:
        fail(str(trouble), Exit.UNREACHABLE)
    except topic_admin.TopicRefusedError as error:
        fail(str(error), Exit.NO)


def _answer(found: list[TopicPlan], output: str) -> None:
    if found or output == "json":
        emit_rows([asdict(item) for item in found], COLUMNS, output)
    else:
        say("All topics are as declared.")
