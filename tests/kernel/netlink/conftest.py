"""Fixtures of the tests of netlink."""

from __future__ import annotations

import pytest

from tests.kernel.netlink.stack import Stack


@pytest.fixture
def stack() -> Stack:
    """Return the netlink part of a kernel."""
    return Stack()
