"""The console's addresses, and what each asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import asyncpg
from aiohttp import web

from streams.adapters import held, outages
from streams.adapters.dead_letters import every_letter
from streams.adapters.facilities import FacilityError, FacilityRegister
from streams.adapters.overview import Overview
from streams.adapters.rhythms import PostgresRhythms
from streams.adapters.timeline import PostgresTimeline
from streams.adapters.visit_story import visit_story
from streams.config import Settings
from streams.console.documents import document
from streams.console.pages import HEADERS, HERE, page, today
from streams.domain.held import waits_for
from streams.domain.outage import Side
from streams.domain.submission import State
from streams.domain.vietnam import VIETNAM
from streams.errors import RetryLater

T = TypeVar("T")

KEEP_SECONDS = 5.0
"""For how long an answer serves everybody who asks: a hundred open browsers cost the database what one does."""
ROWS = 50
DAY = timedelta(days=1)


class Console:
    """The handlers, over one pool. It changes nothing anywhere."""

    def __init__(self, settings: Settings, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._settings = settings
        self._pool = pool
        self._overview = Overview(pool)
        self._register = FacilityRegister(settings.facilities_dir)
        self._shown: Kept[dict[str, Any]] = Kept(self._look)
        self._names: Kept[Mapping[str, str]] = Kept(self._look_up_names, 60.0)
        self._letters: Kept[list[dict[str, Any]]] = Kept(self._read_dead_letters, 15.0)

    def app(self) -> web.Application:
        """The web application."""
        app = web.Application(middlewares=[_explained])
        app.add_routes(
            [
                web.get("/", self.overview),
                web.get("/facilities", self.facilities),
                web.get("/visits", self.visits),
                web.get("/visit", self.visit),
                web.get("/held", self.held),
                web.get("/dead-letters", self.dead_letters),
                web.get("/docs/{name:.+}", _document),
                web.get("/style.css", _style),
            ]
        )
        return app

    async def overview(self, request: web.Request) -> web.Response:
        """Today's promise, the flow, the nearest deadlines, the facilities that need somebody first."""
        return page(request, "overview.html", names=await self._names.get(), **await self._shown.get())

    async def facilities(self, request: web.Request) -> web.Response:
        """Every facility of a day, by code or name."""
        day, search = _day(request), request.query.get("q", "").strip()[:100]
        number = max(1, int(request.query.get("page", "1")[:6])) if request.query.get("page", "1").isdecimal() else 1
        names = await self._names.get()
        named = [code for code, name in names.items() if search and search.casefold() in name.casefold()]
        league = await self._overview.league(day, day + DAY, search, named, ROWS, (number - 1) * ROWS)
        return page(
            request, "facilities.html", league=league, names=names, search=search, day=_text(day), number=number,
            pages=-(-league.total // ROWS),
        )  # fmt: skip

    async def visits(self, request: web.Request) -> web.Response:
        """Visits of a facility's day; with a MA_LK the visit itself."""
        facility, ma_lk = request.query.get("facility", "").strip()[:5], request.query.get("ma_lk", "").strip()[:100]
        if facility and ma_lk:
            query = {"facility": facility, "ma_lk": ma_lk}
            raise web.HTTPSeeOther(str(request.rel_url.with_path("/visit").update_query(query)))
        day = _day(request)
        timeline = PostgresTimeline(self._pool)
        rows = await timeline.visits(facility, day, day + DAY, (), 4 * ROWS) if facility else []
        return page(request, "visits.html", facility=facility, day=_text(day), rows=rows, limit=4 * ROWS)

    async def visit(self, request: web.Request) -> web.Response:
        """The whole story of one visit."""
        facility, ma_lk = request.query.get("facility", ""), request.query.get("ma_lk", "")
        try:
            letters = await self._letters.get()
        except RetryLater:  # Kafka is away: the page says so, and tells the rest
            letters = None
        told = await visit_story(self._pool, facility, ma_lk, letters)
        if told is None:
            return page(request, "visits.html", 404, facility=facility, day=_text(today()), rows=[], unknown=ma_lk)
        return page(request, "visit.html", **told)

    async def held(self, request: web.Request) -> web.Response:
        """What waits for a person, the longest first."""
        found = [
            (item, {"facility": visit[0], "ma_lk": visit[1], "standing": item, "waits_for": waits_for(item, standings)})
            for visit, standings in await held.held_visits(self._pool, None)
            for item in standings
            if item.state is State.HELD
        ]
        rows = [row for _, row in sorted(found, key=lambda pair: pair[0].since)]
        return page(request, "held.html", rows=rows)

    async def dead_letters(self, request: web.Request) -> web.Response:
        """Records that a stage could not use, and what was done about each; never their content."""
        return page(request, "dead-letters.html", rows=(await self._letters.get())[::-1])

    async def _look(self) -> dict[str, Any]:
        since = today()
        promises, waiting, nearest, league, silent, outages_ = await asyncio.gather(
            self._overview.promises(since, since + DAY),
            self._overview.waiting(),
            self._overview.nearest(8, datetime.now(UTC)),
            self._overview.league(since, since + DAY, "", (), 10, 0),
            PostgresRhythms(self._pool).silent(ROWS),
            outages.overlapping(self._pool, list(Side), since, since + 7 * DAY),
        )
        return {
            "promises": promises,
            "waiting": waiting,
            "nearest": nearest,
            "league": league,
            "silent": silent,
            "outages": [(item, item.phase(datetime.now(UTC))) for item in outages_],
        }

    async def _look_up_names(self) -> Mapping[str, str]:
        try:
            found = await asyncio.to_thread(self._register.all)
        except FacilityError:
            return {}  # one broken entry: the pages go on with codes; `facility list` says which it is
        return {facility.code: facility.name for facility in found}

    async def _read_dead_letters(self) -> list[dict[str, Any]]:
        return await every_letter(self._settings.kafka_bootstrap_servers, self._pool)


class Kept(Generic[T]):
    """An answer that is asked for once in `seconds`, however many want it."""

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float = KEEP_SECONDS) -> None:
        self._ask = ask
        self._seconds = seconds
        self._until = float("-inf")
        self._one = asyncio.Lock()
        self._answer: T

    async def get(self) -> T:
        """The answer; what asking raises is not kept."""
        async with self._one:
            if time.monotonic() >= self._until:
                self._answer = await self._ask()
                self._until = time.monotonic() + self._seconds
            return self._answer


def _day(request: web.Request) -> datetime:
    """The day of Vietnam that the address names, as the instant of its midnight; today by default."""
    asked = request.query.get("day")
    if not asked:
        return today()
    try:
        return datetime.strptime(asked, "%Y-%m-%d").replace(tzinfo=UTC) - VIETNAM
    except ValueError:
        raise web.HTTPBadRequest(text="day: expected is 2026-01-31") from None


def _text(day: datetime) -> str:
    return f"{day + VIETNAM:%Y-%m-%d}"


async def _style(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(HERE / "style.css", headers={**HEADERS, "Cache-Control": "max-age=3600"})


async def _document(request: web.Request) -> web.Response:
    """What an alert, a dashboard or another document leads to."""
    found = await asyncio.to_thread(document, request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    return page(request, "document.html", document=found)


@web.middleware
async def _explained(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Trouble is a page as well, in the reader's language."""
    try:
        return await handler(request)
    except RetryLater:
        return page(request, "trouble.html", 503, what="explain", detail=None)
    except web.HTTPNotFound:
        return page(request, "trouble.html", 404, what="not_found", detail=None)
    except web.HTTPBadRequest as error:
        return page(request, "trouble.html", 400, what="bad_request", detail=error.text)
