"""`healthbook schema check|register`: schemas as declared against what is there."""

import asyncio

import click

from events.registry import IncompatibleSchemaError, Registry, RegistryUnreachableError, UnknownSchemaError
from events.topics import TOPICS
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_rows, fail, output_option

COLUMNS = ("subject", "id", "state")


@click.command("check")
@output_option
def schema_check(output: str) -> None:
    """Says for each topic whether its declared schema is registered. Exit 1 when one is not."""
    rows = asyncio.run(_each(settings_or_fail().schema_registry_url, register=False))
    emit_rows(rows, COLUMNS, output)
    if any(row["id"] is None for row in rows):
        fail("Not all schemas are registered: run `healthbook schema register`.", Exit.NO)


@click.command("register")
@output_option
def schema_register(output: str) -> None:
    """Registers the declared schemas. Exit 1 when the registry refuses one because old readers could not read it."""
    emit_rows(asyncio.run(_each(settings_or_fail().schema_registry_url, register=True)), COLUMNS, output)


async def _each(url: str, *, register: bool) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    async with Registry(url) as registry:
        for topic in TOPICS:
            subject = f"{topic.name}-value"
            try:
                schema_id = (
                    await registry.register(topic.name, topic.compatibility)
                    if register
                    else await registry.id_of(topic.name)
                )
                rows.append({"subject": subject, "id": schema_id, "state": "registered"})
            except UnknownSchemaError:
                rows.append({"subject": subject, "id": None, "state": "not registered"})
            except IncompatibleSchemaError as error:
                fail(f"{subject}: {error}", Exit.NO)
            except RegistryUnreachableError as error:
                fail(str(error), Exit.UNREACHABLE)
    return rows
