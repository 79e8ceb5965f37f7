"""What `POST /v1/visits` answers, on a real socket and a real spool, while the bus is away."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from events.his import SpoolError
from streams.adapter_http.process import adapter_http_work
from streams.adapters import facilities
from streams.adapters.tokens import FILE
from streams.config import Settings
from streams.domain.dossier.sample import VisitKind, new_dossier
from streams.domain.dossier.verdict import judge
from streams.errors import Fatal
from streams.runtime.service import Health
from tests.support.his import dossier
from tests.support.his_http import FACILITY, Client, envelope, parts, served, zipped


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with served(tmp_path) as (url, _, tokens):
        yield Client(url, tokens.issue(FACILITY))


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
    async with served(tmp_path) as (url, his, tokens):
        client = Client(url, tokens.issue(FACILITY))
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


async def test_a_dossier_of_another_facility_is_the_tokens_facilitys_and_validation_rejects_it(tmp_path: Path) -> None:
    foreign = new_dossier(
        7, facility="48999", kind=VisitKind.EXAM, insured=True, discharged_at=datetime.now(UTC) - timedelta(hours=1)
    )
    async with served(tmp_path) as (url, his, tokens):
        status, said = await Client(url, tokens.issue(FACILITY)).post(zipped(dict(foreign.tables)))
        assert (status, said["facility"]) == (202, FACILITY)
        ((_, event),) = await his._store.heads(10, 10**6)
    found = judge(event.tables, now=datetime.now(UTC), facility=event.facility).findings
    assert ("FAC-003", FACILITY) in [(item.code, item.expected) for item in found]


async def test_tokens_that_cannot_be_read_are_the_operators_trouble_and_not_a_wrong_token(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facilities, "LOOK_AGAIN", 0.0)
    (tmp_path / "tokens" / FACILITY / FILE).write_text("broken")
    with capture_logs() as lines:
        assert await client.refused(b"") == (503, "TOKENS_UNREADABLE")
    assert f"{FACILITY}/{FILE}" in lines[0]["cause"]


async def test_a_full_spool_refuses_and_what_was_taken_before_is_safe(tmp_path: Path) -> None:
    async with served(tmp_path, limit=1000) as (url, his, tokens):
        client = Client(url, tokens.issue(FACILITY))
        status, first = await client.post(zipped(dossier("V1")))
        assert status == 202
        assert await client.refused(zipped(dossier("V2", size=2000))) == (503, "SPOOL_FULL")
        assert (await client.post(zipped(dossier("V1"))))[1] == first | {"repeated": True}
        assert (await his.load()).waiting == 1


async def test_one_facility_cannot_take_the_turns_of_the_others(tmp_path: Path) -> None:
    async with served(tmp_path, together=8, patience=0.2) as (url, _, tokens):
        slow, quick = Client(url, tokens.issue(FACILITY)), Client(url, tokens.issue("48999"))
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
            assert (answer.status, answer.headers["Allow"], answer.headers["Server"]) == (405, "POST", "healthbook")
            assert '"code": "METHOD_UNKNOWN", "where": null, "message_vi": "Địa chỉ' in await answer.text()
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


async def test_a_spool_that_can_no_longer_be_used_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged(_: object) -> None:
        raise SpoolError("SPOOL_DAMAGED")

    monkeypatch.setattr("events.his.publisher.Publisher._run", damaged)
    work = adapter_http_work(Settings(home=tmp_path), tmp_path / "spool", 10**9)
    with pytest.raises(Fatal, match="SPOOL_DAMAGED"):
        await asyncio.wait_for(work(Health(), asyncio.Event()), 20)
