"""A run can be played again: the same seed, the same faults, the same visits."""

from datetime import UTC, datetime
from itertools import pairwise

from tests.faults.schedule import GATEWAY_FAULTS, Fault, Kind, Targets, schedule
from tests.faults.workload import acts

TARGETS = Targets(
    processes=("validate", "sign", "relay-1", "gateway", "his"),
    parts=("kafka", "postgres"),
    links=("validate>kafka", "relay-1>kafka", "relay-1>postgres"),
    clocks=("validate", "his"),
    disks=("spools",),
)
SEEDS = range(1, 60)
DAY = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
ORDER = (5, 60, "01999", DAY)


def test_the_same_seed_gives_the_same_faults_and_another_seed_gives_others() -> None:
    assert schedule(7, 60, TARGETS) == schedule(7, 60, TARGETS)
    assert len({schedule(seed, 60, TARGETS) for seed in SEEDS}) == len(SEEDS)


def test_every_kind_and_every_target_comes() -> None:
    faults = [fault for seed in SEEDS for fault in schedule(seed, 60, TARGETS)]
    assert {fault.kind for fault in faults} == set(Kind)
    hurt = {fault.target for fault in faults if fault.kind is Kind.KILL}
    assert hurt == {*TARGETS.processes, *TARGETS.parts}
    assert {fault.target for fault in faults if fault.kind is Kind.CUT} == set(TARGETS.links)
    assert {fault.detail for fault in faults if fault.kind is Kind.GATEWAY} == set(GATEWAY_FAULTS)


def test_all_are_over_when_the_time_is_and_none_takes_the_effect_of_another_away() -> None:
    beside = (Kind.SLOW, Kind.GATEWAY)
    for seed in SEEDS:
        until: dict[tuple[str, ...], float] = {}
        for fault in schedule(seed, 30, TARGETS):
            assert fault.at + fault.seconds <= 30 + 0.01
            held = (fault.target, fault.kind, fault.detail) if fault.kind in beside else (fault.target,)
            assert fault.at >= until.get(held, 0.0)
            until[held] = fault.at + fault.seconds


def test_what_the_machine_does_not_let_us_do_is_left_out() -> None:
    bare = Targets(TARGETS.processes, TARGETS.parts, TARGETS.links, clocks=(), disks=())
    kinds = {fault.kind for seed in SEEDS for fault in schedule(seed, 60, bare)}
    assert kinds == set(Kind) - {Kind.CLOCK, Kind.DISK_FULL}


def test_a_focus_gets_most_of_the_faults() -> None:
    focus = ((Kind.KILL, "relay-*"),)
    faults = [fault for seed in SEEDS for fault in schedule(seed, 60, TARGETS, focus)]
    aimed = [fault for fault in faults if (fault.kind, fault.target) == (Kind.KILL, "relay-1")]
    assert len(aimed) > 0.4 * len(faults)


def test_a_fault_tells_what_a_reader_needs() -> None:
    fault = Fault(3.25, Kind.CLOCK, "his", 2.0, "-600")
    assert str(fault) == "  3.25 s  clock his -600, 2.0 s"


def test_the_same_seed_closes_the_same_visits_with_corrections_soon_and_late() -> None:
    again = [list(acts(*ORDER)) for _ in range(2)]
    assert again[0] == again[1]
    revisions: dict[str, list[int]] = {}
    for act in again[0]:
        revisions.setdefault(act.ma_lk, []).append(act.number)
    gaps = [after - before for numbers in revisions.values() for before, after in pairwise(numbers)]
    assert 1 in gaps, "corrected while the first is in flight"
    assert max(gaps) > 5, "corrected later"
    assert {act.expected for act in again[0]} == {"displayed", "rejected"}
    assert {act.revision is None for act in again[0]} == {True, False}, "numbered by the HIS, and by the SDK"


def test_every_revision_of_a_visit_has_bytes_of_its_own_and_a_rising_number() -> None:
    by_visit: dict[str, list[int | None]] = {}
    contents: set[tuple[tuple[str, bytes], ...]] = set()
    done = list(acts(9, 80, "48999", DAY))
    for act in done:
        by_visit.setdefault(act.ma_lk, []).append(act.revision)
        contents.add(tuple(act.source.items()))
    assert len(contents) == len(done)
    for numbers in by_visit.values():
        given = [number for number in numbers if number is not None]
        assert given == sorted(set(given))
