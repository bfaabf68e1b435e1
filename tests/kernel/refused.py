"""A helper for tests: it checks that a call fails, and returns the name of the errno."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest


def refused(call: Callable[[], object]) -> str:
    """Call a function that must raise OSError. Return the name of the errno, such as EINVAL."""
    with pytest.raises(OSError) as error:
        call()
    return errno.errorcode[error.value.errno]
