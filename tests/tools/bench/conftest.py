"""A fixture that limits each measurement of the benchmark to very little work, so that the tests are fast."""

from __future__ import annotations

import pytest

from simkernel.tools.bench import Effort

TINY = Effort(
    slice=0.0, seconds=0.0, rounds=2, sockets=(1, 3), processes=(1, 2), idle=4, waiting=4, machines=1
)


@pytest.fixture
def tiny() -> Effort:
    """Return an `Effort` of two rounds, in which each run has the minimum length."""
    return TINY
