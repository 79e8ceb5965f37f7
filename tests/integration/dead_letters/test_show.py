"""Dead letters are listed, shown and refused without a word of their content."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from events.topics import VISIT_CLOSED, VISIT_SIGNED
from tests.support.commands import healthbook
from tests.support.dead_letters import NAME, WHY, Bench, Command, at, closed, listed


async def test_show_tells_everything_but_the_content_and_raw_writes_it_for_its_owner_alone(
    bench: Bench, command: Command, visit: str, tmp_path: Path
) -> None:
    event = closed(visit)
    letter = await bench.fall(event)
    where = (letter.place.topic, letter.place.partition, letter.place.offset)
    file = tmp_path / "value"
    table = await command("dlq", "show", *where, "--raw", file)
    assert table.code == 0, table.stderr
    told = (await command("dlq", "show", *where, "--output", "json")).json
    assert (told["stage"], told["reason"], told["bytes"]) == (visit, "UNEXPECTED", file.stat().st_size)
    assert told["origin"] == str(letter.origin)
    assert told["headers"]["ce_type"] == VISIT_CLOSED.name
    assert told["meaning"]
    assert NAME not in table.stdout + table.stderr + json.dumps(told, ensure_ascii=False)
    assert NAME.encode() in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    second = await command("dlq", "show", *where, "--raw", file)
    assert second.code == 1
    assert "File exists" in second.stderr


async def test_the_list_is_found_by_reason_and_day(bench: Bench, command: Command, visit: str) -> None:
    await bench.fall(closed(visit))
    await bench.send(closed(f"{visit}-2"), value=b"\x07not avro")
    await bench.fallen(closed(f"{visit}-2"))
    assert [row["visit"] for row in await listed(command, visit, "--reason", "NOT_AVRO")] == [f"01999|{visit}-2"]
    tomorrow = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    assert await listed(command, visit, "--since", tomorrow) == []
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M}"
    assert len(await listed(command, visit, "--since", yesterday)) == 2


@pytest.mark.parametrize(
    "given", [("list",), ("show", VISIT_SIGNED.name, 0, 0), ("redrive", VISIT_SIGNED.name, "--all", *WHY)]
)
async def test_a_broker_that_does_not_answer_is_exit_3(database_url: str, given: tuple[object, ...]) -> None:
    answer = await healthbook("dlq", *given, database_url=database_url, kafka_bootstrap_servers="127.0.0.1:1")
    assert (answer.code, answer.stdout) == (3, ""), answer
    assert "no Kafka broker answers" in answer.stderr


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("dlq", "list", "--topic", "visit.unknown.v1"), 2, "visit.unknown.v1 is no topic of the bus"),
        (("dlq", "redrive", VISIT_SIGNED.name, *WHY), 2, "either --offset or --all"),
        (("dlq", "redrive", VISIT_SIGNED.name, "--all", "--again", *WHY), 2, "--again is about one"),
        (("dlq", "redrive", VISIT_SIGNED.name, "--all"), 2, "--reason"),
        (("dlq", "redrive", VISIT_SIGNED.name, "--offset", 10**9, *WHY), 1, "there is no dead letter at"),
        (("dlq", "dismiss", VISIT_SIGNED.name, "--offset", 10**9, *WHY), 1, "there is no dead letter at"),
        (("dlq", "show", VISIT_SIGNED.name, 0, 10**9), 1, "there is no dead letter at"),
        (("dlq", "show", VISIT_SIGNED.name, 5, 0), 1, "there is no dead letter at"),
    ],
)
async def test_what_cannot_be_done_is_said_clearly(
    command: Command, given: tuple[object, ...], code: int, said: str
) -> None:
    answer = await command(*given)
    assert answer.code == code, answer
    assert said in answer.stderr
    assert answer.stdout == ""


async def test_a_visit_tells_of_its_own_dead_letters_also_when_nothing_else_is_known_of_it(
    bench: Bench, command: Command, visit: str, database_url: str
) -> None:
    letter = await bench.fall(closed(visit))
    await bench.fall(closed(f"{visit}-other"))
    told = (await command("visit", "show", "01999", visit, "--output", "json")).json
    mine = [item for item in told["dead_letters"] if item["stage"] == visit]
    assert [(item["offset"], item["reason"], item["open"]) for item in mine] == [
        (letter.place.offset, "UNEXPECTED", True)
    ]
    assert (told["story"], told["clocks"]) == ([], [])
    assert (await command("dlq", "dismiss", *at(letter), *WHY)).code == 0
    table = await command("visit", "show", "01999", visit)
    assert (table.code, "dismissed by ngoc" in table.stdout) == (0, True), table
    assert NAME not in table.stdout + table.stderr
    assert (await command("visit", "show", "01999", f"{visit}-unknown")).code == 1

    away = await healthbook("visit", "show", "01999", visit, database_url=database_url)
    assert (away.code, "Dead letters are not told" in away.stderr) == (1, True), away
