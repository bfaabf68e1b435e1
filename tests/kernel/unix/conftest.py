"""Fixtures of the tests of unix sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simkernel import Machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False, unmodelled="raise") as machine:
        yield machine
