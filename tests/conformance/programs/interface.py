"""Programs: processes that make the calls of `calls.py`, one at a time, as a case tells them.

    programs = world.programs()
    a = programs.start()
    fd = a.open("f", os.O_CREAT | os.O_RDWR, 0o644)    # 3 in both worlds
    read, write = a.pipe()
    pending = a.begin("read", read, 10)                # blocks
    b = a.fork()
    b.write(write, b"hello")
    log("read", pending.result())

A result is plain data, an error is an OSError.  A process's number reads as the name of its program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from tests.conformance.programs.calls import CALLS, Pid

MNT: Final = "/mnt"
FOLDER: Final = f"{MNT}/case"
"""The first working folder of programs: an empty folder of a tmpfs with mode 0777."""
PROC: Final = f"{MNT}/proc"
DEVICES: Final = {"null": 3, "zero": 5}
"""Device nodes of the tmpfs, by name and minor number.  The tmpfs can thus be the root of programs."""
COMM: Final = "program"
LIMITS: Final = 1024, 4096
"""RLIMIT_NOFILE of a program."""
SIG_DFL, SIG_IGN, RECORD = 0, 1, "record"
"""The dispositions of a signal.  `caught()` returns the signals that a program recorded."""


class Blocks(Exception):
    """A call that a case makes with a plain method sleeps, and nothing will wake it."""


class Pending(Protocol):
    """A call that has been begun."""

    def done(self) -> bool:
        """Return True if the call has ended, or its program has."""

    def result(self) -> Any:
        """Return the result or raise the error, after waiting for it if need be.

        Blocks if the program sleeps, ProcessLookupError if it has ended in the call.
        """


class Program:
    """A process.  It has a method for each call of the table."""

    name: str
    pid: int

    def begin(self, call: str, *arguments: Any) -> Pending:
        """Make a call that may block, and return when it has ended or sleeps."""
        raise NotImplementedError

    def fork(self) -> Program:
        """Return a child with this program's descriptors."""
        raise NotImplementedError

    def end(self, status: int = 0) -> None:
        """End the process, as os._exit does."""
        raise NotImplementedError

    def alive(self) -> bool:
        """Return True if the process has not ended."""
        raise NotImplementedError

    def signal(self, number: int, handler: int | str) -> int | str:
        """Set what a signal does: SIG_DFL, SIG_IGN or RECORD.  Return what it did."""
        return self.begin("signal", number, handler).result()

    def caught(self) -> list[int]:
        """Return the signals that have been recorded since the last call, in order."""
        raise NotImplementedError

    def __getattr__(self, call: str) -> Callable[..., Any]:
        if call not in CALLS:
            raise AttributeError(call)
        return lambda *arguments: self.begin(call, *arguments).result()


class Programs(Protocol):
    """The programs of a case.  They share a folder, and no other process has it."""

    def start(self, uid: int = 0, gid: int = 0, groups: Sequence[int] = (), root: str = "/") -> Program:
        """Return a new process of a user; `root` is "/" or MNT.

        Root has every capability but CAP_SYS_RESOURCE, which not every host gives.  Others have none.
        """

    def settle(self) -> None:
        """Wait until each program has nothing to do, or sleeps in its call."""


def named(value: Any, names: dict[int, str]) -> Any:
    """Return a result with the names of processes instead of their numbers."""
    if isinstance(value, Pid):
        return names.get(value, f"pid {int(value)}" if value <= 0 else "another")
    if isinstance(value, list | tuple):
        return type(value)(named(each, names) for each in value)
    return value
