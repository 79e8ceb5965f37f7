"""How much disk a hand-over may use."""

import pytest

from events.his.disk import DiskRoom


@pytest.mark.parametrize(
    ("free", "reusable", "size", "fits"),
    [
        (200, 0, 100, True),  # once in the log, once in the database
        (199, 0, 100, False),
        (100, 100, 100, True),  # the database has room of its own
        (99, 1000, 100, False),  # the log has not
        (-1, 1000, 1, False),
    ],
)
def test_a_dossier_needs_room_in_the_log_and_in_the_database(free: int, reusable: int, size: int, fits: bool) -> None:
    assert DiskRoom(free, reusable).take(size) is fits


def test_what_is_taken_is_gone() -> None:
    room = DiskRoom(300, 100)
    assert room.take(100)  # 100 in the log, 100 in reusable pages
    assert room == DiskRoom(200, 0)
    assert room.take(100)
    assert room == DiskRoom(0, 0)
    assert not room.take(1)
