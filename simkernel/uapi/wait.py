"""Options of wait4(2), and macros for the wait status.

Sources: include/uapi/linux/wait.h; wait(2) and glibc's bits/waitstatus.h for the status.  The low 7 bits
of a status are the signal that ended the child; 0 means that it exited, 0x7f that it is stopped.  Bit 7
means a core dump.  Bits 8-15 are the exit code, or the signal that stopped the child.
"""

# ruff: noqa: N802 - C's names, which are also those of Python's os module

from __future__ import annotations

from typing import Final

WNOHANG: Final = 0x00000001
WUNTRACED: Final = 0x00000002
WCONTINUED: Final = 0x00000008

_STOPPED: Final = 0x7F
_DUMPED_CORE: Final = 0x80
_CONTINUED: Final = 0xFFFF


def W_EXITCODE(code: int, signal: int) -> int:
    """Return the wait status of a child. If the child exited, `code` is its exit code and `signal` is 0. If a
    signal ended the child, `code` is 0 and `signal` is the signal's number.
    """
    return code << 8 | signal


def W_STOPCODE(signal: int) -> int:
    """Return the wait status of a child that the signal `signal` has stopped."""
    return signal << 8 | _STOPPED


def WIFEXITED(status: int) -> bool:
    """Return True if the child exited."""
    return WTERMSIG(status) == 0


def WEXITSTATUS(status: int) -> int:
    """Return the exit code of a child that exited."""
    return status >> 8 & 0xFF


def WIFSIGNALED(status: int) -> bool:
    """Return True if a signal ended the child."""
    return WTERMSIG(status) not in (0, _STOPPED)


def WTERMSIG(status: int) -> int:
    """Return the signal that ended the child."""
    return status & 0x7F


def WCOREDUMP(status: int) -> bool:
    """Return True if the child dumped core."""
    return bool(status & _DUMPED_CORE)


def WIFSTOPPED(status: int) -> bool:
    """Return True if the child is stopped by a signal."""
    return status & 0xFF == _STOPPED


def WSTOPSIG(status: int) -> int:
    """Return the signal that stopped the child."""
    return WEXITSTATUS(status)


def WIFCONTINUED(status: int) -> bool:
    """Return True if a stopped child was continued."""
    return status == _CONTINUED
