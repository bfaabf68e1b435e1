"""The `posix` module of a hosted program: functions of descriptors and processes.  The program's `os` module
is based on it.

Names, arguments and results are those of Modules/posixmodule.c.  paths.py has the functions that take
paths.
"""

from __future__ import annotations

import posix as real
from types import ModuleType
from typing import Any, Final, NoReturn

from simkernel.application.descriptors import IOV_MAX
from simkernel.engine import NotModelled
from simkernel.hosted.calls import ProcessCalls, module
from simkernel.hosted.paths import DirEntry, path_functions
from simkernel.uapi.errno import ENOTTY, os_error
from simkernel.uapi.fcntl import (
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_SETFD,
    F_SETFL,
    FD_CLOEXEC,
    O_CLOEXEC,
    O_NONBLOCK,
)

FROM_PYTHON: Final = (
    "WCOREDUMP", "WEXITSTATUS", "WIFCONTINUED", "WIFEXITED", "WIFSIGNALED", "WIFSTOPPED", "WSTOPSIG",
    "WTERMSIG", "_path_isdevdrive", "_path_normpath", "_path_splitroot_ex", "device_encoding", "error",
    "fspath", "major", "makedev", "minor", "sched_param", "stat_result", "statvfs_result", "strerror",
    "terminal_size", "times_result", "uname_result", "waitid_result", "waitstatus_to_exitcode",
)  # fmt: skip
"""Functions and types that make no system call.  The module takes them from Python's `posix` module."""

ABSENT: Final = ("confstr", "sendfile", "getxattr", "listxattr", "removexattr", "setxattr")
"""Functions that the module lacks, as `posix` does on some platforms.  The standard library works without
them.
"""

ENVIRONMENT: Final = {
    b"HOME": b"/", b"LANG": b"C.UTF-8", b"PATH": b"/usr/sbin:/usr/bin:/sbin:/bin", b"TMPDIR": b"/tmp",
}  # fmt: skip
"""Environment variables in os.environ of a hosted program.  No variable comes from the host."""


AS_IN_APP: Final = (
    "close", "dup2", "eventfd", "eventfd_read", "eventfd_write", "fsync", "getgid", "getgroups", "getpid",
    "getppid", "getuid", "kill", "lseek", "memfd_create", "pipe2", "pread", "pwrite", "read", "readv",
    "sched_yield", "setgid", "setgroups", "setns", "setuid", "unshare", "wait", "waitpid", "write", "writev",
)  # fmt: skip
"""Functions of `posix` that call the method of `App` with the same name.  If Python's own `posix` lacks one
of them, as in older versions, the hosted program lacks it too.
"""


class PosixFunctions:
    """Functions of `posix` that make no system call, or whose arguments or results differ from those of the
    methods of `App`. (`App` has the system calls that a program can make.)
    """

    def __init__(self, call: ProcessCalls) -> None:
        self._call = call
        self.fork_hooks: list[dict[str, Any]] = []

    # -- descriptors ----------------------------------------------------------------

    def closerange(self, fd_low: int, fd_high: int, /) -> None:
        """Close a range of descriptors with close_range(2), which ignores those that are not open."""
        if fd_low < fd_high:
            self._call("close_range", fd_low, fd_high - 1)

    def dup(self, fd: int, /) -> int:
        """Duplicate a descriptor with close-on-exec (F_DUPFD_CLOEXEC)."""
        duplicate: int = self._call("fcntl", fd, F_DUPFD_CLOEXEC, 0)
        return duplicate

    def pipe(self) -> tuple[int, int]:
        """Create a pipe with close-on-exec descriptors."""
        ends: tuple[int, int] = self._call("pipe2", O_CLOEXEC)
        return ends

    def get_blocking(self, fd: int, /) -> bool:
        """Return False if O_NONBLOCK is set."""
        return not self._call("fcntl", fd, F_GETFL) & O_NONBLOCK

    def set_blocking(self, fd: int, blocking: bool, /) -> None:
        """Clear O_NONBLOCK if `blocking` is true, else set it."""
        flags = self._call("fcntl", fd, F_GETFL)
        self._call("fcntl", fd, F_SETFL, flags & ~O_NONBLOCK if blocking else flags | O_NONBLOCK)

    def get_inheritable(self, fd: int, /) -> bool:
        """Return False if close-on-exec is set."""
        return not self._call("fcntl", fd, F_GETFD) & FD_CLOEXEC

    def set_inheritable(self, fd: int, inheritable: bool, /) -> None:
        """Clear close-on-exec if `inheritable` is true, else set it."""
        self._call("fcntl", fd, F_SETFD, 0 if inheritable else FD_CLOEXEC)

    def isatty(self, fd: int, /) -> bool:
        """Return False, because the machine has no terminals."""
        return False

    def get_terminal_size(self, fd: int = 1, /) -> NoReturn:
        """Raise ENOTTY, because the machine has no terminals."""
        raise os_error(ENOTTY)

    # -- processes, and the machine --------------------------------------------------

    def putenv(self, name: Any, value: Any = None, /) -> None:
        """Do nothing: os.environ holds the variable, and no execve(2) could pass it to another program."""

    unsetenv = putenv

    def register_at_fork(self, **functions: Any) -> None:
        """Register functions that `fork` calls: before the fork, and after it in the parent or the child."""
        self.fork_hooks.append(functions)

    def _exit(self, status: int) -> None:
        """End the process without running atexit functions."""
        self._call.run(self._call.process.app.exit(status))

    def urandom(self, size: int, flags: int = 0) -> bytes:
        """Return random bytes from the program's random stream, which depends on the machine's seed."""
        return self._call.process.random.randbytes(size)

    getrandom = urandom

    def uname(self) -> real.uname_result:
        """Return the machine's name and kernel version."""
        return real.uname_result(self._call("uname"))

    def sysconf(self, name: Any, /) -> int:
        """Return the value of SC_IOV_MAX, which asyncio uses.  Raise NotModelled for any other name."""
        if name != "SC_IOV_MAX":
            raise NotModelled(f"os.sysconf({name!r}) is not modelled: only SC_IOV_MAX is")
        return IOV_MAX

    def cpu_count(self) -> int:
        """Return 1, so that a program behaves the same on every host."""
        return 1

    def sched_getaffinity(self, pid: int, /) -> set[int]:
        """Return a set with the number of the only CPU."""
        return {0}


def posix_module(call: ProcessCalls) -> ModuleType:
    """Return the `posix` module of one process."""
    functions = call.functions(name for name in AS_IN_APP if hasattr(real, name))
    more = {**functions, **path_functions(call), "environ": dict(ENVIRONMENT), "DirEntry": DirEntry}
    posix = PosixFunctions(call)
    aliases = {
        "geteuid": functions["getuid"],
        "getegid": functions["getgid"],
        "_exit": posix._exit,
        "fdatasync": functions["fsync"],
    }
    made = module(real, posix, FROM_PYTHON, **more, **aliases)
    for name in ABSENT:
        vars(made).pop(name, None)
    return made
