"""A link: a TCP proxy between one process and one part, which can be cut, slow or half-open.

Own code, because no library fits: what there is either drives an external program (chaostoolkit-toxiproxy needs
Toxiproxy's binary, which neither PyPI nor Debian has) or only passes bytes on (asyncproxy). It is small.

Kafka tells its clients at which port it listens, and they would go around the link from then on. So the link puts its
own port in that place: the address has the same length, and nothing else in the stream changes.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from enum import StrEnum

_CHUNK = 64 * 1024
_SLOW_CHUNK, _SLOW_LATENCY = 16 * 1024, 0.05
_RESET = struct.pack("ii", 1, 0)


class Weather(StrEnum):
    """How the link is at the moment."""

    CLEAR = "clear"
    CUT = "cut"
    HALF_OPEN = "half-open"


class Link:
    """From `port`, once it is open, to `target` on 127.0.0.1. `kafka`: mend the addresses that the broker tells."""

    def __init__(self, name: str, target: int, *, kafka: bool = False) -> None:
        self.name = name
        self.port = 0
        self.slow = False
        """Latency in both directions, and small pieces: beside whatever else it is."""
        self._target = target
        self._kafka = kafka
        self._weather = Weather.CLEAR
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listens from now on."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=_CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Ends every connection."""
        if self._server is not None:
            self._server.close()
        self.become(Weather.CUT)

    def become(self, weather: Weather) -> None:
        """Connections that lost bytes do not live on in better weather: a stream with a hole is none."""
        self._weather = weather
        for connection in list(self._connections):
            if weather is Weather.CUT or connection.lost:
                connection.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather is Weather.CUT:
            _reset(writer)
            return
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target, limit=_CHUNK)
        except OSError:
            _reset(writer)
            return
        connection = _Connection(writer, there[1])
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(connection, reader, there[1]))
                group.create_task(self._carry(connection, there[0], writer, answers=True))
        except* OSError:
            connection.reset()
        finally:
            self._connections.discard(connection)
            connection.close()

    async def _carry(
        self,
        connection: "_Connection",
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        answers: bool = False,
    ) -> None:
        """One direction, until its source ends; then the other one has nobody to talk to either."""
        told = _Addresses(self._target, self.port) if answers and self._kafka else None
        while data := await source.read(_SLOW_CHUNK if self.slow else _CHUNK):
            if self.slow:
                await asyncio.sleep(_SLOW_LATENCY)
            if answers and (connection.lost or self._weather is Weather.HALF_OPEN):
                connection.lost = True
                continue
            sink.write(told.mended(data) if told else data)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()


class _Connection:
    """Both ends of one connection. `lost`: answers of it have vanished."""

    def __init__(self, *ends: asyncio.StreamWriter) -> None:
        self._ends = ends
        self.lost = False

    def reset(self) -> None:
        for end in self._ends:
            _reset(end)

    def close(self) -> None:
        for end in self._ends:
            end.close()


class _Addresses:
    """Puts the link's port where the broker's stands, also when an address arrives in two pieces.

    Kafka's answers are frames (4 bytes of length before each), so that what ends a frame is never held back.
    """

    def __init__(self, real: int, mine: int) -> None:
        host = b"127.0.0.1"
        self._old, self._new = host + struct.pack(">i", real), host + struct.pack(">i", mine)
        self._held = b""
        self._frame = 0  # where the next frame begins

    def mended(self, data: bytes) -> bytes:
        data = self._held + data
        while self._frame + 4 <= len(data):
            self._frame += 4 + int.from_bytes(data[self._frame : self._frame + 4])
        data = data.replace(self._old, self._new)
        # A length that has not come whole is kept, or else the beginning of an address in a frame that goes on.
        kept = len(data) - self._frame if self._frame <= len(data) else self._beginning(data)
        self._held = data[len(data) - kept :]
        self._frame -= len(data) - kept
        return data[: len(data) - kept]

    def _beginning(self, data: bytes) -> int:
        return next((size for size in range(len(self._old) - 1, 0, -1) if data.endswith(self._old[:size])), 0)


def _reset(writer: asyncio.StreamWriter) -> None:
    """The peer learns at once; what was on its way is gone."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
