"""Logs: one JSON object a line on standard error, with the stage's name; never anything of a person."""

import logging
import sys
import time
from typing import Any

import structlog

from events.envelope import Event, event_id, traceparent, visit_key

log = structlog.get_logger()


def configure(stage: str, level: str) -> None:
    """Sends structlog and the libraries' own loggers through one JSON renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_tracebacks,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # During a broker outage these write hundreds of lines a minute, and some of them quote records.
    for noisy in ("aiokafka", "faust", "mode", "asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.contextvars.bind_contextvars(stage=stage)


def processed(event: Event, record: Any, outcome: str, seconds: float) -> None:
    """The one line about one event: what joins it with its record, its trace and `visit show`, how long it waited since
    it was produced, and what it took (its share of the batch).
    """
    log.info(
        "processed",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        visit=visit_key(event),
        revision=event.revision,
        event_id=str(event_id(event)),
        trace_id=traceparent(event).split("-")[1],
        outcome=outcome,
        waited=round(time.time() - record.timestamp / 1000, 3),
        seconds=round(seconds, 4),
    )


def _without_tracebacks(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A traceback shows values; the type of the error is enough to find its line in the loop's own report."""
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[0] is not None:
        event["error"] = info[0].__name__
    return event
