"""What a spool tells of its days: each revision once, whatever happens to it, and by name while it waits."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.day import DayCounted, WaitingRevision
from events.his import tally
from events.his.source import read_dossier
from events.his.spool import HandOver, Placed, Spool
from events.his.spool_schema import UPGRADES
from tests.support.his import dossier

NOON = datetime(2026, 11, 24, 5, tzinfo=UTC)
LATE = datetime(2026, 11, 24, 17, tzinfo=UTC)  # 0:00 of the next day in Vietnam


def put(spool: Spool, *visits: tuple[str, str], at: datetime = NOON, again: bool = False) -> list[Placed]:
    items = []
    for ma_lk, note in visits:
        found = read_dossier(dossier(ma_lk, note))
        items.append(HandOver("01999", ma_lk, None, at, found.digest, found, again))
    return [answer for answer in spool.put(items, NOON) if isinstance(answer, Placed)]


def counts(spool: Spool) -> dict[date, tuple[int, list[str]]]:
    """Of each day: how many closed, and what waits. Every day is told anew."""
    spool._db.execute("UPDATE day SET told = 0")
    return {item.day: (item.closed, [name.ma_lk for name in item.waiting]) for item in spool.tally.news(NOON)}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_a_revision_counts_on_its_day_in_vietnam(spool: Spool) -> None:
    put(spool, ("V1", "a"), ("V2", "a"), ("V1", "b"))
    put(spool, ("V3", "a"), at=LATE)
    assert counts(spool) == {date(2026, 11, 24): (3, ["V1", "V2", "V1"]), date(2026, 11, 25): (1, ["V3"])}


def test_what_was_handed_over_before_does_not_count_again(spool: Spool) -> None:
    (placed,) = put(spool, ("V1", "a"))
    put(spool, ("V1", "a"))
    assert placed.position is not None
    spool.settle([placed.position], {})
    assert counts(spool) == {date(2026, 11, 24): (1, [])}
    put(spool, ("V1", "a"), again=True)  # sent once more, as the same revision
    assert counts(spool) == {date(2026, 11, 24): (1, ["V1"])}


def test_what_the_broker_refuses_is_named_with_the_reason_until_a_person_gives_it_up(spool: Spool) -> None:
    (placed,) = put(spool, ("V1", "a"))
    assert placed.position is not None
    spool.settle([], {placed.position: "BUS_TOO_LARGE"})
    (count,) = spool.tally.news(NOON)
    assert count.waiting == (WaitingRevision("V1", placed.revision, "BUS_TOO_LARGE"),)
    spool.drop(placed.position)
    assert counts(spool) == {date(2026, 11, 24): (0, [])}
    put(spool, ("V1", "a"))
    assert counts(spool) == {date(2026, 11, 24): (1, ["V1"])}


def test_only_news_are_told_and_a_later_word_has_a_higher_number(spool: Spool) -> None:
    (placed,) = put(spool, ("V1", "a"))
    first = spool.tally.news(NOON)
    assert spool.tally.news(NOON) == first  # not known to be on the bus
    spool.tally.told(first)
    assert spool.tally.news(NOON) == []
    assert placed.position is not None
    spool.settle([placed.position], {})
    (second,) = spool.tally.news(NOON)
    assert second.number > first[0].number
    spool.tally.told(first)  # an old word that arrives late
    assert spool.tally.news(NOON) == [second]


def test_a_spool_made_anew_is_another_one_and_one_opened_again_the_same(tmp_path: Path) -> None:
    def told(folder: Path) -> DayCounted:
        spool = Spool(folder)
        put(spool, ("V1", "a"))
        (count,) = spool.tally.news(NOON)
        spool.close()
        return count

    assert told(tmp_path / "a").spool == told(tmp_path / "a").spool != told(tmp_path / "b").spool


def test_a_long_queue_is_named_in_part(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST_NAMES", 2)
    put(spool, *((f"V{number}", "a") for number in range(5)))
    (count,) = spool.tally.news(NOON)
    assert ([item.ma_lk for item in count.waiting], count.waiting_omitted) == (["V0", "V1"], 3)


def test_a_spool_of_the_version_before_counts_what_waits_and_what_comes(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, ("V1", "a"))
    spool.close()
    with sqlite3.connect(tmp_path / "spool.sqlite3") as older:
        older.executescript("DROP TABLE day; DROP TABLE identity; PRAGMA user_version = 1;")
    older.close()
    assert 1 in UPGRADES
    spool = Spool(tmp_path)
    put(spool, ("V2", "a"))
    assert counts(spool) == {date(2026, 11, 24): (2, ["V1", "V2"])}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "put late", "send", "refuse"]), st.sampled_from("AB"), st.sampled_from("xy")),
        max_size=20,
    )
)
def test_counted_is_what_was_handed_over_whatever_becomes_of_it(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, str, str]]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"))
    revisions: set[tuple[str, int]] = set()
    for what, ma_lk, note in steps:
        heads = [position for position, _ in spool.heads(1, 10**9)]
        if what.startswith("put"):
            at = LATE if what == "put late" else NOON + timedelta(seconds=1)
            revisions |= {(ma_lk, placed.revision) for placed in put(spool, (ma_lk, note), at=at)}
        elif what == "send":
            spool.settle(heads, {})
        else:
            spool.settle([], dict.fromkeys(heads, "BUS_TOO_LARGE"))
    found = counts(spool)
    assert sum(closed for closed, _ in found.values()) == len(revisions)
    waiting = spool._db.execute("SELECT count(*) FROM entry").fetchone()[0]
    assert sum(len(names) for _, names in found.values()) == waiting
    spool.close()
