"""The rule of revisions: rising, the same bytes are the same revision, the HIS's own numbers are never changed."""

from hypothesis import given
from hypothesis import strategies as st

from events.his.revision import Handed, decide

NOW = 1_800_000_000
DIGESTS = st.sampled_from([bytes([letter]) * 32 for letter in b"abc"])
MOMENTS = st.integers(NOW - 5, NOW + 5)


def test_the_first_revision_is_the_time_so_that_it_rises_even_when_the_spool_is_lost() -> None:
    assert decide([], b"a", None, NOW) == (NOW, False)


def test_a_correction_within_the_same_second_is_one_more() -> None:
    assert decide([Handed(NOW, b"a")], b"b", None, NOW) == (NOW + 1, False)


def test_a_correction_rises_when_the_clock_was_set_back() -> None:
    assert decide([Handed(NOW, b"a")], b"b", None, NOW - 3600) == (NOW + 1, False)


def test_the_same_bytes_again_are_the_same_revision() -> None:
    assert decide([Handed(7, b"a")], b"a", None, NOW) == (7, True)


def test_an_old_export_that_comes_again_does_not_overtake_the_correction() -> None:
    assert decide([Handed(7, b"a"), Handed(8, b"b")], b"a", None, NOW) == (7, True)


def test_a_given_number_is_kept_even_when_it_is_older() -> None:
    assert decide([Handed(NOW, b"a")], b"b", 5, NOW) == (5, False)


def test_a_given_number_with_other_bytes_is_passed_on_for_validate_to_reject() -> None:
    assert decide([Handed(5, b"a")], b"b", 5, NOW) == (5, False)


def test_a_given_number_with_the_same_bytes_is_a_repeat() -> None:
    assert decide([Handed(5, b"a")], b"a", 5, NOW) == (5, True)


def test_known_bytes_under_a_new_given_number_are_a_new_revision() -> None:
    assert decide([Handed(5, b"a")], b"a", 6, NOW) == (6, False)


@given(st.lists(st.tuples(DIGESTS, st.none() | st.integers(1, 3) | st.just(NOW), MOMENTS), max_size=30))
def test_whatever_is_handed_over_new_revisions_rise_and_repeats_are_recognised(
    calls: list[tuple[bytes, int | None, int]],
) -> None:
    handed: list[Handed] = []
    for digest, number, now in calls:
        revision, repeated = decide(handed, digest, number, now)
        assert repeated == (Handed(revision, digest) in handed)
        if number is not None:
            assert revision == number
        elif repeated:
            assert revision == max(item.revision for item in handed if item.digest == digest)
        else:
            assert digest not in {item.digest for item in handed}
            assert all(revision > item.revision for item in handed)
            assert revision >= now
        if not repeated:
            handed.append(Handed(revision, digest))
