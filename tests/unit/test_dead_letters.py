"""Dead letters: one that the broker will never take is put aside without its value, never tried for ever."""

from types import SimpleNamespace
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError

from streams.errors import Reason
from streams.runtime.dead_letters import DeadLetters


async def test_a_record_that_is_too_large_is_put_aside_by_its_place() -> None:
    sent: list[dict[str, Any]] = []

    class Producer:
        """The broker's answer to a value that is too large; everything else it takes."""

        async def send_and_wait(self, topic: str, **record: Any) -> None:
            if record["value"] is not None:
                raise MessageSizeTooLargeError
            sent.append({"topic": topic, **record})

    record = SimpleNamespace(topic="t", partition=3, offset=7, key=b"k", value=b"x", headers=[("ce_id", None)])
    letters = DeadLetters("stage", Producer(), 20)
    for _ in range(2):
        await letters.put(record, Reason.NOT_AVRO)
    (one,) = sent
    headers = dict(one["headers"])
    assert (one["topic"], headers["dlq_partition"], headers["dlq_offset"]) == ("t.dlq", b"3", b"7")
