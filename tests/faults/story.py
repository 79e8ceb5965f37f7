"""The story of a visit that was hurt: what each witness says, in its own words and order."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.faults.history import TOPICS, History, Visit
from tests.faults.system import REPOSITORY, System


def story(system: System, history: History, visit: Visit) -> str:
    """The witnesses from outside, then what the product itself tells. Codes, times and digests; nothing of a person."""
    shown = subprocess.run(
        [sys.executable, "-m", "streams", "visit", "show", *visit, "--output", "json"],
        env={**os.environ, **system.environment()},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    product = _told(json.loads(shown.stdout)) if shown.returncode == 0 else [shown.stderr.strip()]
    return "\n".join([*witnesses(history, visit), "  healthbook visit show:", *(f"    {line}" for line in product)])


def _told(shown: dict[str, Any]) -> Iterator[str]:
    for line in shown["story"]:
        yield f"{line['happened_at']}  revision {line['revision']}  {line['type']}"
    for attempt in shown["attempts"]:
        answer = (
            f"{attempt['result'] or 'no result'} {attempt['code'] or ''} {attempt['transaction_code'] or ''}".strip()
        )
        late = ", too late to count" if attempt["late"] else ""
        yield f"{attempt['started_at']}  revision {attempt['revision']}  attempt {attempt['attempt']}: {answer}{late}"
    for item in shown["standing"]:
        stands = f"{item['state']} {item['reason'] or ''}".rstrip()
        yield f"revision {item['revision']} stands at {item['stage']} as {stands}"


def witnesses(history: History, visit: Visit) -> Iterator[str]:
    """Who saw what of it, from outside."""
    yield f"The story of {visit}"
    yield "  the HIS closed:"
    for closing in history.closed.get(visit, ()):
        yield f"    revision {closing.revision.number}, to be {closing.expected}"
    yield "  the topics hold:"
    told = [record for record in history.records if record.revision.visit == visit]
    for record in sorted(told, key=lambda record: (record.at, TOPICS.index(record.topic))):
        more = f" bytes {record.envelope[:8]}" if record.envelope else ""
        more += f" receipt {record.transaction}" if record.transaction else ""
        place = f"{record.partition}/{record.offset}"
        yield f"    {record.at}  revision {record.revision.number}  {record.topic} {place}{more}"
    yield "  the gateway took:"
    for receipt in history.taken.get(visit, ()):
        signed = "signed" if receipt.signature.good else "NOT BELIEVED" if receipt.signature.there else "UNSIGNED"
        yield f"    {receipt.at}  {receipt.transaction} bytes {receipt.digest[:8]} {signed}"
    page = history.book.get(visit)
    yield f"  the citizen sees: {f'version {page.shown} of {page.version}' if page else 'nothing'}"
    for line in history.put_aside:
        if line.startswith(str(visit)):
            yield f"  put aside: {line}"
