"""Programs: processes that make the calls of `calls.py` one at a time, as a case requests.

    programs = world.programs()
    a = programs.start()
    fd = a.open("f", os.O_CREAT | os.O_RDWR, 0o644)    # 3 in both worlds
    read, write = a.pipe()
    pending = a.begin("read", read, 10)                # blocks
    b = a.fork()
    b.write(write, b"hello")
    log("read", pending.result())

A result is plain data, an error is an OSError. A pid is replaced by the name of its program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from tests.conformance.programs.calls import CALLS, Pid

MNT: Final = "/mnt"
FOLDER: Final = f"{MNT}/case"
"""Initial working directory of programs: an empty directory of a tmpfs with mode 0777."""
PROC: Final = f"{MNT}/proc"
DEVICES: Final = {"null": 3, "zero": 5}
"""Names and minor numbers of the device nodes in the programs' tmpfs. A program needs them if the tmpfs is
its root.
"""
COMM: Final = "program"
LIMITS: Final = 1024, 4096
"""Soft and hard RLIMIT_NOFILE of a program."""
SIG_DFL, SIG_IGN, RECORD = 0, 1, "record"
"""Dispositions of a signal. With RECORD, the program records the signal for `caught()`."""


class BlockedForever(Exception):
    """Raised if the case waits for a call that does not end, or if a process on the host neither replies nor
    blocks in time.
    """


class Pending(Protocol):
    """A call that a program has started."""

    def done(self) -> bool:
        """Return True if the call or its program has ended."""

    def result(self) -> Any:
        """Wait for the end of the call. Return its result or raise its error.

        Raise an error if the call blocks forever, and ProcessLookupError if the program ended during the
        call.
        """


class Program:
    """A process with a method for each call in `calls.CALLS`."""

    name: str
    pid: int

    def begin(self, call: str, *arguments: Any) -> Pending:
        """Start a call that can block. Return when it has ended or blocks."""
        raise NotImplementedError

    def fork(self) -> Program:
        """Fork a child process, which inherits the descriptors."""
        raise NotImplementedError

    def end(self, status: int = 0) -> None:
        """End the process, like os._exit."""
        raise NotImplementedError

    def alive(self) -> bool:
        """Return True if the process has not ended."""
        raise NotImplementedError

    def signal(self, number: int, handler: int | str) -> int | str:
        """Set the disposition of a signal to SIG_DFL, SIG_IGN or RECORD. Return the previous one."""
        return self.begin("signal", number, handler).result()

    def caught(self) -> list[int]:
        """Return the signals that were recorded since the previous call of `caught()`, oldest first."""
        raise NotImplementedError

    def __getattr__(self, call: str) -> Callable[..., Any]:
        if call not in CALLS:
            raise AttributeError(call)
        return lambda *arguments: self.begin(call, *arguments).result()


class Programs(Protocol):
    """The programs of a case. They share a directory that no other process uses."""

    def start(self, uid: int = 0, gid: int = 0, groups: Sequence[int] = (), root: str = "/") -> Program:
        """Start a process for a user. Return a `Program`, through which the case controls the process. `root`
        is the root directory of the process: "/", or MNT for the programs' tmpfs.

        Root has every capability except CAP_SYS_RESOURCE, which some hosts do not grant. Other users have
        none.
        """

    def settle(self) -> None:
        """Wait until each program is idle or blocked in its call."""


def named(value: Any, names: dict[int, str]) -> Any:
    """Return a result in which the pids of programs are replaced with their names."""
    if isinstance(value, Pid):
        return names.get(value, f"pid {int(value)}" if value <= 0 else "another")
    if isinstance(value, list | tuple):
        return type(value)(named(each, names) for each in value)
    return value
