"""Functions that give up user id 0 and capabilities, permanently or temporarily (capabilities(7)). Linux
only.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any, Final

NOBODY: Final = 65534

PR_SET_KEEPCAPS: Final = 8
CAPABILITY_VERSION_3: Final = 0x20080522
WORDS: Final = 2

_libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None


def libc_call(name: str, *arguments: Any) -> None:
    """Call a function of the C library that returns -1 and sets errno on errors. Raise OSError for an
    error.
    """
    if getattr(_libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become_nobody() -> None:
    """Give up root and every capability for good."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def pretend_nobody() -> None:
    """Become an unprivileged user until `return_to_root` is called. The capabilities stay permitted, but none
    of them is effective.
    """
    libc_call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _capabilities() -> tuple[Any, Any]:
    """Return the two arguments of capset(2): the header, and an array with the effective, permitted and
    inheritable sets.
    """
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION_3, 0))
    data = (ctypes.c_uint32 * (3 * WORDS))()
    libc_call("capget", header, data)
    return header, data


def drop_capability(number: int) -> None:
    """Give up one capability for good."""
    header, data = _capabilities()
    for kind in range(3):
        data[number // 32 * 3 + kind] &= ~(1 << number % 32)
    libc_call("capset", header, data)


def return_to_root() -> None:
    """Make every permitted capability effective and become user and group 0 again."""
    header, data = _capabilities()
    for effective in range(0, len(data), 3):
        data[effective] = data[effective + 1]
    libc_call("capset", header, data)
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)
