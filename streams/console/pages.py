"""How a page is made: language, texts, times, template, headers. Knows nothing of what a page is about."""

import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from streams.domain import vietnam

HERE = Path(__file__).parent
LANGUAGES = ("vi", "en")

HEADERS: Mapping[str, str] = {
    # No script, nothing from elsewhere, no frame: the pages need none, so whatever gets into one cannot run.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_LONGEST_REFRESH = 3600

_WORDS: dict[str, dict[str, list[str]]] = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def words(language: str) -> Callable[..., str]:
    """`t("flow", "sign")` in a language. A name that is not known is its own text: events may be newer than words."""
    number = LANGUAGES.index(language)

    def t(section: str, name: str) -> str:
        found = _WORDS[section].get(name)
        return found[number] if found else name

    return t


def language_of(request: web.Request) -> str:
    """As asked for in the address, then by the browser; Vietnamese when neither says."""
    asked = request.query.get("lang")
    if asked in LANGUAGES:
        return asked
    preferred = request.headers.get("Accept-Language", "")[:200].lower()
    return next((tag.strip()[:2] for tag in preferred.split(",") if tag.strip()[:2] in LANGUAGES), "vi")


def page(request: web.Request, template: str, status: int = 200, **told: Any) -> web.Response:
    """The page, in the reader's language. `?refresh=30` loads it again every 30 seconds, for a screen on a wall."""
    language = language_of(request)
    now = datetime.now(UTC)
    text = _TEMPLATES.get_template(template).render(
        t=words(language),
        language=language,
        other=next(name for name in LANGUAGES if name != language),
        here=request.rel_url,
        link=lambda path, **query: str(request.rel_url.with_path(path).with_query({**query, "lang": language})),
        local=local,
        age=age,
        now=now,
        **told,
    )
    response = web.Response(text=text, status=status, content_type="text/html", headers=dict(HEADERS))
    refresh = request.query.get("refresh", "")
    if refresh.isdecimal() and 5 <= int(refresh[:6]) <= _LONGEST_REFRESH:
        response.headers["Refresh"] = str(int(refresh))
    return response


def local(instant: datetime | str) -> str:
    """An instant (also as ISO text out of a story) as a person in Vietnam reads it."""
    known = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return vietnam.local(known)


def age(seconds: float) -> str:
    """A span of time in its two largest units: `3 h 05 min`."""
    whole = int(abs(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours:02} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"


def today() -> datetime:
    """Midnight in Vietnam, as an instant."""
    return vietnam.midnight(datetime.now(UTC))
