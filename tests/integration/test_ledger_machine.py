"""Random lives of visits in the real ledger, beside a model that says what it promises (docs/submission-states.md).

Longer, and shrunk when it fails: `pytest tests/integration/test_ledger_machine.py --hypothesis-profile=thorough`.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from events.serde import Serde
from events.visit import PersonKeyKind, VisitSigned
from streams.adapters.attempts import LEASE_EXPIRED, Limits, PostgresAttempts
from streams.adapters.held import Decision, decide
from streams.adapters.ledger import PostgresLedger
from streams.adapters.outbox import Outbox, declare_shards
from streams.domain.gateway_result import Receipt, Reply, ResultClass
from streams.domain.held import RefusedError
from streams.domain.submission import IN_FLIGHT, MOVES, Happening, Result, Submission
from streams.stages.forward import outcome
from tests.support.forward_bench import in_a_quarter_of_an_hour
from tests.support.ledger_model import Model, Revision, Visit

T = TypeVar("T")
NOW = datetime.now(UTC)
LIMITS = Limits(per_facility=5, rate=1_000_000.0)
HORIZON = timedelta(days=1)
HOUR = timedelta(hours=1)

REPLIES = {
    "taken": Reply(ResultClass.ACCEPTED, "200", receipt=Receipt("TX", NOW)),
    "wrong": Reply(ResultClass.PERMANENT_DATA, "205"),
    "window": Reply(ResultClass.PERMANENT_WINDOW, "701"),
    "unknown": Reply(ResultClass.UNKNOWN, "500"),
    "lost": Reply(ResultClass.UNKNOWN, LEASE_EXPIRED),
}
BOTH = [("01999", "TEST"), ("48999", "TEST")]
VISITS = st.sampled_from(BOTH)
FREE = st.sampled_from([1, 2, 0])
"""Places that a dispatcher has after something happened: it is never far."""
CONTENTS = st.sampled_from(["first content", "second content"])
ANSWERS = st.sampled_from([name for name in REPLIES if name != "lost"])
PERSON = st.sampled_from([Happening.RELEASED, Happening.ABANDONED])

_WIPE = "delete from submission; delete from outbox; delete from decision"
_ROWS = "select * from submission order by id"
_ATTEMPTS = """
select facility, ma_lk, revision, number, code, late
from submission_attempt join submission on id = submission_attempt.submission
"""

THOROUGH = settings.get_current_profile_name() == "thorough"
LIVES = settings(
    max_examples=1000 if THOROUGH else 60,
    # Shrinking takes minutes on a real database.
    phases=list(Phase) if THOROUGH else (Phase.reuse, Phase.generate),
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    report_multiple_bugs=False,
)


class LedgerMachine(RuleBasedStateMachine):
    """Each rule is something that happens to the ledger, and to the model; the invariants compare them."""

    def __init__(self, loop: asyncio.Runner, pool: "asyncpg.Pool[asyncpg.Record]", serde: Serde) -> None:
        super().__init__()
        self._loop, self._pool = loop, pool
        self.ledger = PostgresLedger(pool, in_a_quarter_of_an_hour, HORIZON)
        self.attempts = PostgresAttempts(pool, Outbox(serde))
        self.model = Model()
        self.tokens: list[Submission] = []
        """Every attempt that was ever claimed: its holder may come back at any time."""
        self.ids: dict[int, Revision] = {}
        self.frozen: dict[Revision, tuple[bytes, str]] = {}
        self.before: dict[Revision, str] = {}

    def wait(self, work: Awaitable[T]) -> T:
        async def waited() -> T:
            return await work

        return self._loop.run(waited())

    @initialize(contents=st.lists(CONTENTS, min_size=2, max_size=2))
    def one_in_flight_and_one_ready(self, contents: list[str]) -> None:
        self.wait(self._pool.execute(_WIPE))
        for visit, content in zip(BOTH, contents, strict=True):
            self._add(visit, [(2, content)])
        self._dispatch(1)

    # ---- what comes in ----------------------------------------------------------------------------------------------

    @rule(visit=VISITS, contents=st.lists(CONTENTS, min_size=1, max_size=2), gap=st.integers(1, 2), free=FREE)
    def newer_revisions(self, visit: Visit, contents: list[str], gap: int, free: int) -> None:
        newest = max(self.model.of(visit))
        self._add(visit, [(newest + gap + number, content) for number, content in enumerate(contents)])
        self._dispatch(free)

    @rule(data=st.data(), visit=VISITS, content=CONTENTS)
    def an_older_revision_comes_late_or_the_same_again_with_other_bytes(
        self, data: st.DataObject, visit: Visit, content: str
    ) -> None:
        revision = data.draw(st.integers(1, max(self.model.of(visit))))
        self._add(visit, [(revision, content)])

    def _add(self, visit: Visit, revisions: list[tuple[int, str]]) -> None:
        place = len(self.model.rows)
        self.model.add(visit, revisions)
        signed = [_signed(visit, number, content, place + at) for at, (number, content) in enumerate(revisions)]
        self.wait(self.ledger.add(signed))

    # ---- the dispatcher ---------------------------------------------------------------------------------------------

    def _dispatch(self, free: int) -> None:
        self.the_ledger_says_what_the_model_says()
        if not free:
            return
        expected = self.model.claimable()[:free]
        claimed = self.wait(self.attempts.claim(free, LIMITS, [], [], probe=False))
        assert [self._key(item) for item in claimed] == expected
        for item in claimed:
            self.model.claim(self._key(item))
            assert item.attempt == self.model.rows[self._key(item)].attempt
        self.tokens += claimed

    @precondition(lambda self: self.model.in_flight())
    @rule(data=st.data(), answer=ANSWERS, waits=st.booleans(), free=FREE)
    def an_answer_arrives(self, data: st.DataObject, answer: str, waits: bool, free: int) -> None:
        key = data.draw(st.sampled_from(self.model.in_flight()))
        self._finish([([item for item in self.tokens if self._key(item) == key][-1], answer, waits)])
        self._dispatch(free)

    @rule(data=st.data(), answers=st.lists(st.tuples(ANSWERS, st.booleans()), min_size=1, max_size=3))
    def answers_arrive_in_time_or_late(self, data: st.DataObject, answers: list[tuple[str, bool]]) -> None:
        self._finish([(data.draw(st.sampled_from(self.tokens)), name, waits) for name, waits in answers])

    @precondition(lambda self: self.model.in_flight())
    @rule(data=st.data(), horizon=st.booleans())
    def a_lease_ends_perhaps_past_the_horizon(self, data: st.DataObject, horizon: bool) -> None:
        key = data.draw(st.sampled_from(self.model.in_flight()))
        self.model.rows[key].alive = False
        self._set(key, "lease_until = statement_timestamp() - interval '1 s'")
        if horizon:
            self._set(key, "give_up_at = statement_timestamp() - interval '1 s'")

    @precondition(lambda self: any(not self.model.rows[key].alive for key in self.model.in_flight()))
    @rule(data=st.data(), with_an_answer=st.booleans())
    def the_sweep_takes_over_what_ended(self, data: st.DataObject, with_an_answer: bool) -> None:
        """The answer may be written together with our word that nobody waits for it any more."""
        expired = self.wait(self.attempts.expired())
        assert {self._key(item) for item in expired} == {
            key for key, row in self.model.rows.items() if row.in_flight and not row.alive
        }
        results = [(item, "lost", False) for item in expired]
        if expired and with_an_answer:
            results.append((data.draw(st.sampled_from(expired)), data.draw(ANSWERS), False))
        self._finish(data.draw(st.permutations(results)))

    @precondition(lambda self: self.model.in_flight())
    @rule(data=st.data(), answer=ANSWERS)
    def a_holder_comes_back_after_its_attempt_was_taken_over(self, data: st.DataObject, answer: str) -> None:
        key = data.draw(st.sampled_from(self.model.in_flight()))
        gone = [item for item in self.tokens if self._key(item) == key][-1]
        self.model.rows[key].alive = False
        self._set(key, "lease_until = statement_timestamp() - interval '1 s'")
        self._finish([(item, "lost", False) for item in self.wait(self.attempts.expired())])
        self._dispatch(2)
        self._finish([(gone, answer, False)])

    @rule(free=FREE)
    def time_passes_until_everything_is_due(self, free: int) -> None:
        for row in self.model.rows.values():
            row.due = True
        self.wait(self._pool.execute("update submission set next_attempt_at = statement_timestamp()"))
        self._dispatch(free)

    @rule()
    def every_holder_asks_whether_it_may_still_send_and_renews_its_lease(self) -> None:
        answers = self.wait(self.attempts.mine(self.tokens))
        assert answers == [self._is_mine(item, "SENDING") for item in self.tokens]
        kept = self.wait(self.attempts.renew(self.tokens, HOUR))
        mine = [item for item in self.tokens if self._is_mine(item, "SENDING", "OVERTAKEN")]
        assert kept == {(item.id, item.attempt) for item in mine}

    def _is_mine(self, item: Submission, *states: str) -> bool:
        row = self.model.rows[self._key(item)]
        return row.state in states and row.attempt == item.attempt and row.alive

    def _finish(self, items: Sequence[tuple[Submission, str, bool]]) -> None:
        if not items:
            return
        results = [(_result(item, REPLIES[name]), waits) for item, name, waits in items]
        self.model.finish([(self._key(result.submission), result, waits) for result, waits in results])
        self.wait(self.attempts.finish([(result, HOUR if waits else timedelta()) for result, waits in results]))

    # ---- people -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(row.state in ("HELD", "NOT_DUE") for row in self.model.rows.values()))
    @rule(data=st.data(), visit=VISITS, act=PERSON, dry_run=st.booleans(), free=FREE)
    def a_person_decides(self, data: st.DataObject, visit: Visit, act: Happening, dry_run: bool, free: int) -> None:
        revision = data.draw(st.sampled_from([None, *self.model.of(visit)]))
        number = self.model.decided(visit, revision, act)
        decision = Decision(act, "ngoc", "mended")
        work = decide(self._pool, visit, revision, decision, HORIZON, dry_run=dry_run)
        try:
            assert self.wait(work)["revision"] == number
        except RefusedError:
            assert number is None
            return
        if not dry_run and number is not None:
            self.model.decide(visit, number, act)
            self._dispatch(free)

    # ---- what holds at any time -------------------------------------------------------------------------------------

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        rows = {_where(row): row for row in self.wait(self._pool.fetch(_ROWS))}
        assert rows.keys() == self.model.rows.keys()
        self.ids = {row["id"]: key for key, row in rows.items()}
        for key, row in rows.items():
            expected = self.model.rows[key]
            told = (row["state"], row["attempts"], row["holds"])
            assert told == (expected.state, expected.attempt, expected.holds), key
        in_flight = [key[:2] for key, row in rows.items() if row["state"] in IN_FLIGHT]
        assert len(in_flight) == len(set(in_flight)), "one of a visit at most"
        self._moves_are_lawful({key: row["state"] for key, row in rows.items()})
        self._bytes_are_frozen({key: (row["envelope"], row["envelope_sha256"]) for key, row in rows.items()})

    def _moves_are_lawful(self, states: dict[Revision, str]) -> None:
        lawful = {(old.value, new.value) for (old, _), new in MOVES.items()}
        for key, state in self.before.items():
            assert state == states[key] or (state, states[key]) in lawful, key
        self.before = states

    def _bytes_are_frozen(self, bytes_: dict[Revision, tuple[bytes, str]]) -> None:
        for key, found in bytes_.items():
            assert self.frozen.setdefault(key, found) == found, key

    @invariant()
    def each_end_is_told_once_and_nothing_else_is(self) -> None:
        told = [row["event_id"] for row in self.wait(self._pool.fetch("select event_id from outbox"))]
        assert sorted(told) == sorted(self.model.told)
        ended = sum((row.state in ("ACCEPTED", "REFUSED")) + row.holds for row in self.model.rows.values())
        assert len(told) == len(set(told)) == ended

    @invariant()
    def every_attempt_is_remembered_by_its_answer(self) -> None:
        rows = self.wait(self._pool.fetch(_ATTEMPTS))
        assert {(_where(row), row["number"]): (row["code"], row["late"]) for row in rows} == self.model.answers

    def _key(self, item: Submission) -> Revision:
        return self.ids[item.id]

    def _set(self, key: Revision, change: str) -> None:
        sql = f"update submission set {change} where (facility, ma_lk, revision) = ($1, $2, $3)"  # noqa: S608
        self.wait(self._pool.execute(sql, *key))


def _where(row: Any) -> Revision:
    return row["facility"], row["ma_lk"], row["revision"]


def _result(item: Submission, reply: Reply) -> Result:
    return Result(item, reply, outcome(item, reply))


def _signed(visit: Visit, revision: int, content: str, place: int) -> VisitSigned:
    """The later it came, the later it is due."""
    return VisitSigned(
        *visit,
        revision,
        NOW + timedelta(seconds=place),
        standard="3176",
        visit_type="01",
        insured=True,
        person_key_kind=PersonKeyKind.CCCD,
        envelope=f"{visit} {revision} {content}".encode(),
        envelope_sha256=f"{revision} {content}",
        payload_sha256=content,
        certificate_serial="ab",
    )


def test_whatever_happens_the_ledger_keeps_its_promises(database_url: str, serde: Serde) -> None:
    async def opened() -> "asyncpg.Pool[asyncpg.Record]":
        # Nothing crashes here, so nothing has to wait for the disk.
        lazy = {"synchronous_commit": "off"}
        pool = await asyncpg.create_pool(database_url, min_size=1, max_size=1, server_settings=lazy)
        async with pool.acquire() as connection:
            await declare_shards(connection)
        return pool

    with asyncio.Runner() as loop:
        pool = loop.run(opened())

        class OnThisDatabase(LedgerMachine):
            def __init__(self) -> None:
                super().__init__(loop, pool, serde)

        run(OnThisDatabase, settings=LIVES)
        loop.run(pool.close())
