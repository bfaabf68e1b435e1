"""Fixtures of the tests of the file system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simkernel import Machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Return a machine without udevd."""
    with Machine(udev=False) as machine:
        yield machine
