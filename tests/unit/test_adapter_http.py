"""What `POST /v1/visits` answers, on a real socket and a real spool, while the bus is away."""

import asyncio
import base64
import gzip
import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import FormData
from aiohttp.test_utils import BaseTestServer, TestServer
from structlog.testing import capture_logs

from events.his import SharedAdapter
from streams.adapter_http.app import VISITS, VisitsApp
from streams.adapters import facilities
from streams.adapters.tokens import FILE, Tokens
from tests.support.his import dossier

NOWHERE = ("127.0.0.1:1", "http://127.0.0.1:1")
FACILITY = "01999"


class Client:
    """One facility's HIS."""

    def __init__(self, server: BaseTestServer, token: str | None) -> None:
        self.url = str(server.make_url(VISITS))
        self.token = token

    async def post(self, data: Any, query: str = "", **headers: str) -> tuple[int, Any]:
        """Status and JSON of the answer."""
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.url + query, data=data, headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    async def refused(self, data: Any, query: str = "", **headers: str) -> tuple[int, str]:
        """Status and code; every refusal has the words for both languages."""
        status, said = await self.post(data, query, **headers)
        error = said["error"]
        assert all(error[name] for name in ("message_vi", "message_en", "mend_vi", "mend_en")), said
        return status, error["code"]


@asynccontextmanager
async def served(
    tmp_path: Path, *, most: int = 33_554_432, together: int = 16, limit: int = 10**9, patience: float = 10.0
) -> AsyncIterator[tuple[BaseTestServer, SharedAdapter, Tokens]]:
    tokens = Tokens(tmp_path / "tokens")
    async with SharedAdapter(tmp_path / "spool", *NOWHERE, spool_limit=limit) as his:
        app = VisitsApp(his, tokens, most=most, together=together, patience=patience).app()
        async with TestServer(app) as server:
            yield server, his, tokens


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with served(tmp_path) as (server, _, tokens):
        yield Client(server, tokens.issue(FACILITY))


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.xml", content)
    return buffer.getvalue()


def parts(files: dict[str, bytes]) -> FormData:
    form = FormData()
    for name, content in files.items():
        form.add_field("file", content, filename=f"{name}.xml")
    return form


def envelope(ma_lk: str) -> bytes:
    inner = "".join(
        f"<FILEHOSO><LOAIHOSO>{kind}</LOAIHOSO><NOIDUNGFILE>{base64.b64encode(content).decode()}</NOIDUNGFILE></FILEHOSO>"
        for kind, content in dossier(ma_lk).items()
    )
    return f"<GIAMDINHHS><DANHSACHHOSO><HOSO>{inner}</HOSO></DANHSACHHOSO></GIAMDINHHS>".encode()


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


async def test_the_same_again_is_the_same_revision_in_whatever_form_the_tables_come(client: Client) -> None:
    _, first = await client.post(zipped(dossier("V1")))
    status, again = await client.post(parts(dossier("V1")))
    assert (status, again) == (200, first | {"repeated": True})
    status, sent = await client.post(zipped(dossier("V1")), "?again=true")
    assert (status, sent) == (202, first | {"repeated": True})
    _, corrected = await client.post(zipped(dossier("V1", "mended")))
    assert corrected["revision"] > first["revision"]


async def test_revision_and_time_of_closing_are_the_hiss(tmp_path: Path) -> None:
    moments = ("2026-01-31T02:30:00Z", "2026-01-31T09:30:00%2B07:00", "2026-01-31T09:31:00+07:00")
    async with served(tmp_path) as (server, his, tokens):
        client = Client(server, tokens.issue(FACILITY))
        for number, moment in enumerate(moments, 1):
            query = f"?revision={number}&closed_at={moment}"
            assert (await client.post(zipped(dossier(f"V{number}")), query))[1]["revision"] == number
        spooled = [event for _, event in await his._store.heads(10, 10**6)]
    assert [(event.facility, event.revision) for event in spooled] == [(FACILITY, number) for number in (1, 2, 3)]
    assert [f"{event.closed_at:%H:%M}" for event in spooled] == ["02:30", "02:30", "02:31"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?revison=3", "PARAMETER"),
        ("?revision=3&revision=4", "PARAMETER"),
        ("?revision=0", "REVISION"),
        ("?revision=-1", "REVISION"),
        ("?revision=3.5", "REVISION"),
        ("?revision=9223372036854775807", "REVISION"),
        ("?closed_at=yesterday", "PARAMETER"),
        ("?closed_at=2026-01-31T09:30:00", "CLOSED_AT"),
        ("?closed_at=9999-12-31T00:00:00Z", "CLOSED_AT"),
        ("?again=yes", "PARAMETER"),
    ],
)
async def test_what_is_said_beside_the_dossier_must_be_right(client: Client, query: str, code: str) -> None:
    assert await client.refused(zipped(dossier("V1")), query) == (400, code)


async def test_a_time_of_closing_in_the_far_future_is_refused_by_the_sdks_own_rule(client: Client) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await client.refused(zipped(dossier("V1")), f"?closed_at={later}") == (400, "CLOSED_AT")


async def test_without_a_token_of_ours_nothing_is_read(client: Client) -> None:
    token = client.token
    assert token is not None
    for shown in (None, "", "nonsense", token[:-2] + "xx", token.replace(FACILITY, "48999")):
        client.token = shown
        expected = "TOKEN_WRONG" if shown else "TOKEN_MISSING"
        assert await client.refused(b"not read", "?nor=this") == (401, expected)
    client.token = None
    assert await client.refused(b"", Authorization=f"Basic {token}") == (401, "TOKEN_MISSING")


async def test_tokens_that_cannot_be_read_are_the_operators_trouble_and_not_a_wrong_token(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facilities, "LOOK_AGAIN", 0.0)
    (tmp_path / "tokens" / FACILITY / FILE).write_text("broken")
    with capture_logs() as lines:
        assert await client.refused(b"") == (503, "TOKENS_UNREADABLE")
    assert f"{FACILITY}/{FILE}" in lines[0]["cause"]


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


async def test_what_is_too_large_is_refused_however_it_comes(tmp_path: Path) -> None:
    async with served(tmp_path, most=20_000) as (server, _, tokens):
        client = Client(server, tokens.issue(FACILITY))
        large = dossier("V1", size=60_000)

        async def stream() -> AsyncIterator[bytes]:
            for start in range(0, 60_000, 1000):
                yield envelope("V1")[:1000] + bytes(start % 7)

        for body in (envelope("V1") + b" " * 20_000, parts(large), stream()):
            assert await client.refused(body) == (413, "BODY_TOO_LARGE")
        assert (await client.post(zipped(dossier("V1"))))[0] == 202


async def test_a_compressed_body_counts_as_what_comes_out_of_it(tmp_path: Path) -> None:
    async with served(tmp_path, most=20_000) as (server, _, tokens):
        client = Client(server, tokens.issue(FACILITY))
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


async def test_a_full_spool_refuses_and_what_was_taken_before_is_safe(tmp_path: Path) -> None:
    async with served(tmp_path, limit=1000) as (server, his, tokens):
        client = Client(server, tokens.issue(FACILITY))
        status, first = await client.post(zipped(dossier("V1")))
        assert status == 202
        assert await client.refused(zipped(dossier("V2", size=2000))) == (503, "SPOOL_FULL")
        assert (await client.post(zipped(dossier("V1"))))[1] == first | {"repeated": True}
        assert (await his.load()).waiting == 1


async def test_one_facility_cannot_take_the_turns_of_the_others(tmp_path: Path) -> None:
    async with served(tmp_path, together=8, patience=0.2) as (server, _, tokens):
        slow, quick = Client(server, tokens.issue(FACILITY)), Client(server, tokens.issue("48999"))
        go_on = asyncio.Event()

        async def stalled(begun: asyncio.Event) -> AsyncIterator[bytes]:
            yield envelope("V1")[:10]
            begun.set()
            await go_on.wait()
            yield envelope("V1")[10:]

        begun = [asyncio.Event() for _ in range(2)]
        waiting = [asyncio.create_task(slow.post(stalled(event))) for event in begun]
        await asyncio.gather(*(event.wait() for event in begun))
        assert await slow.refused(zipped(dossier("V2"))) == (503, "BUSY")
        assert (await quick.post(zipped(dossier("V2"))))[0] == 202
        go_on.set()
        assert sorted(status for status, _ in await asyncio.gather(*waiting)) == [200, 202]


async def test_other_addresses_and_methods_are_told_where_to_go(client: Client) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(client.url) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
            assert (await answer.json())["error"]["code"] == "METHOD_UNKNOWN"
        async with http.post(f"{client.url}/V1") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (404, "PATH_UNKNOWN")


async def test_each_request_is_one_line_that_joins_it_with_its_trace_and_says_nothing_of_a_person(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.token is not None
    named = zipped({**dossier("V1"), "NGUYEN VAN TEST": b"<x/>"})
    with capture_logs() as lines:
        _, said = await client.post(named)
        await client.post(named)
        await client.refused(zipped({"XML1": b"NGUYEN VAN TEST"}))
        client.token = f"{FACILITY}.{'secret-' * 6}x"
        await client.refused(named)
    assert [line["outcome"] for line in lines] == ["TAKEN", "REPEATED", "XML_MALFORMED", "TOKEN_WRONG"]
    taken = lines[0]
    assert (taken["visit"], taken["event_id"], taken["status"]) == (f"{FACILITY}|V1", said["event_id"], 202)
    assert len(taken["trace_id"]) == 32
    everything = json.dumps(lines) + caplog.text
    assert "NGUYEN" not in everything
    assert "secret-" not in everything


async def test_an_error_that_nobody_expected_is_told_without_its_text(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("NGUYEN VAN TEST")

    monkeypatch.setattr("events.his.adapter.read_dossier", broken)
    with capture_logs() as lines:
        assert await client.refused(zipped(dossier("V1"))) == (500, "UNEXPECTED")
    assert [line["event"] for line in lines] == ["a request failed", "request"]
    assert lines[0]["error"] == "KeyError"
    assert "NGUYEN" not in json.dumps(lines)
