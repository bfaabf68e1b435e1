"""What the tests of netlink share."""

from __future__ import annotations

import pytest

from tests.kernel.netlink.stack import Stack


@pytest.fixture
def stack() -> Stack:
    """A kernel's netlink."""
    return Stack()
