"""Whole systems, each under a home of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def own_home() -> Iterator[Path]:
    """A home for one system. Not under pytest's folders: PostgreSQL's user must be able to enter it."""
    with tempfile.TemporaryDirectory(prefix="healthbook-e2e-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
