"""The spool on a real disk: order, memory, bounds, one process, damage. Crashes are in tests/integration."""

import itertools
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.his.errors import SpoolError, SpoolFullError
from events.his.source import read_dossier
from events.his.spool import HandOver, Placed, Spool
from events.visit import VisitClosed
from tests.support.his import dossier

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SECOND = int(NOW.timestamp())
MANY = (1000, 100_000_000)


def item(
    ma_lk: str, note: str = "", *, revision: int | None = None, size: int = 0, facility: str = "01999"
) -> HandOver:
    found = read_dossier(dossier(ma_lk, note, size))
    return HandOver(facility, ma_lk, revision, NOW, found.digest, found)


def put(spool: Spool, *items: HandOver, now: datetime = NOW) -> list[Placed]:
    placed = spool.put(items, now)
    assert all(isinstance(answer, Placed) for answer in placed), placed
    return [answer for answer in placed if isinstance(answer, Placed)]


def heads(spool: Spool) -> list[VisitClosed]:
    return [event for _, event in spool.heads(*MANY)]


def drain(spool: Spool) -> list[VisitClosed]:
    """What the broker would get, in its order."""
    sent = []
    while batch := spool.heads(*MANY):
        sent += [event for _, event in batch]
        spool.settle([position for position, _ in batch], {})
    return sent


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_what_was_handed_over_comes_out_whole(spool: Spool) -> None:
    (placed,) = put(spool, item("V1"))
    (event,) = heads(spool)
    assert (event.facility, event.ma_lk, event.revision, event.closed_at) == ("01999", "V1", SECOND, NOW)
    assert {table.kind: table.content for table in event.tables} == dossier("V1")
    assert event.envelope is None
    assert placed.revision == SECOND


def test_an_envelope_comes_out_as_it_went_in(spool: Spool) -> None:
    found = read_dossier(b"<GIAMDINHHS/>")
    put(spool, HandOver("01999", "V1", None, NOW, found.digest, found))
    assert heads(spool)[0].envelope == b"<GIAMDINHHS/>"
    assert heads(spool)[0].tables == ()


def test_a_visits_second_revision_waits_for_its_first_and_other_visits_do_not(spool: Spool) -> None:
    put(spool, item("V1", "first"), item("V2"), item("V1", "second"))
    assert [event.ma_lk for event in heads(spool)] == ["V1", "V2"]
    assert [(event.ma_lk, event.revision) for event in drain(spool)] == [
        ("V1", SECOND),
        ("V2", SECOND),
        ("V1", SECOND + 1),
    ]


def test_the_same_visit_key_in_two_facilities_is_two_visits(spool: Spool) -> None:
    put(spool, item("V1"), item("V1", facility="48999"))
    assert len(heads(spool)) == 2


def test_the_same_bytes_again_give_the_same_receipt_and_no_entry_before_and_after_they_were_sent(spool: Spool) -> None:
    (first,) = put(spool, item("V1"))
    (again,) = put(spool, item("V1"), now=NOW + timedelta(hours=1))
    assert (again.event_id, again.revision, again.repeated) == (first.event_id, first.revision, True)
    assert len(drain(spool)) == 1
    (late,) = put(spool, item("V1"), now=NOW + timedelta(days=300))
    assert (late.event_id, late.revision, late.repeated, late.position) == (first.event_id, SECOND, True, None)
    assert drain(spool) == []


def test_on_request_the_same_bytes_are_sent_again_as_the_same_revision_once(spool: Spool) -> None:
    (first,) = put(spool, item("V1"))
    assert len(drain(spool)) == 1
    (again,) = put(spool, replace(item("V1"), again=True), now=NOW + timedelta(hours=1))
    put(spool, replace(item("V1"), again=True), now=NOW + timedelta(hours=2))  # it waits already
    assert (again.event_id, again.revision, again.repeated) == (first.event_id, first.revision, True)
    assert [event.revision for event in drain(spool)] == [SECOND]


def test_the_memory_of_revisions_survives_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, item("V1", revision=5))
    drain(spool)
    spool.close()
    spool = Spool(tmp_path)
    assert put(spool, item("V1"))[0].revision == 5
    assert put(spool, item("V1", "other"), now=datetime.fromtimestamp(3, UTC))[0].revision == 6


def test_a_lost_spool_still_gives_rising_revisions(tmp_path: Path) -> None:
    before = put(Spool(tmp_path / "lost"), item("V1", "a"), item("V1", "b"), item("V1", "c"))
    after = put(Spool(tmp_path / "new"), item("V1", "d"), now=NOW + timedelta(seconds=10))
    assert after[0].revision > max(placed.revision for placed in before)


def test_a_given_revision_with_other_bytes_is_sent_too_for_validate_to_reject(spool: Spool) -> None:
    one, other = put(spool, item("V1", "a", revision=4), item("V1", "b", revision=4))
    assert one.event_id == other.event_id
    assert not other.repeated
    assert [event.revision for event in drain(spool)] == [4, 4]


def test_what_was_forgotten_after_two_years_gets_a_higher_revision(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=731)
    spool = Spool(tmp_path)
    (first,) = put(spool, item("V1"), now=long_ago)
    drain(spool)
    spool.close()
    (again,) = put(Spool(tmp_path), item("V1"), now=datetime.now(UTC))
    assert again.revision > first.revision


def test_at_the_limit_the_caller_hears_it_and_smaller_ones_still_fit(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=30_000)
    answers = spool.put([item("V1", size=20_000), item("V2", size=20_000), item("V3", size=5_000)], NOW)
    assert [type(answer) for answer in answers] == [Placed, SpoolFullError, Placed]
    assert isinstance(answers[1], SpoolFullError)
    assert answers[1].code == "SPOOL_FULL"
    assert [event.ma_lk for event in drain(spool)] == ["V1", "V3"]
    put(spool, item("V2", size=20_000))


def test_the_limit_counts_what_waited_before_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=30_000)
    put(spool, item("V1", size=20_000))
    spool.close()
    (answer,) = Spool(tmp_path, limit=30_000).put([item("V2", size=20_000)], NOW)
    assert isinstance(answer, SpoolFullError)


def test_a_refused_entry_stays_does_not_block_and_gets_another_try_when_handed_over_again(spool: Spool) -> None:
    put(spool, item("V1", "large"), item("V1", "next"))
    ((position, _),) = spool.heads(*MANY)
    spool.settle([], {position: "BUS_TOO_LARGE"})
    assert [event.revision for event in heads(spool)] == [SECOND + 1]
    (refused,) = spool.refused()
    assert (refused.ma_lk, refused.revision, refused.reason) == ("V1", SECOND, "BUS_TOO_LARGE")
    assert spool.reason(position) == "BUS_TOO_LARGE"
    (again,) = put(spool, item("V1", "large"))
    assert (again.revision, again.position) == (SECOND, position)
    assert spool.refused() == []
    assert heads(spool)[0].revision == SECOND


def test_a_dropped_entry_is_forgotten(spool: Spool) -> None:
    (first,) = put(spool, item("V1"))
    assert first.position is not None
    spool.settle([], {first.position: "BUS_TOO_LARGE"})
    spool.drop(first.position)
    assert spool.refused() == []
    (again,) = put(spool, item("V1"), now=NOW + timedelta(seconds=1))
    assert not again.repeated


def test_heads_keep_to_their_bounds_but_let_one_large_pass(spool: Spool) -> None:
    put(spool, item("V1", size=50_000), item("V2", size=50_000), item("V3"))
    assert [event.ma_lk for _, event in spool.heads(1000, 1)] == ["V1"]
    assert [event.ma_lk for _, event in spool.heads(1000, 60_000)] == ["V1"]
    assert [event.ma_lk for _, event in spool.heads(2, 10**9)] == ["V1", "V2"]


def test_one_process_for_each_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolError) as caught:
        Spool(tmp_path)
    assert caught.value.code == "SPOOL_IN_USE"
    spool.close()
    Spool(tmp_path).close()


def test_a_file_that_is_no_spool_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite3").write_bytes(b"something else entirely" * 100)
    with pytest.raises(SpoolError) as caught:
        Spool(tmp_path)
    assert caught.value.code == "SPOOL_DAMAGED"
    assert (tmp_path / "spool.sqlite3").read_bytes() == b"something else entirely" * 100


def test_a_spool_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    Spool(tmp_path).close()
    with sqlite3.connect(tmp_path / "spool.sqlite3") as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(SpoolError) as caught:
        Spool(tmp_path)
    assert caught.value.code == "SPOOL_DAMAGED"


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError) as caught:
        Spool(tmp_path / "file" / "spool")
    assert caught.value.code == "SPOOL_UNWRITABLE"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from("AB"), st.sampled_from("xyz")),
            st.tuples(st.sampled_from(["send", "restart"]), st.just(""), st.just("")),
        ),
        max_size=25,
    )
)
def test_however_it_is_used_each_bytes_are_sent_once_and_revisions_of_a_visit_rise(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool, clock, sent = Spool(folder), itertools.count(), []
    handed: set[tuple[str, str]] = set()
    for step, visit, note in steps:
        if step == "put":
            put(spool, item(visit, note), now=NOW + timedelta(seconds=next(clock) // 2))
            handed.add((visit, note))
        elif step == "send":
            batch = spool.heads(2, 10**9)
            sent += [event for _, event in batch]
            spool.settle([position for position, _ in batch], {})
        else:
            spool.close()
            spool = Spool(folder)
    sent += drain(spool)
    spool.close()
    assert len(sent) == len(handed)
    for visit in "AB":
        revisions = [event.revision for event in sent if event.ma_lk == visit]
        assert revisions == sorted(set(revisions))
