"""`healthbook dlq list|show|redrive|dismiss`: records that a stage could not use. Never a word of their content."""

import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click

from events.topics import DLQ_SUFFIX, TOPICS, Topic, topic_named
from streams.adapters import kafka
from streams.adapters.dead_letters import DeadLetterActs, DeadLetterTopics
from streams.cli import letter
from streams.cli.acts import act_options
from streams.cli.codes import DEAD_LETTERS
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_json, emit_rows, fail, output_option, say
from streams.cli.visit import with_database
from streams.domain.dead_letter import Letter, Order, Place
from streams.domain.vietnam import VIETNAM, local
from streams.errors import Reason
from streams.runtime.redrive import Outcome, Redrive

T = TypeVar("T")

_LISTED = ("visit", *letter.COLUMNS)
_DONE = ("topic", "partition", "offset", "visit", "reason", "outcome")
# Of a stranger's record also the headers may say anything: only those that are ours are shown.
_SHOWN_HEADERS = (
    "ce_id",
    "ce_source",
    "ce_specversion",
    "ce_time",
    "ce_type",
    "ce_dataschema",
    "content-type",
    "traceparent",
)


class TopicName(click.ParamType):
    """A topic of the bus, with or without `.dlq`."""

    name = "topic"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Topic:
        try:
            return topic_named(str(value).removesuffix(DLQ_SUFFIX))
        except KeyError:
            self.fail(f"{value} is no topic of the bus: {', '.join(topic.name for topic in TOPICS)}", param, ctx)


@click.command("list")
@click.option("--topic", type=TopicName(), help="Only those of this topic.")
@click.option("--reason", type=click.Choice([str(reason) for reason in Reason]), help="Only those with this code.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="Put aside from then on, in Vietnam's time."
)
@output_option
def dlq_list(topic: Topic | None, reason: str | None, since: datetime | None, output: str) -> None:
    """Lists dead letters, what was done about each, and which must go before it."""
    topics = [topic] if topic else list(TOPICS)
    first = since and since.replace(tzinfo=UTC) - VIETNAM

    async def ask(letters: DeadLetterTopics, acts: DeadLetterActs) -> list[dict[str, Any]]:
        found = await letters.letters()
        order = Order(found, await acts.of([topic.name for topic in topics]))
        return [
            order.told(item)
            for item in sorted(found, key=lambda item: (item.at, item.place))
            if reason in (None, item.reason) and (first is None or item.at >= first)
        ]

    rows = _with_parts(topics, ask)
    emit_rows(rows if output == "json" else list(map(letter.row, rows)), _LISTED, output)


@click.command("show")
@click.argument("topic", type=TopicName())
@click.argument("partition", type=click.IntRange(min=0))
@click.argument("offset", type=click.IntRange(min=0))
@click.option(
    "--raw",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes the record's value to this new file. It may hold a patient's data.",
)
@output_option
def dlq_show(topic: Topic, partition: int, offset: int, raw: Path | None, output: str) -> None:
    """Says all about one dead letter but its content. Exit 1 when there is none."""

    async def ask(letters: DeadLetterTopics, acts: DeadLetterActs) -> tuple[dict[str, Any], bytes | None]:
        item, value = await letters.letter(Place(topic.dlq, partition, offset))
        order = Order(await letters.letters(), await acts.of([topic.name]))
        return order.told(item) | _details(item), value

    told, value = _with_parts([topic], ask)
    if output == "json":
        emit_json(told)
    else:
        headers = told.pop("headers")
        done = told.pop("done")
        told["put_aside_at"] = f"{local(told['put_aside_at'])} (Vietnam)"
        click.echo("\n".join(f"{name}: {text}" for name, text in told.items() if text is not None))
        emit_rows([{"header": name, "value": text} for name, text in headers.items()], ("header", "value"), output)
        emit_rows([_act(item) for item in done], ("act", "when (Vietnam)", "actor", "reason", "confirmed"), output)
    if raw is not None:
        _write(raw, value)


@click.command("redrive")
@click.argument("topic", type=TopicName())
@click.option("--partition", type=click.IntRange(min=0), default=0, show_default=True, help="Of the dead letter.")
@click.option("--offset", type=click.IntRange(min=0), help="Of the dead letter.")
@click.option("--all", "all_", is_flag=True, help="All that are open, the first of each visit first.")
@click.option("--again", is_flag=True, help="Also one that was redriven or dismissed.")
@act_options
@output_option
def dlq_redrive(
    topic: Topic,
    partition: int,
    offset: int | None,
    all_: bool,
    again: bool,
    reason: str,
    actor: str,
    dry_run: bool,
    output: str,
) -> None:
    """Puts records back on TOPIC, with key, value and headers as they were. Exit 1 when one may not go (yet)."""
    if all_ == (offset is not None):
        raise click.UsageError("either --offset or --all says which")
    if all_ and again:
        raise click.UsageError("--again is about one: give its --offset")
    chosen = None if offset is None else Place(topic.dlq, partition, offset)

    async def ask(letters: DeadLetterTopics, acts: DeadLetterActs) -> list[Outcome]:
        await _alone(acts)
        producer = kafka.producer(settings_or_fail().kafka_bootstrap_servers, "dlq")
        await kafka.start(producer, "dlq")
        try:
            errand = Redrive(letters, acts, producer, actor, reason, again=again, dry_run=dry_run)
            return await errand.run(topic, chosen)
        finally:
            await producer.stop()

    _answer(_with_parts([topic], ask), "redriven", dry_run, output)


@click.command("dismiss")
@click.argument("topic", type=TopicName())
@click.option("--partition", type=click.IntRange(min=0), default=0, show_default=True, help="Of the dead letter.")
@click.option("--offset", type=click.IntRange(min=0), required=True, help="Of the dead letter.")
@act_options
@output_option
def dlq_dismiss(topic: Topic, partition: int, offset: int, reason: str, actor: str, dry_run: bool, output: str) -> None:
    """Says that nothing is to be done about one, so that later ones of its visit need not wait. Exit 1: not open."""

    async def ask(letters: DeadLetterTopics, acts: DeadLetterActs) -> list[Outcome]:
        await _alone(acts)
        errand = Redrive(letters, acts, None, actor, reason, dry_run=dry_run)
        return [await errand.dismiss(topic, Place(topic.dlq, partition, offset))]

    _answer(_with_parts([topic], ask), "dismissed", dry_run, output)


def _with_parts(topics: Sequence[Topic], ask: Callable[[DeadLetterTopics, DeadLetterActs], Awaitable[T]]) -> T:
    async def work(pool: "asyncpg.Pool[asyncpg.Record]") -> T:
        letters = DeadLetterTopics(settings_or_fail().kafka_bootstrap_servers, [topic.dlq for topic in topics])
        async with pool.acquire() as connection, letters:
            return await ask(letters, DeadLetterActs(connection))

    try:
        return with_database(work)
    except LookupError as error:
        fail(f"{error.args[0]}.", Exit.NO)


async def _alone(acts: DeadLetterActs) -> None:
    if not await acts.alone():
        fail("Somebody else redrives or dismisses dead letters at this moment; try again when that has ended.", Exit.NO)


def _answer(outcomes: Sequence[Outcome], done: str, dry_run: bool, output: str) -> None:
    rows = [
        {
            **_place(item.letter),
            "visit": item.letter.visit,
            "reason": item.letter.reason,
            "done": item.against is None and not dry_run,
            "outcome": (f"would be {done}" if dry_run else done)
            if item.against is None
            else f"not {done}: {item.against}",
        }
        for item in outcomes
    ]
    emit_rows(rows, _DONE, output)
    if dry_run:
        say("Dry run: nothing was done.")
    if any(item.against for item in outcomes):
        fail(f"Not all were {done}.", Exit.NO)


def _place(item: Letter) -> dict[str, Any]:
    return {"topic": item.place.topic, "partition": item.place.partition, "offset": item.place.offset}


def _details(item: Letter) -> dict[str, Any]:
    reason = item.reason
    return {
        "origin": None if item.stage is None else str(item.origin),
        "meaning": DEAD_LETTERS[Reason(reason)] if reason in list(Reason) else "Not put aside by a stage of ours.",
        "headers": {
            name: text if text.isprintable() else ascii(text)
            for name, value in item.headers
            if name in _SHOWN_HEADERS
            for text in [value.decode("utf-8", "replace")]
        },
    }


def _act(done: dict[str, Any]) -> dict[str, Any]:
    return done | {"when (Vietnam)": local(done["at"])}


def _write(file: Path, value: bytes | None) -> None:
    if value is None:
        fail("The dead letter has no value; nothing was written.", Exit.NO)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(value)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}. Name a new file in a folder that you may write to.", Exit.NO)
    say(f"{len(value)} bytes in {file}: they may hold a patient's data; remove the file when you are done.")
