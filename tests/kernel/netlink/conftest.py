"""Fixtures of the tests of netlink."""

from __future__ import annotations

import pytest

from tests.kernel.netlink.stack import Stack


@pytest.fixture
def stack() -> Stack:
    """Return netlink without the rest of a kernel, for tests that need no machine."""
    return Stack()
