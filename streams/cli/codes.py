"""`healthbook codes`: writes docs/codes.md from the source, or tells that it is stale."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from events.his.errors import DossierError, RefusedError, SpoolError, SpoolFullError
from streams.adapter_http.errors import RequestError
from streams.adapters.signer import OTHER, TEXTS
from streams.cli.page import page_options, write_or_check
from streams.domain.dossier.findings import messages, rule_texts
from streams.domain.gateway_result import CLASSES
from streams.domain.lateness import REASONS
from streams.domain.signature import SignatureFault
from streams.errors import Reason
from streams.stages.forward import CORRECTIONS, HOLDS
from streams.stages.publish import POLICY
from streams.stages.validate import REVISION_CONFLICT

_Row = Sequence[str]
_BILINGUAL = ("code", "tiếng Việt", "cách sửa", "English", "how to mend")

DEAD_LETTERS = {
    Reason.NO_VALUE: "The record has no value where an event must be.",
    Reason.NOT_AVRO: "The value is not Avro of the topic's schema: a foreign producer, or damaged bytes.",
    Reason.UNKNOWN_SCHEMA_ID: "The registry has no schema with the id in the value.",
    Reason.KEY_MISMATCH: "The record's key is not the key of the event in it.",
    Reason.TOO_LARGE: "What the stage made of the record is larger than the next topic takes.",
    Reason.UNEXPECTED: "The stage failed on this record alone: a bug; the log names the place.",
}


@click.command("codes")
@page_options("docs/codes.md")
def codes(check: bool, file: Path) -> None:
    """Writes the page of all stable codes: findings, refusals, holds, dead letters, errors of the hand-over."""
    write_or_check(file, page(), "healthbook codes", check=check)


def page() -> str:
    """The page, from the same texts that the product speaks."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Codes"
    yield ""
    yield "Written by `healthbook codes` from the source; `make check` fails when it is stale. A code never changes its"
    yield "meaning. `{…}` is filled in with a place, a length or a form, never with a person's data."
    yield from _chapter(
        "Findings of validation",
        "In `visit.rejected.v1` (critical) and `visit.validated.v1` (warning). `code/variant`: one code that is mended "
        "in several ways.",
        ("code", "severity", *_BILINGUAL[1:]),
        list(_findings()),
    )
    yield from _chapter(
        "Answers of the gateway",
        "`maKetQua`. Refused: in `visit.refused.v1`, for the facility to correct. Any other code is UNKNOWN: the same "
        "bytes are sent again.",
        ("code", "class", *_BILINGUAL[2::2]),
        [(code, kind, *CORRECTIONS.get(kind, ("", ""))) for code, kind in CLASSES.items()],
    )
    yield from _chapter(
        "Holds",
        "In `visit.held.v1`: the visit waits for a person.",
        _BILINGUAL,
        [(hold.reason, hold.message_vi, hold.mend_vi, hold.message_en, hold.mend_en) for hold in (*HOLDS, POLICY)]
        + [(code, *_woven(text)) for code, text in TEXTS.items()]
        + [(str(fault), *_woven(OTHER)) for fault in SignatureFault],
    )
    yield from _chapter(
        "Causes of missed deadlines",
        "Of a late clock, in `visit show`, `deadline list --breached`, the console: whose turn it was for most of its "
        "time.",
        ("code", "side", "tiếng Việt", "English"),
        [(reason.code, reason.side, reason.text_vi, reason.text_en) for reason in REASONS.values()],
    )
    yield from _chapter(
        "Hand-over by a HIS",
        "Errors of the adapter SDK, in the reports beside a folder in `failed/`, and in the answers of `adapter http`.",
        _BILINGUAL,
        [
            (code, text.message_vi, text.mend_vi, text.message_en, text.mend_en)
            for kind in (DossierError, SpoolFullError, SpoolError, RefusedError, RequestError)
            for code, text in kind.explanations.items()
        ],
    )
    yield from _chapter(
        "Dead letters",
        "Header and metric label of what lies in `<topic>.dlq`. For operators, so in English only.",
        ("code", "meaning"),
        [(reason, DEAD_LETTERS[reason]) for reason in Reason],
    )


def _chapter(title: str, what: str, columns: _Row, rows: Sequence[_Row]) -> Iterator[str]:
    yield from ("", f"## {title}", "", what, "", _line(columns), _line(["---"] * len(columns)))
    yield from (_line([f"`{code}`", *rest]) for code, *rest in rows)


def _line(cells: _Row) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;').replace('<', '&lt;') for cell in cells)} |"


def _findings() -> Iterator[_Row]:
    for name, text in messages().items():
        severity = rule_texts()[name.partition("/")[0]].severity
        yield name, severity, text["message_vi"], text["mend_vi"], text["message_en"], text["mend_en"]
    yield (
        REVISION_CONFLICT.code,
        REVISION_CONFLICT.severity,
        *_woven(
            (
                REVISION_CONFLICT.message_vi,
                REVISION_CONFLICT.message_en,
                REVISION_CONFLICT.mend_vi,
                REVISION_CONFLICT.mend_en,
            )
        ),
    )


def _woven(text: tuple[str, str, str, str]) -> _Row:
    """Messages vi, en and mends vi, en in the order of the columns."""
    message_vi, message_en, mend_vi, mend_en = text
    return message_vi, mend_vi, message_en, mend_en
