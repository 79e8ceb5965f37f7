"""A visit's story: one line for each event about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One event in the story of a visit. `detail` is JSON: codes, times and counts, nothing of a person."""

    event_id: UUID
    facility: str
    ma_lk: str
    revision: int
    type: str
    happened_at: datetime
    detail: dict[str, Any]
