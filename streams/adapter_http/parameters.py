"""The keywords of the SDK's `hand_over`, as they stand in the address of a request."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from multidict import MultiMapping

from events.his.errors import DossierError
from streams.adapter_http.errors import RequestError

_ZONE = re.compile(r" (\d\d:?\d\d)$")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the HIS says beside the dossier; what it leaves out is the SDK's to choose."""

    revision: int | None = None
    closed_at: datetime | None = None
    again: bool = False


def parameters(query: MultiMapping[str]) -> Parameters:
    """A name that is not known is refused, since a mistyped `revision` would be another revision. Raises HisError."""
    for name in query:
        if name not in READERS or len(query.getall(name)) > 1:
            raise RequestError("PARAMETER", name if name in READERS else None)
    return Parameters(**{name: READERS[name](query[name]) for name in query})


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        raise DossierError("REVISION")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        # A plus that was not written %2B arrives as a space.
        return datetime.fromisoformat(_ZONE.sub(r"+\1", text))
    except ValueError:
        raise RequestError("PARAMETER", "closed_at") from None


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise RequestError("PARAMETER", "again")
    return text == "true"


READERS: Mapping[str, Callable[[str], Any]] = {"revision": _revision, "closed_at": _moment, "again": _truth}
"""Every name that may stand in the address."""
