"""Reads a dossier as the HIS exported it: a folder, a zip, one envelope, or tables in memory (RULES §7).

The bytes are never changed. What is read here is only enough to know the visit; `validate` judges the rest.
"""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from events import xml
from events.his.archive import is_zip, unzip
from events.his.errors import DossierError
from events.topics import VISIT_CLOSED
from events.visit import CHECK_IN, TableFile

Source = str | os.PathLike[str] | bytes | Mapping[str, bytes]
"""A path (folder of table files, zip, envelope), the bytes of a zip or an envelope, or files: `{"XML1": bytes, …}`."""

MAX_BYTES = VISIT_CLOSED.max_bytes - 1024 * 1024
"""All files of a dossier together: one message of the bus, less room for key, headers and names."""

MAX_MA_LK = 1000
"""Far above the 100 characters that `validate` allows: only what could not be a record key is stopped here."""

_TABLE = re.compile(r"XML([0-9]{1,2})(?:-([0-9]{1,3}))?\.xml", re.IGNORECASE)
_CHECK_IN = (0, 1)


@dataclass(frozen=True, slots=True)
class DossierInput:
    """What was found: `tables` in the order of RULES §7, or an `envelope`; a check-in stands behind them in `tables`.

    `ignored` names files that are no part of it.
    """

    tables: tuple[TableFile, ...]
    envelope: bytes | None = field(default=None, repr=False)
    ignored: tuple[str, ...] = ()

    @property
    def digest(self) -> bytes:
        """SHA-256 over kinds, lengths and bytes: equal only when the very same dossier is handed over again."""
        digest = hashlib.sha256()
        for kind, content in self.files():
            digest.update(f"{kind or 'ENVELOPE'}:{len(content)}\n".encode())
            digest.update(content)
        return digest.digest()

    def files(self) -> tuple[tuple[str | None, bytes], ...]:
        """Every file as (kind, bytes); the envelope has no kind."""
        tables = tuple((table.kind, table.content) for table in self.tables)
        return tables if self.envelope is None else (*tables, (None, self.envelope))

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(len(content) for _, content in self.files())


def read_dossier(source: Source) -> DossierInput:
    """Reads one dossier; blocks on the disk. Raises DossierError."""
    if isinstance(source, bytes):
        found = _assemble(unzip(source, MAX_BYTES)) if is_zip(source) else DossierInput((), source)
    elif isinstance(source, Mapping):
        found = _assemble((_file_name(name), source[name]) for name in source)
    else:
        found = _assemble(_read_path(Path(source)))
    if found.size > MAX_BYTES:
        raise DossierError("DOSSIER_TOO_LARGE")
    return found


def visit_key(dossier: DossierInput) -> str:
    """MA_LK, from XML1 exactly as written. Raises DossierError when nobody could say which visit this is."""
    content = _xml1_of(dossier.envelope) if dossier.envelope is not None else _xml1(dossier.tables)
    found = [element.text for element in _ends(content, "XML1") if element.tag == "MA_LK"]
    ma_lk = found[0] if found else None
    if not ma_lk or not ma_lk.strip():
        raise DossierError("MA_LK_MISSING", "XML1")
    if len(ma_lk) > MAX_MA_LK:
        raise DossierError("MA_LK_UNUSABLE", "XML1")
    return ma_lk


def _file_name(name: str) -> str:
    """`XML1` is short for `XML1.xml`; any other file keeps the name it came with."""
    return f"{name}.xml" if _TABLE.fullmatch(f"{name}.xml") else name


def _read_path(path: Path) -> Iterable[tuple[str, bytes]]:
    try:
        if path.is_dir():
            return _read_folder(path)
        if is_zip(path):
            return unzip(path, MAX_BYTES)
        return [(path.name, _read_file(path, MAX_BYTES))]
    except OSError:
        raise DossierError("DOSSIER_NOT_FOUND") from None


def _read_folder(folder: Path) -> list[tuple[str, bytes]]:
    files: list[tuple[str, bytes]] = []
    room = MAX_BYTES
    for path in sorted(folder.iterdir()):
        # A link could name a file that is none of the HIS's exports.
        readable = path.suffix.lower() == ".xml" and path.is_file() and not path.is_symlink()
        content = _read_file(path, room) if readable else b""
        room -= len(content)
        files.append((path.name, content))
    return files


def _read_file(path: Path, room: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(room + 1)
    if len(content) > room:
        raise DossierError("DOSSIER_TOO_LARGE")
    return content


def _assemble(files: Iterable[tuple[str, bytes]]) -> DossierInput:
    tables: dict[tuple[int, int], bytes] = {}
    check_ins: list[TableFile] = []
    others: list[tuple[str, bytes]] = []
    for name, content in files:
        match = _TABLE.fullmatch(name)
        if match is None:
            others.append((name, content))
            continue
        place = (int(match[1]), int(match[2] or 1))
        if place == _CHECK_IN:
            check_ins.append(TableFile(CHECK_IN, content))
            continue
        if place[0] == _CHECK_IN[0]:
            others.append((name, content))
            continue
        if place in tables:
            raise DossierError("ENV-007", f"XML{place[0]}" if place[1] == 1 else f"XML{place[0]}-{place[1]}")
        tables[place] = content
    if tables:
        ordered = [TableFile(f"XML{place[0]}", tables[place]) for place in sorted(tables)]
        return DossierInput((*ordered, *check_ins[:1]), None, tuple(name for name, _ in others))
    return _lone_envelope(others, check_ins[:1])


def _lone_envelope(files: list[tuple[str, bytes]], check_ins: list[TableFile]) -> DossierInput:
    envelopes = [
        (name, content) for name, content in files if name.lower().endswith(".xml") and not _TABLE.fullmatch(name)
    ]
    if not envelopes:
        raise DossierError("DOSSIER_EMPTY")
    if len(envelopes) > 1:
        raise DossierError("DOSSIER_SEVERAL_ENVELOPES")
    ((chosen, content),) = envelopes
    return DossierInput(tuple(check_ins), content, tuple(name for name, _ in files if name != chosen))


def _xml1(tables: Iterable[TableFile]) -> bytes:
    for table in tables:
        if table.kind == "XML1":
            return table.content
    raise DossierError("XML1_MISSING")


def _xml1_of(envelope: bytes) -> bytes:
    xml1: str | None = None
    kind = text = ""
    for element in _ends(envelope, "GIAMDINHHS"):
        match element.tag:
            case "LOAIHOSO":
                kind = (element.text or "").strip()
            case "NOIDUNGFILE":
                text = element.text or ""
            case "FILEHOSO":
                if kind == "XML1" and xml1 is None:
                    xml1 = text
                kind = text = ""
    if xml1 is None:
        raise DossierError("XML1_MISSING", "GIAMDINHHS")
    try:
        return base64.b64decode("".join(xml1.split()), validate=True)
    except (binascii.Error, ValueError):
        raise DossierError("BASE64", "XML1") from None


def _ends(content: bytes, where: str) -> Iterator[etree._Element]:
    """Element by element: what is looked for is little, and what a HIS sends may be anything."""
    try:
        yield from xml.ends(content)
    except xml.XmlError as error:
        raise DossierError(error.code, where if error.line is None else f"{where}, line {error.line}") from None
