"""What `POST /v1/visits` takes for a dossier, and where it stops reading."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import FormData
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from streams.adapter_http import body as reading
from streams.adapter_http.app import VISITS
from tests.support.eventually import eventually
from tests.support.his import dossier
from tests.support.his_http import FACILITY, Client, envelope, parts, served, zipped


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with served(tmp_path) as (url, _, tokens):
        yield Client(url, tokens.issue(FACILITY))


async def test_zip_envelope_and_multipart_are_taken_and_named(client: Client) -> None:
    form = FormData()
    form.add_field("file", zipped(dossier("V4")), filename="v4.zip")
    for ma_lk, body in {
        "V1": zipped(dossier("V1")),
        "V2": envelope("V2"),
        "V3": parts({**dossier("V3"), "scan": b"no table"}),
        "V4": form,
    }.items():
        status, said = await client.post(body)
        assert (status, said["facility"], said["ma_lk"], said["repeated"]) == (202, FACILITY, ma_lk, False)
        assert said["ignored"] == (["scan.xml"] if ma_lk == "V3" else [])


async def test_other_files_of_a_multipart_are_ignored_by_the_name_they_came_with(client: Client) -> None:
    for name, content in {"XML1.xml": dossier("V1")["XML1"], "v2.xml": envelope("V2")}.items():
        form = FormData()
        form.add_field("file", content, filename=name)
        form.add_field("file", b"Kinh gui", filename="readme.txt")
        status, said = await client.post(form)
        assert (status, said["ignored"]) == (202, ["readme.txt"])


async def test_what_is_no_dossier_is_refused_with_the_sdks_codes(client: Client) -> None:
    whole = zipped(dossier("V1"))
    for body, code in {
        b"": "BODY_EMPTY",
        b"{}": "XML_MALFORMED",
        whole[:-30]: "ZIP_DAMAGED",
        zipped({"XML8": b"<X/>"}): "XML1_MISSING",
        zipped({"XML1": b"<X/>"}): "MA_LK_MISSING",
        zipped({}): "DOSSIER_EMPTY",
    }.items():
        assert await client.refused(body) == (400, code)


async def test_a_multipart_that_is_not_whole_is_refused(client: Client) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="XML1.xml"\r\n\r\n'
    other = head.replace(b"XML1", b"XML8")
    xml1, xml8 = dossier("V1").values()
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    for body, code in {
        head + xml1 + b"\r\n" + other + xml8 + b"\r\n": "BODY_BROKEN",  # its end never came
        head + xml1 + b"\r\n" + other[:20]: "BODY_BROKEN",
        head + xml1: "BODY_BROKEN",
        b"no boundary at all": "BODY_BROKEN",
        b"--b--\r\n": "BODY_EMPTY",
        head + xml1 + b"\r\n" + head + xml1 + b"\r\n--b--\r\n": "ENV-007",
        head.replace(b'; filename="XML1.xml"', b"") + b"3\r\n--b--\r\n": "PART_UNNAMED",
        (head + xml8 + b"\r\n").replace(b"XML1", b"note") + b"--b--\r\n": "XML1_MISSING",
    }.items():
        assert await client.refused(body, **kind) == (400, code), body
    assert await client.refused(b"x", **{"Content-Type": "multipart/form-data"}) == (400, "BODY_BROKEN")
    whole = head + xml1 + b"\r\n" + other + xml8 + b"\r\n--b--\r\n"
    assert (await client.post(whole, **kind))[0] == 202
    many = FormData()
    for number in range(201):
        many.add_field("file", b"<x/>", filename=f"n{number}.xml")
    assert await client.refused(many) == (400, "PARTS_TOO_MANY")


async def test_a_body_that_does_not_come_in_time_or_whole_is_refused_and_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PATIENCE", 0.1)
    go_on = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"<"
        await go_on.wait()

    async with served(tmp_path, most=1024) as (url, his, tokens):
        client = Client(url, tokens.issue(FACILITY))
        assert await client.refused(stalled()) == (408, "BODY_SLOW")
        go_on.set()
        head = f"POST {VISITS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\nContent-Length: 99"
        with capture_logs() as lines:
            _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
            writer.write(f"{head}\r\n\r\n<GIAM".encode())
            await eventually(lambda: REGISTRY.get_sample_value("healthbook_adapter_requests_in_hand") == 1)
            writer.close()
            await eventually(lambda: lines)
        assert [line["outcome"] for line in lines] == ["BODY_BROKEN"]
        assert (await his.load()).waiting == 0


async def test_what_is_too_large_is_refused_however_it_comes(tmp_path: Path) -> None:
    async with served(tmp_path, most=20_000) as (url, _, tokens):
        client = Client(url, tokens.issue(FACILITY))
        large = dossier("V1", size=60_000)

        async def stream() -> AsyncIterator[bytes]:
            for start in range(0, 60_000, 1000):
                yield envelope("V1")[:1000] + bytes(start % 7)

        for body in (envelope("V1") + b" " * 20_000, parts(large), stream()):
            assert await client.refused(body) == (413, "BODY_TOO_LARGE")
        assert (await client.post(zipped(dossier("V1"))))[0] == 202


async def test_a_compressed_body_counts_as_what_comes_out_of_it(tmp_path: Path) -> None:
    async with served(tmp_path, most=20_000) as (url, _, tokens):
        client = Client(url, tokens.issue(FACILITY))
        bomb = gzip.compress(b"<x/>" * 1_000_000)
        assert len(bomb) < 20_000
        assert await client.refused(bomb, **{"Content-Encoding": "gzip"}) == (413, "BODY_TOO_LARGE")
        assert (await client.post(gzip.compress(envelope("V1")), **{"Content-Encoding": "gzip"}))[0] == 202


async def test_a_zip_that_unpacks_to_more_than_the_bus_carries_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.his.source.MAX_BYTES", 100_000)
    assert await client.refused(zipped(dossier("V1", size=150_000))) == (413, "DOSSIER_TOO_LARGE")
    assert await client.refused(zipped({"XML1": b"<x/>" * 1_000_000})) == (413, "DOSSIER_TOO_LARGE")
