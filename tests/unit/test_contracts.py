"""The offline check of the contract finds each kind of breakage, and says where it is and how to mend it."""

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from events.contracts import ROOT, Problem, check, incompatible, versions
from events.topics import DEADLINE_CHANGED, HEALTH_BOOK_ENTRY, TOPICS, VISIT_CLOSED, VISIT_HELD, Topic
from streams.cli import main

Edit = Callable[[Any], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of schemas/avro to break."""
    shutil.copytree(ROOT, tmp_path / "avro")
    return tmp_path / "avro"


def edit(path: Path, change: Edit) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def field(schema: Any, name: str) -> Any:
    return next(item for item in schema["fields"] if item["name"] == name)


def after(topic: Topic, *changes: Edit) -> list[Problem]:
    """What the history says when a careless engineer changes the schema, release after release."""
    releases = versions(topic.name)
    for change in changes:
        releases.append(copy.deepcopy(releases[-1]))
        change(releases[-1])
    return [*incompatible(topic, releases)]


def add(**more: Any) -> Edit:
    return lambda schema: schema["fields"].append({"name": "more", **more})


OPTIONAL = {"type": ["null", "string"], "default": None}


def test_the_contract_is_whole() -> None:
    assert check() == []


def test_a_renamed_field_is_found(root: Path) -> None:
    edit(root / "visit.closed.v1.avsc", lambda schema: field(schema, "closedAt").update(name="endedAt"))
    (problem,) = check(root)
    assert problem.file == "visit.closed.v1.avsc"
    assert (problem.expected, problem.found) == ("field closedAt", "field endedAt")


def test_fields_in_another_order_are_found(root: Path) -> None:
    edit(root / "visit.closed.v1.avsc", lambda schema: schema["fields"].reverse())
    (problem,) = check(root)
    assert problem.expected.startswith("in this order: facility, maLk")


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("revision", "string", "long or int"),
        ("closedAt", "long", "long timestamp-millis"),
        ("tables", "bytes", "array"),
        ("envelope", "bytes", '["null", …] for what may be None'),
    ],
)
def test_a_wrong_type_is_found(root: Path, name: str, kind: str, expected: str) -> None:
    edit(root / "visit.closed.v1.avsc", lambda schema: field(schema, name).update(type=kind))
    (problem,) = check(root)
    assert (problem.field, problem.expected, problem.found) == (name, expected, kind)


def test_a_wrong_type_inside_of_a_record_is_found_by_its_path(root: Path) -> None:
    def break_it(schema: Any) -> None:
        field(field(schema, "tables")["type"]["items"], "content")["type"] = "string"

    edit(root / "visit.closed.v1.avsc", break_it)
    (problem,) = check(root)
    assert problem.field == "tables[].content"


def test_a_missing_symbol_is_found(root: Path) -> None:
    edit(root / "deadline.changed.v1.avsc", lambda schema: field(schema, "state")["type"]["symbols"].remove("MET"))
    (problem,) = check(root)
    assert problem.field == "state"


def test_a_removed_default_is_found(root: Path) -> None:
    edit(root / "visit.closed.v1.avsc", lambda schema: field(schema, "envelope").pop("default"))
    (problem,) = check(root)
    assert (problem.field, problem.found) == ("envelope", "none")


def test_a_schema_that_is_not_avro_is_found(root: Path) -> None:
    (root / "visit.held.v1.avsc").write_text("{", encoding="utf-8")
    (problem,) = check(root)
    assert problem.found.startswith("JSONDecodeError")


def test_a_missing_schema_is_found(root: Path) -> None:
    (root / "visit.held.v1.avsc").unlink()
    (problem,) = check(root)
    assert (problem.file, problem.found) == ("visit.held.v1.avsc", "no file")


@pytest.mark.parametrize("path", ["visit.lost.v1.avsc", "history/visit.lost.v1", "examples/visit.lost.v1"])
def test_files_of_no_topic_are_found(root: Path, path: str) -> None:
    (root / path).mkdir()
    (problem,) = check(root)
    assert (problem.file, problem.expected) == (path, "the name of a topic")


def test_a_change_without_a_new_version_is_found(root: Path) -> None:
    edit(root / "visit.held.v1.avsc", lambda schema: schema.update(doc="Another description."))
    (problem,) = check(root)
    assert problem.mend == "Once it is as you want it: cp visit.held.v1.avsc history/visit.held.v1/2.avsc"


def test_a_missing_history_is_found(root: Path) -> None:
    shutil.rmtree(root / "history" / "visit.held.v1")
    (problem,) = check(root)
    assert (problem.file, problem.found) == ("history/visit.held.v1", "nothing")


def test_a_removed_version_is_found(root: Path) -> None:
    history = root / "history" / "visit.held.v1"
    (history / "1.avsc").rename(history / "2.avsc")
    (problem,) = check(root)
    assert (problem.expected, problem.found) == ("1.avsc and up", "2")


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_new_field_without_a_default_is_refused_on_every_topic(topic: Topic) -> None:
    problems = after(topic, add(type="string"))
    earlier = range(1, 1 + len(versions(topic.name)))
    assert [problem.file for problem in problems] == [f"history/{topic.name}/{number}.avsc" for number in earlier]
    assert {problem.field for problem in problems} == {"more"}
    assert all(problem.expected.startswith("read by the present schema") for problem in problems)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_new_field_with_a_default_is_fine_on_every_topic(topic: Topic) -> None:
    assert after(topic, add(**OPTIONAL)) == []


def test_a_removed_field_is_refused_where_old_readers_must_read_new_data() -> None:
    problems = after(DEADLINE_CHANGED, lambda schema: schema["fields"].remove(field(schema, "late")))
    assert {problem.expected for problem in problems} == {"able to read the present schema (FULL_TRANSITIVE)"}
    assert after(VISIT_HELD, lambda schema: schema["fields"].remove(field(schema, "heldBy"))) == []


def test_a_change_deep_inside_is_found_by_its_place() -> None:
    def break_it(schema: Any) -> None:
        field(field(schema, "person")["type"][1], "key")["type"] = "long"

    assert {problem.field for problem in after(HEALTH_BOOK_ENTRY, break_it)} == {"person"}


def test_every_earlier_version_counts_not_only_the_last() -> None:
    """The third version reads the second, but not the first."""
    (problem,) = after(VISIT_HELD, add(**OPTIONAL), lambda schema: field(schema, "more").pop("default"))
    assert problem.file == "history/visit.held.v1/1.avsc"
    assert problem.field == "more"


def test_only_the_version_before_counts_where_the_rule_is_not_transitive() -> None:
    last_only = replace(VISIT_HELD, compatibility="BACKWARD")
    assert after(last_only, add(**OPTIONAL), lambda schema: field(schema, "more").pop("default")) == []
    assert [problem.field for problem in after(last_only, add(type="string"))] == ["more"]


def test_a_topic_without_examples_is_found(root: Path) -> None:
    shutil.rmtree(root / "examples" / "visit.signed.v1")
    (problem,) = check(root)
    assert (problem.file, problem.expected) == ("examples/visit.signed.v1", "an example")


def test_a_branch_without_an_example_is_found(root: Path) -> None:
    (root / "examples" / "visit.closed.v1" / "envelope.json").unlink()
    assert [(problem.field, problem.expected) for problem in check(root)] == [
        ("VisitClosed.tables", "an example with no item"),
        ("VisitClosed.envelope", "an example with a value"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda example: example.pop("facility"),
        lambda example: example.update(unknown="x"),
        lambda example: example.update(revision="seven"),
        lambda example: example.update(envelope="not a union"),
    ],
    ids=["a field is missing", "a field is foreign", "a type is wrong", "a union is not labelled"],
)
def test_an_example_that_the_schema_does_not_write_is_found(root: Path, change: Edit) -> None:
    edit(root / "examples" / "visit.closed.v1" / "tables.json", change)
    assert check(root)[0].file == "examples/visit.closed.v1/tables.json"


def test_examples_of_an_earlier_version_are_read_for_ever(root: Path) -> None:
    """The first version had no `hold`: what it wrote is still read, with the default."""
    first = root / "history" / "visit.held.v1" / "1.avsc"
    shutil.copy(first, first.with_name("2.avsc"))
    edit(first, lambda schema: schema["fields"].remove(field(schema, "hold")))
    edit(root / "examples" / "visit.held.v1" / "window.json", lambda example: example.pop("hold"))
    assert check(root) == []


def test_two_topics_do_not_share_a_dataclass(root: Path) -> None:
    topics = tuple(replace(topic, event=VISIT_HELD.event) if topic is VISIT_CLOSED else topic for topic in TOPICS)
    found = [problem.expected for problem in check(root, topics) if problem.file == "events/topics.py"]
    assert found == ["VisitHeld.topic = visit.closed.v1", "a dataclass of its own"]


def test_the_command_says_what_is_wrong_and_answers_with_its_exit_code(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = CliRunner().invoke(main, ["schema", "check", "--offline", "--output", "json"])
    assert (whole.exit_code, json.loads(whole.stdout)) == (0, [])

    shutil.rmtree(root / "history" / "visit.held.v1")
    monkeypatch.setattr("events.contracts.check.__defaults__", (root, TOPICS))
    broken = CliRunner().invoke(main, ["schema", "check", "--offline", "--output", "json"])
    assert broken.exit_code == 1
    assert [row["file"] for row in json.loads(broken.stdout)] == ["history/visit.held.v1"]
