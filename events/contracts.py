"""The contract is data that a check walks, without a registry: schemas, their history and their examples.

    events/topics.py                     one row for each topic: its dataclass, its writer, its rule for later schemas
    schemas/avro/<topic>.avsc            the present schema: mirrors the dataclass field by field
    schemas/avro/history/<topic>/<n>     every version that was ever registered, 1 and up; the newest is the present one
    schemas/avro/examples/<topic>/*      synthetic events in Avro's JSON encoding, kept for ever, all branches covered

What the registry would refuse is found here, before the merge (`healthbook schema check --offline`).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import make_avsc_object

import schemas
from events.contract_examples import Example, uncovered
from events.contract_mirror import Difference, differences
from events.registry import Schema
from events.topics import TOPICS, Topic

ROOT = schemas.ROOT / "avro"


@dataclass(frozen=True, slots=True)
class Problem:
    """One breach of the contract: the file, the field in it (empty: all of it), and what makes it whole again."""

    file: str
    field: str
    expected: str
    found: str
    mend: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.field}" if self.field else self.file
        return f"{place}: expected {self.expected}, found {self.found}. {self.mend}"


def check(root: Path = ROOT, topics: Sequence[Topic] = TOPICS) -> list[Problem]:
    """All breaches, in the order of the topics."""
    found = [*_pairs(topics), *_orphans(root, topics)]
    for topic in topics:
        found += _Contract(root, topic).problems()
    return found


def versions(topic: str, root: Path = ROOT) -> list[Schema]:
    """Every version of a topic's schema, oldest first."""
    files = sorted((root / "history" / topic).glob("*.avsc"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def _pairs(topics: Sequence[Topic]) -> Iterator[Problem]:
    """One topic, one dataclass."""
    owners: dict[type, str] = {}
    for topic in topics:
        declared = str(getattr(topic.event, "topic", None))
        if declared != topic.name:
            name = topic.event.__name__
            yield Problem("events/topics.py", topic.name, f"{name}.topic = {topic.name}", declared, "Make them equal.")
        other = owners.setdefault(topic.event, topic.name)
        if other != topic.name:
            mend = "Give each topic a dataclass of its own."
            yield Problem("events/topics.py", topic.name, "a dataclass of its own", f"that of {other}", mend)


def _orphans(root: Path, topics: Sequence[Topic]) -> Iterator[Problem]:
    names = {topic.name for topic in topics}
    present = {path.relative_to(root).as_posix(): path.stem for path in root.glob("*.avsc")}
    for folder in ("history", "examples"):
        present |= {path.relative_to(root).as_posix(): path.name for path in (root / folder).glob("*")}
    for path, name in sorted(present.items()):
        if name not in names:
            yield Problem(path, "", "the name of a topic", name, "Add its row to events/topics.py, or remove it.")


def incompatible(topic: Topic, releases: Sequence[Schema]) -> Iterator[Problem]:
    """Which of the releases, oldest first, the last one breaks by the topic's rule.

    BACKWARD: the last one reads what they wrote. FORWARD: they read what it writes. FULL: both. Without _TRANSITIVE
    only the one before the last counts.
    """
    rule = topic.compatibility
    *earlier, present = releases
    for number, version in enumerate(earlier, 1):
        if number < len(earlier) and not rule.endswith("_TRANSITIVE"):
            continue
        if rule.startswith(("BACKWARD", "FULL")):
            yield from _unread(topic, number, "read by the present schema", present, version)
        if rule.startswith(("FORWARD", "FULL")):
            yield from _unread(topic, number, "able to read the present schema", version, present)


def _unread(topic: Topic, number: int, promise: str, reader: Schema, writer: Schema) -> Iterator[Problem]:
    result = ReaderWriterCompatibilityChecker().get_compatibility(  # type: ignore[no-untyped-call]
        make_avsc_object(reader), make_avsc_object(writer)
    )
    if result.compatibility is not SchemaCompatibilityType.compatible:
        file = f"history/{topic.name}/{number}.avsc"
        place = _named(max(result.locations, key=len), reader)
        mend = "Only add fields that have a default; give a changed meaning a new field or a new topic."
        yield Problem(file, place, f"{promise} ({topic.compatibility})", "; ".join(sorted(result.messages)), mend)


class _Contract:
    """The files of one topic."""

    def __init__(self, root: Path, topic: Topic) -> None:
        self._root = root
        self._topic = topic
        self._file = f"{topic.name}.avsc"

    def problems(self) -> list[Problem]:
        """Stops where the next check would only repeat what is wrong already."""
        present, unreadable = self._read(self._root / self._file)
        if unreadable:
            return [unreadable]
        found = [self._mirror(item) for item in differences(self._topic.event, present)]
        return found or [*self._history(present)] or [*self._examples(present)]

    def _mirror(self, item: Difference) -> Problem:
        mend = "Change the schema or the dataclass; a change of the schema needs a new version in history/."
        return Problem(self._file, item.field, item.expected, item.found, mend)

    def _history(self, present: Schema) -> Iterator[Problem]:
        folder = f"history/{self._topic.name}"
        numbers = sorted(int(path.stem) for path in (self._root / folder).glob("*.avsc"))
        if numbers != list(range(1, len(numbers) + 1)) or not numbers:
            mend = "Versions are numbered from 1 without a gap and are never removed."
            yield Problem(folder, "", "1.avsc and up", ", ".join(map(str, numbers)) or "nothing", mend)
            return
        earlier = []
        for number in numbers:
            version, unreadable = self._read(self._root / folder / f"{number}.avsc")
            if unreadable:
                yield unreadable
                return
            earlier.append(version)
        if earlier[-1] != present:
            mend = f"Once it is as you want it: cp {self._file} {folder}/{len(numbers) + 1}.avsc"
            yield Problem(self._file, "", f"the newest version, {folder}/{numbers[-1]}.avsc", "another schema", mend)
            earlier.append(present)
        yield from incompatible(self._topic, earlier)

    def _examples(self, present: Schema) -> Iterator[Problem]:
        folder = f"examples/{self._topic.name}"
        known = versions(self._topic.name, self._root)
        paths = sorted((self._root / folder).glob("*.json"))
        if not paths:
            mend = "Write one synthetic event for each thing that the topic can say, in Avro's JSON encoding."
            yield Problem(folder, "", "an example", "none", mend)
            return
        records = []
        for path in paths:
            file = f"{folder}/{path.name}"
            try:
                example = Example.read(path.read_text(encoding="utf-8"), known)
            except LookupError as error:
                mend = "Examples are kept for ever: write what the schema says, in Avro's JSON encoding."
                yield Problem(file, "", "an event as one version of the schema writes it", str(error), mend)
                continue
            records.append(example.as_read_by(present))
            if not example.survives(self._topic.event, present):
                mend = "See events/serde.py: what is read must be written again as it was."
                yield Problem(file, "", f"the same {self._topic.event.__name__} after writing", "another one", mend)
        for field, branch in uncovered(present, records):
            mend = f"Add it to an example, or add an example: {folder}/<what it shows>.json"
            yield Problem(folder, field, f"an example with {branch}", "none", mend)

    def _read(self, path: Path) -> tuple[Schema, Problem | None]:
        file = path.relative_to(self._root).as_posix()
        try:
            schema: Schema = json.loads(path.read_text(encoding="utf-8"))
            make_avsc_object(schema)
        except FileNotFoundError:
            return {}, Problem(file, "", "an Avro schema", "no file", "Every topic has a schema file with its name.")
        except (ValueError, AvroException) as error:
            found = f"{type(error).__name__}: {error}"
            return {}, Problem(file, "", "an Avro schema", found, "Mend the file.")
        return schema, None


def _named(location: str, schema: Schema) -> str:
    """The checker's `/fields/5/type/1/fields/3` as `person.birth`; empty for the whole record."""
    names = []
    here: Any = schema
    steps = location.strip("/").split("/")
    for before, step in zip(["", *steps], steps, strict=False):
        if not isinstance(here, list | dict):
            break
        here = here[int(step)] if isinstance(here, list) else here.get(step)
        names += [here["name"]] if before == "fields" else []
    return ".".join(names)
