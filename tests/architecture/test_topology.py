"""The flow is declared in two places, the rows of `events/topics.py` and the stages: here they are one fact.

Who writes a topic is in its row; what a process reads and writes is in its `Stage(...)`. Here they are held together.
"""

from typing import Any, get_args, get_type_hints

import pytest

from events.serde import Serde
from events.topics import DAY_COUNTED, OUTBOX_TOPICS, TOPICS, Topic, topic_named
from streams.config import Settings
from streams.domain.submission import Outcome
from streams.runtime import processes
from streams.runtime.flow import FlowProcessor
from streams.runtime.loop import Stage
from streams.runtime.processes import PROCESSES, Parts
from streams.sla.facts import TELLING
from streams.stages.forward import record as take_over
from streams.stages.record import RECORDED
from streams.stages.sign import sign
from streams.stages.validate import validate

OUTSIDE = {"adapter", "display", "verdict"}
"""Writers that are no process of ours: the hospitals' side, the display side, and a person's command."""

ENDS = {"visit.rejected.v1", "visit.refused.v1", "visit.held.v1", "visit.late-verdict.v1"}
"""Where a revision's way ends until a person acts: they are recorded and nothing else reads them."""

NOTHING: Any = None
UNCONNECTED = Parts(Settings(), NOTHING, Serde(NOTHING))  # building a stage connects to nothing


def built(name: str) -> Stage:
    stage: Stage = getattr(processes, f"{name}_stage")(UNCONNECTED)
    return stage


STAGES = [built(name) for name in PROCESSES if hasattr(processes, f"{name}_stage")]


def topics(events: tuple[type, ...]) -> list[Topic]:
    return [topic_named(event.topic) for event in events]  # type: ignore[attr-defined]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_written_by_one_process_or_from_outside(topic: Topic) -> None:
    assert topic.writer in PROCESSES.keys() | OUTSIDE


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_is_named_as_its_process(stage: Stage) -> None:
    assert stage.name in PROCESSES


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_writes_its_own_topics_and_the_outbox_only(stage: Stage) -> None:
    """`sign` may hold a visit as `forward` does: by the outbox, whose one producer is the relay (decision 0005)."""
    for topic in topics(stage.outputs):
        assert topic.writer == stage.name or topic in OUTBOX_TOPICS


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_an_event_names_its_writer_as_its_source(topic: Topic) -> None:
    """`ce_source` is `/healthbook/<stage>`; a visit is closed by whichever adapter a hospital has."""
    assert topic.event.stage == ("close" if topic.writer == "adapter" else topic.writer)  # type: ignore[attr-defined]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_read_or_is_public_or_is_an_end(topic: Topic) -> None:
    read = {event for stage in STAGES if stage.name != "record" for event in stage.inputs} | set(TELLING)
    read |= set(FlowProcessor.reads)
    read |= set(get_args(get_type_hints(take_over)["visits"]))
    assert topic.event in read or topic.public or topic.name in ENDS


def test_every_event_about_a_visit_is_recorded() -> None:
    recorded = [*topics(RECORDED), DAY_COUNTED]  # a count is about a day
    assert sorted(topic.name for topic in TOPICS) == sorted(topic.name for topic in recorded)


@pytest.mark.parametrize(("function", "argument"), [(validate, "visit"), (sign, "visit")])
def test_a_stage_declares_what_its_function_takes_and_returns(function: Any, argument: str) -> None:
    """Handlers are untyped in their events (`Stage`), so the type checker cannot see this."""
    hints = get_type_hints(function)
    stage = built(function.__name__)
    assert stage.inputs == (hints[argument],)
    assert set(stage.outputs) == set(get_args(hints["return"]))


def test_forward_may_end_in_each_topic_that_it_writes() -> None:
    written = {topic.event for topic in TOPICS if topic.writer == "forward"}
    assert written == {event for event in get_args(Outcome) if hasattr(event, "topic")}
