"""Whole systems, each under a home of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import new_home


@pytest.fixture(scope="module")
def own_home() -> Iterator[Path]:
    """A home for the systems of one module."""
    with new_home() as home:
        yield home
