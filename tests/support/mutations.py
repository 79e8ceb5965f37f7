"""Seeded ways to spoil a dossier: what broken exporters and hostile hands make of one."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from events.visit import TableFile
from streams.domain.dossier.sample import Sample, Trait, VisitKind, new_dossier
from streams.domain.dossier.sample.rows import Rows, rows_of
from streams.domain.dossier.sample.write import write_table
from streams.domain.dossier.tables import catalogue

ENDED = datetime(2026, 11, 2, 3, tzinfo=UTC)
FACILITY = "01999"

VALUES = (
    *("", " ", "0", "00", "-1", "+1", "1e9", "NaN", "Infinity", "1.0.0", ".", "1.", "0.0001", "9" * 20, "9" * 400),
    *("00010101", "000101010000", "99991231", "999912312359", "20260230", "202611022460", "19000000", "199000000000"),
    *(
        ";",
        ";;;",
        "1;2;3",
        "20260101;",
        "A;B",
        "K01;K99",
        "１２３",
        "٣",
        "\u202e1",
        "e\u0301",
        "😀",
        "\u00a0",
        "x" * 5000,
    ),
    *("<b>", "]]>", "&", "'; drop table x; --", "../../etc", "1/0", "1/0 viên/lần * 1 lần/ngày * 1 ngày [1 viên/ngày]"),
    *(
        "DN4999900000000",
        "TE1990000000001",
        "C01.9",
        "Z21",
        "A15",
        "1.1",
        "2",
        "3.1",
        "9",
        "01",
        "02",
        "03",
        "05",
        "08",
    ),
)
"""What may stand in any field."""


def sample(chance: random.Random) -> Sample:
    """A sound dossier of any kind."""
    while True:
        traits = chance.sample(list(Trait), chance.randrange(2))
        kind, insured = chance.choice(list(VisitKind)), chance.random() < 0.8
        try:
            return new_dossier(
                chance.randrange(50), facility=FACILITY, kind=kind, insured=insured, discharged_at=ENDED, traits=traits
            )
        except ValueError:
            continue  # a birth is a stay


def spoilt_values(chance: random.Random, given: Sample) -> list[TableFile]:
    """Some fields of some rows have other values; sometimes in a whole column."""
    rows: Rows = rows_of(given)
    for _ in range(chance.randrange(1, 6)):
        kind = chance.choice(list(rows))
        name = chance.choice(list(catalogue(ENDED.date())[kind].by_name))
        value = chance.choice(VALUES) if chance.random() < 0.8 else "".join(chance.choices("0123456789", k=12))
        for row in rows[kind] if chance.random() < 0.2 else [chance.choice(rows[kind])]:
            row[name] = value
    return [
        TableFile(kind, write_table(kind, [rows[kind][0]] if kind in _SINGLE else rows[kind], ENDED.date()))
        for kind in rows
    ]


_SINGLE = frozenset({"XML1", "XML7", "XML8", "XML10", "XML11", "XML13", "XML14"})


def _truncated(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def _recoded(chance: random.Random, data: bytes) -> bytes:
    return data.decode().encode(chance.choice(["utf-16", "utf-16-le", "utf-32", "cp1258", "latin-1"]), "replace")


def _nested(chance: random.Random, data: bytes) -> bytes:
    depth = chance.choice([10, 300, 5000])
    return data.replace(b"</MA_LK>", b"<a>" * depth + b"</a>" * depth + b"</MA_LK>", 1)


def _bomb(_chance: random.Random, data: bytes) -> bytes:
    body = b"".join(b'<!ENTITY e%d "&e%d;&e%d;">' % (n, n - 1, n - 1) for n in range(1, 30))
    return data.replace(b"?>\n", b'?>\n<!DOCTYPE r [<!ENTITY e0 "ha">' + body + b"]>", 1).replace(
        b"</MA_LK>", b"&e29;</MA_LK>", 1
    )


def _outside(_chance: random.Random, data: bytes) -> bytes:
    entity = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    return data.replace(b"?>\n", b"?>\n" + entity, 1).replace(b"</MA_LK>", b"&x;</MA_LK>", 1)


def _attribute(chance: random.Random, data: bytes) -> bytes:
    return data.replace(b"<MA_LK>", b'<MA_LK a="%s">' % (b"x" * chance.choice([10, 100_000, 2_000_000])), 1)


def _repeated(_chance: random.Random, data: bytes) -> bytes:
    start, end = data.find(b"<MA_LK>"), data.find(b"</MA_LK>") + 8
    return data[:end] + data[start:end] * 3 + data[end:]


def _namespaced(chance: random.Random, data: bytes) -> bytes:
    end = data.find(b">", data.find(b"?>") + 2)
    return data[:end] + chance.choice([b' xmlns="urn:x"', b' xmlns:x="urn:x"']) + data[end:]


def _controls(chance: random.Random, data: bytes) -> bytes:
    mark = chance.choice([b"\x00", b"\x01", b"\x1f", "\u202e".encode(), "\ufeff".encode(), "\ufffe".encode(), b"&#1;"])
    where = chance.randrange(len(data))
    return data[:where] + mark + data[where:]


def _torn(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + chance.randbytes(chance.randrange(30)) + data[start + chance.randrange(200) :]


BYTES: Sequence[Callable[[random.Random, bytes], bytes]] = (
    _truncated, _recoded, _nested, _bomb, _outside, _attribute, _repeated, _namespaced, _controls, _torn,
)  # fmt: skip


def spoilt_bytes(chance: random.Random, given: Sample) -> list[TableFile]:
    """One table file, or two, with other bytes."""
    files = dict(given.tables)
    for kind in chance.sample(list(files), chance.randrange(1, 3)):
        files[kind] = chance.choice(BYTES)(chance, files[kind])
    return [TableFile(kind, content) for kind, content in files.items()]


def mutated(seed: int) -> tuple[Sample, list[TableFile]]:
    """The sound dossier, and what became of it."""
    chance = random.Random(seed)
    given = sample(chance)
    return given, (spoilt_values if seed % 2 else spoilt_bytes)(chance, given)
