"""The tables of docs/durability.md, and the settings that are in force in running parts."""

import re
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.adapters.topic_admin import declared

PAGE = Path(__file__).parents[2] / "docs" / "durability.md"


def promised(chapter: str, column: str) -> dict[str, str]:
    """Setting → value, from the table below this heading."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n### {chapter}\n")[1].split("\n#")[0]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", text, re.M)]
    place = rows[0].index(column)
    return {row[0]: row[place] for row in rows[2:]}


async def brokers_are_as_promised(bootstrap: str, column: str) -> None:
    """Each broker, and each topic of the bus."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        nodes = [str(node["node_id"]) for node in (await admin.describe_cluster())["brokers"]]
        for chapter, kind, names in (
            ("Brokers", ConfigResourceType.BROKER, nodes),
            ("Topics", ConfigResourceType.TOPIC, [topic.name for topic in declared()]),
        ):
            expected = promised(chapter, column)
            answers = await admin.describe_configs([ConfigResource(kind, name) for name in names])
            found = {
                resource[3]: {entry[0]: entry[1] for entry in resource[4] if entry[0] in expected}
                for answer in answers
                for resource in answer.resources
            }
            assert found == dict.fromkeys(names, expected)
    finally:
        await admin.close()
