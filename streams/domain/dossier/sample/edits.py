"""How a sound dossier is changed in one place: edits of bytes, applied to one table or to the envelope."""

import re
from collections.abc import Callable
from dataclasses import replace

from streams.domain.dossier.sample.build import unsigned_envelope
from streams.domain.dossier.sample.model import Sample

Edit = Callable[[bytes], bytes]
Change = Callable[[Sample], Sample]


def in_table(kind: str, *edits: Edit) -> Change:
    """The edits, one after the other, on every file of this table."""

    def change(sample: Sample) -> Sample:
        return replace(
            sample,
            tables=tuple((table, _all(edits, data) if table == kind else data) for table, data in sample.tables),
        )

    return change


def in_envelope(*edits: Edit) -> Change:
    """The edits on the envelope that the dossier would make; its tables stay as they are."""
    return lambda sample: replace(sample, envelope=_all(edits, unsigned_envelope(sample)))


def without(kind: str) -> Change:
    return lambda sample: replace(sample, tables=tuple(table for table in sample.tables if table[0] != kind))


def first_table_twice(sample: Sample) -> Sample:
    return replace(sample, tables=(sample.tables[0], *sample.tables))


def last_table_twice(sample: Sample) -> Sample:
    return replace(sample, tables=(*sample.tables, sample.tables[-1]))


def empty_notes(sample: Sample) -> Sample:
    """A table 5 without a row, as some exporters write it."""
    return replace(sample, tables=(*sample.tables, ("XML5", b"<CHITIEU_CHITIET_DIENBIENLAMSANG/>")))


def longer_key(length: int) -> Change:
    """MA_LK filled up to so many characters, in every table."""

    def change(sample: Sample) -> Sample:
        old, new = sample.ma_lk, sample.ma_lk.ljust(length, "0")
        edit = swap(f"<MA_LK>{old}<", f"<MA_LK>{new}<", every=True)
        return replace(sample, ma_lk=new, tables=tuple((table, edit(data)) for table, data in sample.tables))

    return change


def unchanged(sample: Sample) -> Sample:
    """The defect is not in the bytes but in who sends them, or when."""
    return sample


def first_half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def swap(old: str | bytes, new: str | bytes, *, every: bool = False) -> Edit:
    """The first (or every) occurrence of `old` becomes `new`."""
    before, after = _bytes(old), _bytes(new)
    return lambda data: data.replace(before, after, -1 if every else 1)


def rewrite(pattern: str, template: str) -> Edit:
    """The first match of a regular expression becomes the template (`.` matches line ends too)."""
    return lambda data: re.sub(pattern.encode(), template.encode(), data, count=1, flags=re.DOTALL)


def put(name: str, value: str) -> Edit:
    """The first element of this name gets the value; an empty value makes it an empty element."""
    return rewrite(f"<{name}/>|<{name}>.*?</{name}>", f"<{name}>{value}</{name}>" if value else f"<{name}/>")


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _all(edits: tuple[Edit, ...], data: bytes) -> bytes:
    for edit in edits:
        data = edit(data)
    return data
