"""Waiting for children: options, and what a wait status says.

Sources: include/uapi/linux/wait.h; wait(2) and glibc's bits/waitstatus.h for the status word, whose
low 7 bits are the signal that ended the child (0: it exited, 0x7f: it is stopped), bit 7 says that it
dumped core, and bits 8-15 are its exit code or the signal that stopped it.
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
    """The status of a child that exited with `code` or was ended by `signal`; the other is 0."""
    return code << 8 | signal


def W_STOPCODE(signal: int) -> int:
    """The status of a child that `signal` stopped."""
    return signal << 8 | _STOPPED


def WIFEXITED(status: int) -> bool:
    """Whether the child exited of itself."""
    return WTERMSIG(status) == 0


def WEXITSTATUS(status: int) -> int:
    """With what it exited."""
    return status >> 8 & 0xFF


def WIFSIGNALED(status: int) -> bool:
    """Whether a signal ended the child."""
    return WTERMSIG(status) not in (0, _STOPPED)


def WTERMSIG(status: int) -> int:
    """Which signal ended it."""
    return status & 0x7F


def WCOREDUMP(status: int) -> bool:
    """Whether it dumped core."""
    return bool(status & _DUMPED_CORE)


def WIFSTOPPED(status: int) -> bool:
    """Whether a signal stopped the child."""
    return status & 0xFF == _STOPPED


def WSTOPSIG(status: int) -> int:
    """Which signal stopped it."""
    return WEXITSTATUS(status)


def WIFCONTINUED(status: int) -> bool:
    """Whether the child, stopped before, was continued."""
    return status == _CONTINUED
