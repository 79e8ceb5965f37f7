"""Every version of every clock: the shipped ones, what the operator's settings change, and what the operator added."""

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


def clocks(
    receipt_target: timedelta | None = None, receipt_rule_from: date | None = None, added: Iterable[Clock] = ()
) -> tuple[Clock, ...]:
    """Every version of every clock. `receipt_target` is the duration of our own target until a rule counts.

    An added version stands before a shipped one that begins on the same day: an upgrade may ship what somebody added.
    """
    found = {(clock.name, clock.valid_from): clock for clock in _shipped(receipt_rule_from)}
    if receipt_target is not None:
        own = found[CLOSED_TO_RECEIPT, None]
        setting = "shipped, HEALTHBOOK_RECEIPT_TARGET"
        found[CLOSED_TO_RECEIPT, None] = replace(own, duration=receipt_target, source=setting)
    found |= {(clock.name, clock.valid_from): clock for clock in added}
    return tuple(_in_turn(list(found.values())))


@cache
def shipped() -> tuple[Clock, ...]:
    """The clocks as they are without any setting."""
    return clocks()


@cache
def _shipped(receipt_rule_from: date | None) -> tuple[Clock, ...]:
    return read(FILE.read_text(encoding="utf-8"), {"receipt_rule_from": receipt_rule_from})


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
            row["source"] = f"shipped, HEALTHBOOK_{switch.upper()}"
        if switch is None or row["valid_from"] is not None:
            found.append(Clock(**row | _values(row)))
    return tuple(_in_turn(found))


ADDED_KEYS = ("duration", "warn_at", "at_risk", "offer_again_at", "legal_basis", "article")
"""What an added version says; subject and moments are those of its clock."""


def read_added(name: str, valid_from: date, text: str, source: str) -> Clock:
    """A version that an operator added: a file with ADDED_KEYS; marks that it leaves out are as shipped.

    Raises ValueError.
    """
    earlier = [clock for clock in versions(name, shipped()) if _begins(clock) < valid_from]
    if not earlier:
        raise ValueError(f"there is no clock {name} before {valid_from}")
    row = tomllib.loads(text)
    if unknown := row.keys() - set(ADDED_KEYS):
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; known are {', '.join(ADDED_KEYS)}")
    if missing := {"duration", "legal_basis", "article"} - row.keys():
        raise ValueError(f"{', '.join(sorted(missing))} must be there")
    found = replace(earlier[-1], **row | _values(row), valid_from=valid_from, valid_until=None, source=source)
    if found.offer_again_at and found.stops_on != "shown":
        raise ValueError("offer_again_at: only what waits for the display side can be offered again")
    return found


def _values(row: dict[str, Any]) -> dict[str, Any]:
    marks: dict[str, Any] = {name: _marks(name, row[name]) for name in ("warn_at", "offer_again_at") if name in row}
    at_risk = {"at_risk": _marks("at_risk", [row["at_risk"]])[0]} if "at_risk" in row else {}
    return marks | at_risk | {"duration": _duration(row["duration"])}


def _marks(name: str, marks: Any) -> tuple[int, ...]:
    if not isinstance(marks, list) or any(type(mark) is not int or not 0 < mark < 100 for mark in marks):
        raise ValueError(f"{name}: expected are whole percents from 1 to 99; found {marks!r}")
    return tuple(sorted(set(marks)))


def _duration(text: Any) -> timedelta | int:
    found = re.fullmatch(r"([1-9]\d{0,3})(min|h|wd)", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"duration {text!r}: expected a number from 1 to 9999 and min, h or wd: 15min, 24h, 2wd")
    number, unit = int(found[1]), found[2]
    return number if unit == _WORKING_DAYS else number * _UNITS[unit]


def _in_turn(found: Sequence[Clock]) -> Iterable[Clock]:
    for name in dict.fromkeys(clock.name for clock in found):
        of_name = versions(name, found)
        for clock, following in pairwise(of_name):
            if _begins(clock) == _begins(following):
                raise ValueError(f"two versions of {name} begin on one day")
            until = min(clock.valid_until or date.max, _begins(following))
            yield replace(clock, valid_until=until)
        yield of_name[-1]


def _begins(clock: Clock) -> date:
    return clock.valid_from or date.min
