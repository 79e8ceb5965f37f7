"""flow and completeness: the same facts, counts and sums from any order, repetition and batches of the events."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.contract_examples import Example
from events.contracts import ROOT, versions
from events.registry import load_schema
from events.serde import from_record
from streams.domain.outcome import Outcome
from streams.sla.completeness import days, outcomes
from streams.sla.flow import PASSING, STAGE, Progress, Step, hours, merge, progress, steps_of

T = datetime(2026, 11, 2, 5, tzinfo=UTC)

instants = st.integers(0, 50).map(lambda minutes: T + timedelta(minutes=10 * minutes))
facts = st.builds(
    Progress,
    st.just("01999"),
    st.sampled_from(["V1", "V2"]),
    st.integers(1, 3),
    st.none() | st.just(T) | st.just(T + timedelta(days=1)),
    st.dictionaries(st.sampled_from(Step), instants, min_size=1, max_size=3),
)
told = st.lists(facts, max_size=12)


def at(*steps: Step, revision: int = 1, closed_at: datetime | None = T) -> Progress:
    return Progress("01999", "V1", revision, closed_at, dict.fromkeys(steps, T))


class Store:
    """What the adapter does with each batch, in memory: facts merged, counts moved by the difference."""

    def __init__(self) -> None:
        self.facts: dict[Any, Progress] = {}
        self.hours: Counter[Any] = Counter()
        self.days: Counter[Any] = Counter()

    def learn(self, batch: Sequence[Progress]) -> None:
        visits = {item.key[:2] for item in batch}
        before = {key: item for key, item in self.facts.items() if key[:2] in visits}
        after = merge([*before.values(), *batch])
        for counts, count in ((self.hours, hours), (self.days, days)):
            counts.subtract(count(before.values()))
            counts.update(count(after.values()))
        self.facts |= after


@given(told, st.randoms(use_true_random=False))
def test_any_order_repetition_and_batches_end_in_the_same_counts(items: list[Progress], chance: Any) -> None:
    store, again = Store(), [*items, *chance.choices(items, k=3)] if items else []
    chance.shuffle(again)
    while again:
        size = chance.randint(1, 4)
        store.learn(again[:size])
        again = again[size:]
    whole = merge(items)
    assert store.facts == whole
    assert +store.hours == hours(whole.values())
    assert +store.days == days(whole.values())
    assert min([*store.hours.values(), *store.days.values()], default=0) >= 0


@given(told)
def test_closed_is_the_sum_of_outcomes(items: list[Progress]) -> None:
    whole = merge(items).values()
    closed = Counter((item.facility, (item.closed_at + timedelta(hours=7)).date()) for item in whole if item.closed_at)
    summed: Counter[tuple[str, date]] = Counter()
    for (facility, day, _), number in days(whole).items():
        summed[facility, day] += number
    assert summed == closed


@pytest.mark.parametrize(
    ("item", "outcome"),
    [
        (at(Step.CLOSED), Outcome.PENDING),
        (at(Step.CLOSED, Step.REJECTED), Outcome.REJECTED),
        (at(Step.CLOSED, Step.SIGNED, Step.REFUSED), Outcome.REFUSED),
        (at(Step.VALIDATED, Step.SIGN_HELD), Outcome.HELD),
        (at(Step.VALIDATED, Step.SIGN_HELD, Step.SIGNED), Outcome.PENDING),
        (at(Step.SIGNED, Step.FORWARD_HELD), Outcome.HELD),
        (at(Step.SIGNED, Step.FORWARD_HELD, Step.ACCEPTED), Outcome.PENDING),
        (at(Step.ACCEPTED, Step.PUBLISH_HELD), Outcome.HELD),
        (at(Step.ACCEPTED, Step.PUBLISHED), Outcome.PENDING),
        (at(Step.ACCEPTED, Step.PUBLISHED, Step.DISPLAYED), Outcome.DISPLAYED),
        (at(Step.ACCEPTED, Step.WITHHELD), Outcome.NOT_DUE),
        (at(Step.ACCEPTED, Step.NOT_DUE), Outcome.NOT_DUE),
        (at(Step.SIGNED, Step.SUPERSEDED), Outcome.SUPERSEDED),
        (at(Step.DISPLAYED, Step.LATE_VERDICT), Outcome.LATE_VERDICT),
    ],
)
def test_what_the_events_say_becomes_one_outcome(item: Progress, outcome: Outcome) -> None:
    assert outcomes([item]) == [outcome]


def test_a_newer_revision_supersedes() -> None:
    assert outcomes([at(Step.PUBLISHED), at(Step.ACCEPTED, revision=2)]) == [Outcome.SUPERSEDED, Outcome.PENDING]


def test_a_newer_revision_that_was_rejected_supersedes_nothing_whenever_it_was_learned() -> None:
    first = at(Step.SIGNED, Step.SUPERSEDED)
    assert outcomes([first, at(Step.CLOSED, Step.REJECTED, revision=2)]) == [Outcome.PENDING, Outcome.REJECTED]


def test_what_was_given_up_and_then_refused_was_refused() -> None:
    (first,) = [at(Step.SIGNED, Step.FORWARD_HELD, Step.NOT_DUE)]
    assert outcomes([first]) == [Outcome.NOT_DUE]
    later = replace(first, steps={**first.steps, Step.REFUSED: max(first.steps.values()) + timedelta(hours=1)})
    assert outcomes([later]) == [Outcome.REFUSED]


def test_the_steps_of_every_stage_are_counted_at_it() -> None:
    assert set(Step) - STAGE.keys() == {Step.SUPERSEDED, Step.NOT_DUE}  # a clock tells them


@pytest.mark.parametrize("event", PASSING)
def test_every_event_says_how_far_its_revision_came_and_when(event: Any) -> None:
    """Of every example beside the schemas."""
    for file in sorted((ROOT / "examples" / event.topic).glob("*.json")):
        example = Example.read(file.read_text(encoding="utf-8"), versions(event.topic))
        record = example.as_read_by(load_schema(event.topic))
        found = from_record(event, record)
        item = progress(found, T)
        assert (item is None) == (steps_of(found) == ())
        if item is not None:
            assert item.key == ("01999", record.get("maLk") or record["entryId"].split("|")[1], found.revision)
            assert set(item.steps.values()) == {T}
