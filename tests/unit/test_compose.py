"""The brokers in containers have the settings of the embedded ones that decide what survives (docs/durability.md)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.cluster import COMMON, replication

ONE = ("docker-compose.yml",)
THREE = ("docker-compose.yml", "infra/docker/three-brokers.yml")
ALIKE = ("auto.create.topics.enable", "unclean.leader.election.enable", "message.max.bytes", "replica.fetch.max.bytes")


def services(*files: str) -> dict[str, Any]:
    """What Compose makes of the files."""
    compose = [
        str(Path(sys.executable).with_name("docker-compose")),
        *(word for file in files for word in ("-f", file)),
    ]
    command = [*compose, "--profile", "simulators", "config", "--format", "json"]
    root = Path(__file__).parents[2]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(answer.stdout)["services"]
    return found


@pytest.mark.parametrize(("files", "names"), [(ONE, ["kafka"]), (THREE, ["kafka", "kafka-2", "kafka-3"])])
def test_every_broker_is_configured_as_the_embedded_ones(files: tuple[str, ...], names: list[str]) -> None:
    brokers = {name: service for name, service in services(*files).items() if name.startswith("kafka")}
    assert sorted(brokers) == names
    expected = replication(len(names)) | {name: COMMON[name] for name in ALIKE}
    for number, name in enumerate(names, start=1):
        environment = brokers[name]["environment"]
        assert {key: environment[variable(key)] for key in expected} == {key: str(expected[key]) for key in expected}
        assert environment["KAFKA_NODE_ID"] == str(number)
        assert f"INTERNAL://{name}:9092" in environment["KAFKA_ADVERTISED_LISTENERS"]
        (volume,) = brokers[name]["volumes"]
        assert volume["source"] == name, "each has its own data"


def test_with_three_brokers_every_process_knows_all_of_them() -> None:
    known = {
        service["environment"]["HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS"]
        for name, service in services(*THREE).items()
        if name != "gateway-simulator" and "HEALTHBOOK_KAFKA_BOOTSTRAP_SERVERS" in service.get("environment", {})
    }
    assert known == {"kafka:9092,kafka-2:9092,kafka-3:9092"}


def test_what_hospitals_can_reach_has_neither_keys_nor_the_database() -> None:
    service = services(*ONE)["adapter-http"]
    assert not service.get("secrets")
    assert "HEALTHBOOK_DATABASE_URL_FILE" not in service["environment"]
    assert {volume["target"]: volume["type"] for volume in service["volumes"]} == {
        "/run/tokens": "bind",
        "/var/spool/healthbook": "volume",  # the spool outlives the container
    }
    assert service["command"][-1] == "/var/spool/healthbook"


def variable(setting: str) -> str:
    """The image's name for a broker's setting."""
    return "KAFKA_" + setting.upper().replace(".", "_")
