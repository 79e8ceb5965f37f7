"""The shipped clocks, with what the operator's settings change."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import schemas
from streams.sla.calendar import Decreed, nothing_decreed
from streams.sla.clock import Clock

FILE = schemas.ROOT / "clocks.toml"

CLOSED_TO_RECEIPT = "closed-to-receipt"
RECEIPT_TO_SHOWN = "receipt-to-shown"
LATE_VERDICT_TO_CORRECTION = "late-verdict-to-correction"
DIFFICULTY_TO_SOLVED = "difficulty-to-solved"

_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1)}
_WORKING_DAYS = "wd"


def clocks(receipt_target: timedelta | None = None, receipt_rule_from: date | None = None) -> tuple[Clock, ...]:
    """Every version of every clock. `receipt_target` is the duration of our own target until the rule counts."""
    shipped = read(FILE.read_text(encoding="utf-8"), {"receipt_rule_from": receipt_rule_from})
    if receipt_target is None:
        return shipped
    return tuple(
        replace(clock, duration=receipt_target)
        if clock.name == CLOSED_TO_RECEIPT and clock.valid_from is None
        else clock
        for clock in shipped
    )


@cache
def shipped() -> tuple[Clock, ...]:
    """The clocks as they are without any setting."""
    return clocks()


def versions(name: str, among: Iterable[Clock]) -> list[Clock]:
    """The versions of one clock, oldest first; empty: there is no such clock."""
    return sorted((clock for clock in among if clock.name == name), key=_begins)


def due(name: str, start: datetime, among: Iterable[Clock], decreed: Decreed = nothing_decreed) -> datetime:
    """When what starts now is due. Raises LookupError when the clock does not count then."""
    for clock in versions(name, among):
        if clock.counts_for(start):
            return clock.due(start, decreed)
    raise LookupError(name)


def read(text: str, switches: dict[str, date | None]) -> tuple[Clock, ...]:
    """The clocks of a file; a version ends where the next one of its name begins. Raises ValueError.

    `switches`: the settings that say from when a version counts.
    """
    found: list[Clock] = []
    for row in tomllib.loads(text)["clock"]:
        switch = row.pop("switch", None)
        if switch is not None:
            row["valid_from"] = switches[switch]
        if switch is None or row["valid_from"] is not None:
            found.append(_clock(row))
    return tuple(_in_turn(found))


def _clock(row: dict[str, Any]) -> Clock:
    marks: dict[str, Any] = {name: tuple(row[name]) for name in ("warn_at", "offer_again_at") if name in row}
    return Clock(**row | marks | {"duration": _duration(row["duration"])})


def _duration(text: str) -> timedelta | int:
    found = re.fullmatch(r"(\d+)(min|h|wd)", text)
    if found is None:
        raise ValueError(f"duration {text!r}: expected a number and min, h or wd")
    number, unit = int(found[1]), found[2]
    return number if unit == _WORKING_DAYS else number * _UNITS[unit]


def _in_turn(found: Sequence[Clock]) -> Iterable[Clock]:
    for name in dict.fromkeys(clock.name for clock in found):
        of_name = versions(name, found)
        for clock, following in pairwise(of_name):
            if _begins(clock) == _begins(following):
                raise ValueError(f"two versions of {name} begin on one day")
            yield clock if clock.valid_until else replace(clock, valid_until=following.valid_from)
        yield of_name[-1]


def _begins(clock: Clock) -> date:
    return clock.valid_from or date.min
