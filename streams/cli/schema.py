"""`healthbook schema check|register`: schemas as declared against what is there."""

import asyncio
from dataclasses import asdict

import click

from events.registry import IncompatibleSchemaError, Registry, RegistryUnreachableError, UnknownSchemaError
from events.topics import TOPICS
from streams.cli.config import settings_or_fail
from streams.cli.output import Exit, emit_rows, fail, output_option, say

COLUMNS = ("subject", "id", "state")
PROBLEM = ("file", "field", "expected", "found", "mend")


@click.command("check")
@click.option("--offline", is_flag=True, help="Without a registry: schema files, dataclasses, history, examples.")
@output_option
def schema_check(offline: bool, output: str) -> None:
    """Says for each topic whether its declared schema is registered. Exit 1 when one is not.

    With --offline, whether the contract is whole: every schema mirrors its dataclass, is compatible with every earlier
    version, and is shown by examples that the present code still reads. Exit 1 when it is not.
    """
    if offline:
        _check_offline(output)
        return
    rows = asyncio.run(_each(settings_or_fail().schema_registry_url, register=False))
    emit_rows(rows, COLUMNS, output)
    if any(row["id"] is None for row in rows):
        fail("Not all schemas are registered: run `healthbook schema register`.", Exit.NO)


def _check_offline(output: str) -> None:
    from events.contracts import check  # brings the compatibility checker, which nothing else needs

    problems = check()
    if problems or output == "json":
        emit_rows([asdict(problem) for problem in problems], PROBLEM, output)
    if problems:
        fail(f"The contract is broken in {len(problems)} places.", Exit.NO)
    say(f"{len(TOPICS)} topics: schemas, history and examples are as they must be.")


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
