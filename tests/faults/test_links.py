"""A link does to its connections what it says, on real sockets."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.links import Link, Weather, _Addresses

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[Link]:
    """A link to a server that answers what it is told."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    link = Link("client>server", server.sockets[0].getsockname()[1])
    await link.open()
    try:
        yield link
    finally:
        await link.close()
        server.close()


async def connect(link: Link) -> Streams:
    return await asyncio.open_connection("127.0.0.1", link.port)


async def say(streams: Streams, text: bytes) -> bytes:
    streams[1].write(text)
    return await streams[0].readexactly(len(text))


async def test_in_clear_weather_everything_passes_and_an_end_is_passed_on() -> None:
    async with echo() as link:
        streams = await connect(link)
        assert await say(streams, b"x" * 300_000) == b"x" * 300_000
        streams[1].write_eof()
        assert await streams[0].read() == b""


async def test_a_cut_resets_what_is_open_and_what_comes_until_it_is_clear_again() -> None:
    async with echo() as link:
        streams = await connect(link)
        assert await say(streams, b"before") == b"before"
        link.become(Weather.CUT)
        with pytest.raises(ConnectionResetError):
            await streams[0].readexactly(1)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await say(await connect(link), b"during")
        link.become(Weather.CLEAR)
        assert await say(await connect(link), b"after") == b"after"


async def test_half_open_lets_requests_through_loses_answers_and_never_mends_a_stream_with_a_hole() -> None:
    async with echo() as link:
        hurt, idle = await connect(link), await connect(link)
        assert [await say(streams, b"before") for streams in (hurt, idle)] == [b"before"] * 2
        link.become(Weather.HALF_OPEN)
        hurt[1].write(b"lost")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hurt[0].read(1), 0.3)
        link.become(Weather.CLEAR)
        with pytest.raises(ConnectionResetError):
            await hurt[0].readexactly(1)
        assert await say(idle, b"nothing lost") == b"nothing lost"


async def test_slow_delivers_all_of_it() -> None:
    async with echo() as link:
        link.slow = True
        assert await say(await connect(link), b"y" * 20_000) == b"y" * 20_000


def frame(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content


@pytest.mark.parametrize("cut", range(1, 60))
def test_the_brokers_address_becomes_the_links_wherever_the_bytes_are_cut(cut: int) -> None:
    """And what ends an answer is never held back, although it looks like the beginning of an address."""
    broker, link = b"127.0.0.1" + struct.pack(">i", 9092), b"127.0.0.1" + struct.pack(">i", 20001)
    stream = frame(b"meta" + broker + b"data") + frame(b"ends like 127.0")
    addresses = _Addresses(9092, 20001)
    assert addresses.mended(stream[:cut]) + addresses.mended(stream[cut:]) == stream.replace(broker, link)
