"""A HIS that speaks HTTP, and `POST /v1/visits` on a real socket and a real spool, while the bus is away."""

import base64
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import FormData, web

from events.his import SharedAdapter
from streams.adapter_http.app import VISITS, VisitsApp
from streams.adapters.tokens import Tokens
from tests.support.his import dossier

NOWHERE = ("127.0.0.1:1", "http://127.0.0.1:1")
FACILITY = "01999"


class Client:
    """One facility's HIS."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
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
) -> AsyncIterator[tuple[str, SharedAdapter, Tokens]]:
    """The address, the spool behind it, and who issues tokens."""
    tokens = Tokens(tmp_path / "tokens")
    async with SharedAdapter(tmp_path / "spool", *NOWHERE, spool_limit=limit) as his:
        app = VisitsApp(his, tokens, most=most, together=together, patience=patience).app()
        # Not aiohttp's own test server: that one cancels the handler of a client that goes away.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}{VISITS}", his, tokens
        finally:
            await runner.cleanup()


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
