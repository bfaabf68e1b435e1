"""The error of a call that must fail."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest


def refused(call: Callable[[], object]) -> str:
    """Return the name of the error, such as EINVAL."""
    with pytest.raises(OSError) as error:
        call()
    return errno.errorcode[error.value.errno]
