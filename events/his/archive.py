"""A dossier in a zip: read in memory only, within bounds, nothing is ever unpacked to disk."""

import zipfile
import zlib
from io import BytesIO
from pathlib import Path, PurePosixPath

from events.his.errors import DossierError

MAX_FILES = 200
MAX_RATIO = 250
"""XML of two thousand equal-looking rows shrinks to a hundredth; a bomb to a thousandth."""
_SMALL = 1024 * 1024
_CHUNK = 64 * 1024
_ENCRYPTED = 0x1
_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")


def is_zip(source: Path | bytes) -> bool:
    """Whether it begins as a zip does, whatever its name. Raises OSError."""
    if isinstance(source, bytes):
        return source.startswith(_BEGINNINGS)
    with source.open("rb") as file:
        return file.read(4) in _BEGINNINGS


def unzip(source: Path | bytes, room: int) -> list[tuple[str, bytes]]:
    """Names and bytes of the files of one folder level, at most `room` bytes in all. Raises DossierError, OSError.

    Files may sit in one common folder, as when a folder is zipped; deeper ones are no part of a dossier.
    """
    if (len(source) if isinstance(source, bytes) else source.stat().st_size) > room:
        raise DossierError("DOSSIER_TOO_LARGE")
    try:
        with zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MAX_FILES:
                raise DossierError("ZIP_BOMB")
            files: list[tuple[str, bytes]] = []
            for member, name in _names(members):
                content = _read(archive, member, room) if name.lower().endswith(".xml") else b""
                room -= len(content)
                files.append((name, content))
            return files
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError):
        raise DossierError("ZIP_DAMAGED") from None


def _names(members: list[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, str]]:
    paths = [(member, PurePosixPath(member.filename.replace("\\", "/"))) for member in members]
    if any(path.is_absolute() or ".." in path.parts or ":" in path.parts[0] for _, path in paths):
        raise DossierError("ZIP_PATH")
    visible = [(member, path) for member, path in paths if path.parts[0] != "__MACOSX"]
    folders = {path.parent for _, path in visible}
    if len(folders) > 1:
        # Only what lies at the top belongs to the dossier; the rest keeps its path as name and is ignored.
        return [(member, str(path)) for member, path in visible]
    return [(member, path.name) for member, path in visible]


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, room: int) -> bytes:
    if member.flag_bits & _ENCRYPTED:
        raise DossierError("ZIP_DAMAGED")
    # The size in the header is whatever the sender wrote: count what really comes out.
    content = bytearray()
    with archive.open(member) as file:
        while chunk := file.read(_CHUNK):
            content += chunk
            if len(content) > room:
                raise DossierError("DOSSIER_TOO_LARGE")
            if len(content) > _SMALL and len(content) > MAX_RATIO * member.compress_size:
                raise DossierError("ZIP_BOMB")
    return bytes(content)
