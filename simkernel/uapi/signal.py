"""Signals: their numbers and default actions.

Sources: arch/x86/include/uapi/asm/signal.h, include/uapi/asm-generic/signal-defs.h, and for the default
actions the masks SIG_KERNEL_..._MASK of include/linux/signal.h.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

# Reasons for SIGIO: si_code (include/uapi/asm-generic/siginfo.h).
POLL_IN: Final = 1
POLL_OUT: Final = 2
POLL_MSG: Final = 3
POLL_ERR: Final = 4
POLL_PRI: Final = 5
POLL_HUP: Final = 6

SIGHUP: Final = 1
SIGINT: Final = 2
SIGQUIT: Final = 3
SIGILL: Final = 4
SIGTRAP: Final = 5
SIGABRT: Final = 6
SIGIOT: Final = SIGABRT
SIGBUS: Final = 7
SIGFPE: Final = 8
SIGKILL: Final = 9
SIGUSR1: Final = 10
SIGSEGV: Final = 11
SIGUSR2: Final = 12
SIGPIPE: Final = 13
SIGALRM: Final = 14
SIGTERM: Final = 15
SIGSTKFLT: Final = 16
SIGCHLD: Final = 17
SIGCONT: Final = 18
SIGSTOP: Final = 19
SIGTSTP: Final = 20
SIGTTIN: Final = 21
SIGTTOU: Final = 22
SIGURG: Final = 23
SIGXCPU: Final = 24
SIGXFSZ: Final = 25
SIGVTALRM: Final = 26
SIGPROF: Final = 27
SIGWINCH: Final = 28
SIGIO: Final = 29
SIGPOLL: Final = SIGIO
SIGPWR: Final = 30
SIGSYS: Final = 31
# Real-time signals in the kernel's numbering.  A C library reserves the first few.
SIGRTMIN: Final = 32
SIGRTMAX: Final = 64

# Special values for the handler of a signal, instead of a function.
SIG_DFL: Final = 0
SIG_IGN: Final = 1

# Operations of sigprocmask().
SIG_BLOCK: Final = 0
SIG_UNBLOCK: Final = 1
SIG_SETMASK: Final = 2

SA_RESTART: Final = 0x10000000


class Disposition(Enum):
    """The default action of a signal, in the words of signal(7)."""

    TERMINATE = "Term"
    CORE = "Core"
    IGNORE = "Ign"
    STOP = "Stop"
    CONTINUE = "Cont"


_CORE: Final = (SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS)
# The default action of a signal without an entry is to terminate the process.
_DISPOSITIONS: Final = {
    **dict.fromkeys(_CORE, Disposition.CORE),
    **dict.fromkeys((SIGCHLD, SIGURG, SIGWINCH), Disposition.IGNORE),
    SIGCONT: Disposition.CONTINUE,
    **dict.fromkeys((SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU), Disposition.STOP),
}

# Signals that a process cannot catch, block or ignore.
UNCATCHABLE: Final = frozenset({SIGKILL, SIGSTOP})

_ALIASES: Final = frozenset({"SIGIOT", "SIGPOLL", "SIGRTMIN", "SIGRTMAX"})
_NAMES: Final[dict[int, str]] = {
    number: name
    for name, number in list(globals().items())
    if name.startswith("SIG") and isinstance(number, int) and "_" not in name and name not in _ALIASES
}


def valid_signal(number: int) -> bool:
    """Return True if `number` is a signal.  0 is not a signal: kill(2) uses it to check that a process
    exists.
    """
    return 1 <= number <= SIGRTMAX


def default_disposition(number: int) -> Disposition:
    """Return the default action of the signal `number`."""
    return _DISPOSITIONS.get(number, Disposition.TERMINATE)


def signal_name(number: int) -> str:
    """Return the name of a signal, such as "SIGTERM".

    Real-time signals are "SIGRT_0" and so on, as in strace(1).
    """
    if SIGRTMIN <= number <= SIGRTMAX:
        return f"SIGRT_{number - SIGRTMIN}"
    return _NAMES.get(number, f"signal {number}")
