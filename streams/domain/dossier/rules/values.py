"""One value at a time: presence (REQ-001), length (ENV-013), white space (ENV-014), form (FMT).

For each value the first critical finding ends the look (one mistake, one finding: RULES §1). Only files that their XSD
refused come here; the XSD's patterns and these checks accept the same values, which a property test compares.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from events.visit import Finding
from streams.domain.dossier.findings import Place, finding, shape
from streams.domain.dossier.forms import KEY_FIELDS, Form, form_of
from streams.domain.dossier.moments import day_of, is_clock, is_day, is_moment
from streams.domain.dossier.reader import Table
from streams.domain.dossier.tables import FieldSpec, TableSpec

VIETNAMESE = "000"
"""MA_QUOCTICH of a Vietnamese citizen."""

_IDENTITY = re.compile(r"[0-9]{12}|[0-9]{9}|[A-Z][0-9]{7}")
_INTEGER = re.compile(r"[0-9]+")
_DECIMAL = re.compile(r"[0-9]+(?:\.([0-9]+))?")
_UNKNOWN_MONTH_AND_DAY = "0000"
_UNKNOWN_DAY = "00"

FormCheck = Callable[[str, Place, str], Iterator[Finding]]
"""(value, place, nationality) → findings about the form of a value that is not empty."""


def check_values(table: Table, nationality: str) -> Iterator[Finding]:
    """Findings about each value of the file. `nationality`: MA_QUOCTICH of XML1, empty when unknown."""
    kind = table.spec.kind
    if kind == "CHECKIN":  # has no nationality: FMT-004W alone
        nationality = "unknown"
    values = _expected_values(table.spec)
    listed = table.spec.list_element is not None
    for row in table.rows:
        citizen_of = row["MA_QUOCTICH"] if kind == "XML9" else nationality
        texts = row.texts
        for name, field, form, lengths, is_sound in values:
            value = texts.get(name)
            if value is None or (len(value) in lengths and is_sound(value)):
                continue
            place = Place(table.label, row.number if listed else None, name)
            yield from _check(value, field, form, place, citizen_of)


_Expected = tuple[str, FieldSpec, Form, range, Callable[[str], object]]
"""(name, field, form, lengths and pattern of a value that needs no finding)."""


@cache
def _expected_values(table: TableSpec) -> tuple[_Expected, ...]:
    return tuple(_expected(field, form_of(table.kind, field)) for field in table.fields)


def _expected(field: FieldSpec, form: Form) -> _Expected:
    most = field.max_length if field.warn_above is None else field.warn_above
    lengths = range(1 if field.is_required else 0, sys.maxsize if most is None else most + 1)
    return field.name, field, form, lengths, form.value.regex.fullmatch


def _check(value: str, field: FieldSpec, form: Form, place: Place, nationality: str) -> Iterator[Finding]:
    if not value or (field.is_required and value.isspace()):
        if field.is_required:
            yield finding("REQ-001", place, expected="a value", found="empty")
        return
    length = len(value)
    if field.max_length is not None and length > field.max_length:
        yield _too_long("ENV-013", place, length, field.max_length)
        return
    if field.warn_above is not None and length > field.warn_above:
        yield _too_long("ENV-013W", place, length, field.warn_above)
    if field.name in KEY_FIELDS and _has_space(value):
        yield finding("ENV-014", place, expected="no white space", found=f"{length} characters with white space")
        return
    yield from _FORMS[form](value, place, nationality)


def _too_long(code: str, place: Place, length: int, limit: int) -> Finding:
    expected = f"at most {limit} characters"
    return finding(code, place, expected=expected, found=f"{length} characters", length=length, limit=limit)


def _has_space(value: str) -> bool:
    return any(character.isspace() for character in value)


def _key(_value: str, _place: Place, _nationality: str) -> Iterator[Finding]:
    return iter(())  # ENV-014 has looked


def _text(value: str, place: Place, _nationality: str) -> Iterator[Finding]:
    if value != value.strip():
        yield finding("ENV-014W/edge", place, expected="no white space at either end")


def _code(value: str, place: Place, nationality: str) -> Iterator[Finding]:
    yield from _text(value, place, nationality)
    if _has_space(value.strip()):
        yield finding("ENV-014W/inside", place, expected="no white space")


def _must(text_id: str, expected: str, holds: Callable[[str], bool]) -> FormCheck:
    """A form that a predicate decides."""

    def check(value: str, place: Place, _nationality: str) -> Iterator[Finding]:
        if not holds(value):
            form = shape(value)
            yield finding(text_id, place, expected=expected, found=form, shape=form)

    return check


def _birth(value: str, place: Place, _nationality: str) -> Iterator[Finding]:
    """FMT-003: parts that nobody knows are zeros."""
    day, clock = value[:8], value[8:]
    if not (is_clock(clock) and _is_birth_day(day)):
        form = shape(value)
        yield finding("FMT-003", place, expected="yyyymmddHHMM", found=form, shape=form)
    elif day.endswith(_UNKNOWN_DAY) and not day.endswith(_UNKNOWN_MONTH_AND_DAY):
        yield finding("FMT-003W", place, expected="0000 for month and day", found="day 00")


def _is_birth_day(day: str) -> bool:
    if len(day) != len("yyyymmdd"):
        return False
    if day.endswith(_UNKNOWN_MONTH_AND_DAY):
        return day_of(f"{day[:4]}0101") is not None
    if day.endswith(_UNKNOWN_DAY):
        return day_of(f"{day[:6]}01") is not None
    return is_day(day)


def _identity(value: str, place: Place, nationality: str) -> Iterator[Finding]:
    """FMT-004 for Vietnamese citizens, FMT-004W for others; silent when the nationality is not known."""
    if nationality and not _IDENTITY.fullmatch(value):
        code = "FMT-004" if nationality == VIETNAMESE else "FMT-004W"
        expected = "12 digits, 9 digits, or a capital letter and 7 digits"
        yield finding(code, place, expected=expected, found=f"{len(value)} characters", length=len(value))


def _decimal(most_decimals: int | None = None, code: str = "") -> FormCheck:
    """FMT-009, and the number of decimals that FMT-010 or FMT-011 allows."""

    def check(value: str, place: Place, _nationality: str) -> Iterator[Finding]:
        form = shape(value)
        match = _DECIMAL.fullmatch(value)
        if match is None:
            yield finding("FMT-009", place, expected="digits with at most one dot", found=form, shape=form)
        elif most_decimals is not None and len(match[1] or "") > most_decimals:
            yield finding(code, place, expected=f"at most {most_decimals} decimals", found=form, shape=form)

    return check


_FORMS: Mapping[Form, FormCheck] = {
    Form.KEY: _key,
    Form.CODE: _code,
    Form.TEXT: _text,
    Form.DATE: _must("FMT-001", "yyyymmdd", is_day),
    Form.APPOINTMENT: _must("FMT-001/appointment", "yyyymmdd or yyyymmddHHMM", lambda v: is_day(v) or is_moment(v)),
    Form.MOMENT: _must("FMT-002", "yyyymmddHHMM", is_moment),
    Form.BIRTH: _birth,
    Form.IDENTITY: _identity,
    Form.INTEGER: _must("FMT-029", "digits", lambda value: _INTEGER.fullmatch(value) is not None),
    Form.DECIMAL: _decimal(),
    Form.AMOUNT: _decimal(2, "FMT-011"),
    Form.QUANTITY: _decimal(3, "FMT-010"),
}
