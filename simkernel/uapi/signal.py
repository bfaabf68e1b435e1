"""Signals: numbers and what happens by default.

Sources: arch/x86/include/uapi/asm/signal.h, include/uapi/asm-generic/signal-defs.h, and the
masks SIG_KERNEL_..._MASK of include/linux/signal.h for what happens.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

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
# The real-time signals, as the kernel counts them; a C library keeps the first few for itself.
SIGRTMIN: Final = 32
SIGRTMAX: Final = 64

# The handlers that are no functions.
SIG_DFL: Final = 0
SIG_IGN: Final = 1

# What sigprocmask() does with the mask.
SIG_BLOCK: Final = 0
SIG_UNBLOCK: Final = 1
SIG_SETMASK: Final = 2

SA_RESTART: Final = 0x10000000


class Disposition(Enum):
    """What a signal does to a process that has set no handler for it, in the words of signal(7)."""

    TERMINATE = "Term"
    CORE = "Core"
    IGNORE = "Ign"
    STOP = "Stop"
    CONTINUE = "Cont"


_CORE: Final = (SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS)
# All others terminate.
_DISPOSITIONS: Final = {
    **dict.fromkeys(_CORE, Disposition.CORE),
    **dict.fromkeys((SIGCHLD, SIGURG, SIGWINCH), Disposition.IGNORE),
    SIGCONT: Disposition.CONTINUE,
    **dict.fromkeys((SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU), Disposition.STOP),
}

# Those that can be neither caught, nor blocked, nor ignored.
UNCATCHABLE: Final = frozenset({SIGKILL, SIGSTOP})

_ALIASES: Final = frozenset({"SIGIOT", "SIGPOLL", "SIGRTMIN", "SIGRTMAX"})
_NAMES: Final[dict[int, str]] = {
    number: name
    for name, number in list(globals().items())
    if name.startswith("SIG") and isinstance(number, int) and "_" not in name and name not in _ALIASES
}


def valid_signal(number: int) -> bool:
    """Whether there is such a signal (0, which only asks whether a process is there, is none)."""
    return 1 <= number <= SIGRTMAX


def default_disposition(number: int) -> Disposition:
    """What signal `number` does to a process that has set no handler for it."""
    return _DISPOSITIONS.get(number, Disposition.TERMINATE)


def signal_name(number: int) -> str:
    """The name of a signal, such as "SIGTERM"; real-time ones are "SIGRT_0" and so on, as in strace(1)."""
    if SIGRTMIN <= number <= SIGRTMAX:
        return f"SIGRT_{number - SIGRTMIN}"
    return _NAMES.get(number, f"signal {number}")
