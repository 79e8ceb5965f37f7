"""Error lists of the gateway simulator (GATEWAY §6.6, `/_sim/loi`); the real gateway has no such service."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import aiohttp

from events.visit import GatewayFinding
from streams.adapters.feedback_file import table_named
from streams.domain.dossier.moments import VIETNAM
from streams.domain.feedback import LONGEST_MESSAGE, FeedbackError, ToldFinding
from streams.domain.gateway_result import readable
from streams.errors import RetryLater

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)


class SimulatorFeedback:
    """Port `GatewayFeedback` over HTTP: what the simulator tells about one facility (None: all), days included."""

    def __init__(self, url: str, facility: str | None, first: date, last: date) -> None:
        self._url = f"{url}/_sim/loi"
        self._query = {"tuNgay": f"{first:%Y%m%d}", "denNgay": f"{last:%Y%m%d}"}
        if facility is not None:
            self._query["maCSKCB"] = facility

    async def told(self) -> Sequence[ToldFinding]:
        """See the port."""
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as http,
                http.get(self._url, params=self._query) as answer,
            ):
                if answer.status == 404:
                    raise FeedbackError(
                        "this gateway has no error lists: export them from the portal and import the file"
                    )
                answer.raise_for_status()
                rows = await answer.json()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryLater(f"the gateway does not answer: {type(error).__name__}") from None
        return [_line(row) for row in rows]


def _line(row: Mapping[str, Any]) -> ToldFinding:
    return ToldFinding(
        facility=row["maCSKCB"],
        ma_lk=row["maLK"],
        transaction_code=row["maGiaoDich"],
        told_at=datetime.strptime(row["thoiGian"], "%Y%m%d%H%M%S").replace(tzinfo=VIETNAM),
        finding=GatewayFinding(
            code=row["maLoi"],
            table=table_named(row["bang"]),
            row=row["stt"],
            field=row["truong"] or None,
            message=readable(row["moTa"])[:LONGEST_MESSAGE],
        ),
    )
