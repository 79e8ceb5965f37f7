"""The body of a request as a source of the SDK: a zip, an envelope, or the files of a multipart; all of it bounded.

What is in it is read by the SDK alone (`events/his/source.py`).
"""

import asyncio
from pathlib import PurePosixPath

from aiohttp import BodyPartReader, ClientPayloadError, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from events.his.archive import MAX_FILES, is_zip
from events.his.errors import DossierError
from events.his.source import Source
from streams.adapter_http.errors import RequestError

_CHUNK = 64 * 1024
_PATIENCE = 30.0
_SLOWEST_LINK = 128 * 1024  # bytes a second


async def read_body(request: web.Request, most: int) -> Source:
    """At most `most` bytes, within the time that a slow line needs for them. Raises RequestError, DossierError."""
    if (request.content_length or 0) > most:
        raise RequestError("BODY_TOO_LARGE", f"{request.content_length} > {most}")
    try:
        async with asyncio.timeout(_PATIENCE + most / _SLOWEST_LINK):
            if request.content_type.startswith("multipart/"):
                return await _files(request, most)
            content = await _read(request.content, most)
    except TimeoutError:
        raise RequestError("BODY_SLOW") from None
    except web.HTTPRequestEntityTooLarge:
        raise RequestError("BODY_TOO_LARGE", f"> {most}") from None
    # What aiohttp raises for a body that is not as its headers say, or that ends too early.
    except (ClientPayloadError, HttpProcessingError, ConnectionError, ValueError, LookupError, RuntimeError):
        raise RequestError("BODY_BROKEN") from None
    if not content:
        raise RequestError("BODY_EMPTY")
    return content


async def _files(request: web.Request, room: int) -> Source:
    """Every part is a file by its name; one zip alone is what it is without multipart."""
    files: dict[str, bytes] = {}
    reader = await request.multipart()
    number = 0
    while (part := await reader.next()) is not None:
        number += 1
        if number > MAX_FILES:
            raise RequestError("PARTS_TOO_MANY", f"> {MAX_FILES}")
        if not isinstance(part, BodyPartReader) or not part.filename:
            raise RequestError("PART_UNNAMED", f"part {number}")
        name = PurePosixPath(part.filename.replace("\\", "/")).name
        if name in files:
            raise DossierError("ENV-007", f"part {number}")
        files[name] = await _read(part, room)
        room -= len(files[name])
    if not files:
        raise RequestError("BODY_EMPTY")
    first = next(iter(files.values()))
    return first if len(files) == 1 and is_zip(first) else files


async def _read(source: StreamReader | BodyPartReader, room: int) -> bytes:
    """Counts what really comes: a length may be missing, and a compressed body says only its own."""
    content = bytearray()
    while chunk := await (source.read_chunk(_CHUNK) if isinstance(source, BodyPartReader) else source.read(_CHUNK)):
        content += chunk
        if len(content) > room:
            raise RequestError("BODY_TOO_LARGE", f"> {room}")
    return bytes(content)
