"""What the ledger promises, said a second time: plain Python, without its table of moves and its SQL (GATEWAY §12)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from events.envelope import event_id
from streams.adapters.attempts import LEASE_EXPIRED
from streams.domain.submission import Happening, Later, Result

Visit = tuple[str, str]
Revision = tuple[str, str, int]


@dataclass
class Row:
    """One revision. `due`: its wait is over; `alive`: its lease has not ended."""

    content: str
    place: int
    state: str = "READY"
    attempt: int = 0
    holds: int = 0
    due: bool = True
    alive: bool = False

    @property
    def in_flight(self) -> bool:
        return self.state in ("SENDING", "OVERTAKEN")


@dataclass
class Model:
    """Rows, events told, and the answer that each attempt is remembered by with whether it came too late."""

    rows: dict[Revision, Row] = field(default_factory=dict)
    told: list[UUID] = field(default_factory=list)
    answers: dict[tuple[Revision, int], tuple[str | None, bool]] = field(default_factory=dict)

    def of(self, visit: Visit) -> dict[int, Row]:
        return {key[2]: row for key, row in self.rows.items() if key[:2] == visit}

    def add(self, visit: Visit, revisions: Sequence[tuple[int, str]]) -> None:
        """New revisions, written together: older ones give way, the same content as the gateway has is not sent."""
        added = []
        for revision, content in revisions:
            if (*visit, revision) not in self.rows:
                self.rows[*visit, revision] = Row(content, len(self.rows))
                added.append(revision)
        here = self.of(visit)
        for revision, row in here.items():
            if added and revision < max(here):
                self._overtake(row)
        for revision in added:
            tried = [number for number, row in here.items() if number < revision and row.attempt]
            before = here[max(tried)] if tried else None
            at_gateway = before.content if before and before.state == "ACCEPTED" else None
            if here[revision].state == "READY" and here[revision].content == at_gateway:
                here[revision].state = "NOT_DUE"

    @staticmethod
    def _overtake(row: Row) -> None:
        if row.state == "SENDING":
            row.state = "OVERTAKEN"
        elif row.state in ("READY", "WAITING", "HELD"):
            row.state = "SUPERSEDED"

    def claimable(self) -> list[Revision]:
        """What may be sent, the most urgent first."""
        found = [
            key
            for key, row in self.rows.items()
            if row.state in ("READY", "WAITING")
            and row.due
            and not any(other.in_flight for other in self.of(key[:2]).values())
        ]
        return sorted(found, key=lambda key: self.rows[key].place)

    def in_flight(self) -> list[Revision]:
        return [key for key, row in self.rows.items() if row.in_flight]

    def claim(self, key: Revision) -> None:
        row = self.rows[key]
        row.state, row.attempt, row.alive = "SENDING", row.attempt + 1, True
        self.answers[key, row.attempt] = (None, False)

    def finish(self, results: Sequence[tuple[Revision, Result, bool]]) -> None:
        """Answers written together, with whether the next attempt has to wait. The gateway's own word goes before ours
        that its attempt was lost; of two words for one attempt one counts."""
        for key, result, waits in self._one_for_each_attempt(results):
            row, number, code = self.rows[key], result.submission.attempt, result.reply.code
            counts = row.in_flight and row.attempt == number
            known, _ = self.answers[key, number]
            if known is None or (known == LEASE_EXPIRED and code != LEASE_EXPIRED):
                self.answers[key, number] = (code, not counts)
            if counts:
                self._land(row, result, waits)

    @staticmethod
    def _one_for_each_attempt(
        results: Sequence[tuple[Revision, Result, bool]],
    ) -> Iterator[tuple[Revision, Result, bool]]:
        chosen: dict[tuple[Revision, int], tuple[Revision, Result, bool]] = {}
        for item in results:
            of_attempt = item[0], item[1].submission.attempt
            if of_attempt not in chosen or chosen[of_attempt][1].reply.code == LEASE_EXPIRED:
                chosen[of_attempt] = item
        yield from chosen.values()

    def _land(self, row: Row, result: Result, waits: bool) -> None:
        row.alive, row.due = False, not waits
        if row.state == "OVERTAKEN":
            row.state = "SUPERSEDED"
        elif isinstance(result.outcome, Later):
            row.state = "WAITING"
        else:
            row.state = result.happening.value
            row.holds += row.state == "HELD"
            self.told.append(event_id(result.outcome))

    def decided(self, visit: Visit, revision: int | None, act: Happening) -> int | None:
        """The revision that a person's act is about; None when it must be refused."""
        here = self.of(visit)
        held = [number for number, row in here.items() if row.state == "HELD"]
        number = max(held, default=-1) if revision is None else revision
        allowed = ("HELD", "NOT_DUE") if act is Happening.RELEASED else ("HELD",)
        if number not in here or here[number].state not in allowed:
            return None
        if act is Happening.RELEASED and number < max(here):
            return None
        return number

    def decide(self, visit: Visit, number: int, act: Happening) -> None:
        row = self.of(visit)[number]
        row.state, row.due = ("READY" if act is Happening.RELEASED else "NOT_DUE"), True
