"""`posix` of a hosted program, which its `os` is made of: descriptors, and what a process asks of itself.

Names, arguments and results are those of Modules/posixmodule.c.  Paths are in paths.py.
"""

from __future__ import annotations

import posix as real
from types import ModuleType
from typing import Any, Final, NoReturn

from simkernel.application.descriptors import IOV_MAX
from simkernel.engine import NotModelled
from simkernel.hosted.calls import SystemCalls, module
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

AS_THEY_ARE: Final = (
    "WCOREDUMP", "WEXITSTATUS", "WIFCONTINUED", "WIFEXITED", "WIFSIGNALED", "WIFSTOPPED", "WSTOPSIG",
    "WTERMSIG", "_path_isdevdrive", "_path_normpath", "_path_splitroot_ex", "device_encoding", "error",
    "fspath", "major", "makedev", "minor", "sched_param", "stat_result", "statvfs_result", "strerror",
    "terminal_size", "times_result", "uname_result", "waitid_result", "waitstatus_to_exitcode",
)  # fmt: skip
"""Functions and types that make no system call."""

ABSENT: Final = ("confstr", "sendfile", "getxattr", "listxattr", "removexattr", "setxattr")
"""Functions that are absent, as on some platforms.  Python's own library works without them."""

ENVIRONMENT: Final = {
    b"HOME": b"/", b"LANG": b"C.UTF-8", b"PATH": b"/usr/sbin:/usr/bin:/sbin:/bin", b"TMPDIR": b"/tmp",
}  # fmt: skip
"""What a hosted program finds in os.environ: nothing of the host's."""


AS_IN_APP: Final = (
    "close", "dup2", "eventfd", "eventfd_read", "eventfd_write", "fsync", "getgid", "getgroups", "getpid",
    "getppid", "getuid", "kill", "lseek", "memfd_create", "pipe2", "pread", "pwrite", "read", "readv",
    "sched_yield", "setgid", "setgroups", "setns", "setuid", "unshare", "wait", "waitpid", "write", "writev",
)  # fmt: skip
"""Functions that are methods of `App`.  Older versions of Python lack some in `posix`."""


class Posix:
    """Functions that differ from those of `App`, or have no system call."""

    def __init__(self, call: SystemCalls) -> None:
        self._call = call
        self.fork_hooks: list[dict[str, Any]] = []

    # -- descriptors ----------------------------------------------------------------

    def closerange(self, fd_low: int, fd_high: int, /) -> None:
        """close_range(2), passing over what is not open."""
        if fd_low < fd_high:
            self._call("close_range", fd_low, fd_high - 1)

    def dup(self, fd: int, /) -> int:
        """Duplicate a descriptor by fcntl(2) with F_DUPFD_CLOEXEC."""
        duplicate: int = self._call("fcntl", fd, F_DUPFD_CLOEXEC, 0)
        return duplicate

    def pipe(self) -> tuple[int, int]:
        """pipe2(2), close-on-exec."""
        ends: tuple[int, int] = self._call("pipe2", O_CLOEXEC)
        return ends

    def get_blocking(self, fd: int, /) -> bool:
        """Whether O_NONBLOCK is not set."""
        return not self._call("fcntl", fd, F_GETFL) & O_NONBLOCK

    def set_blocking(self, fd: int, blocking: bool, /) -> None:
        """Clear or set O_NONBLOCK."""
        flags = self._call("fcntl", fd, F_GETFL)
        self._call("fcntl", fd, F_SETFL, flags & ~O_NONBLOCK if blocking else flags | O_NONBLOCK)

    def get_inheritable(self, fd: int, /) -> bool:
        """Whether close-on-exec is not set."""
        return not self._call("fcntl", fd, F_GETFD) & FD_CLOEXEC

    def set_inheritable(self, fd: int, inheritable: bool, /) -> None:
        """Clear or set close-on-exec."""
        self._call("fcntl", fd, F_SETFD, 0 if inheritable else FD_CLOEXEC)

    def isatty(self, fd: int, /) -> bool:
        """False: the machine has no terminals."""
        return False

    def get_terminal_size(self, fd: int = 1, /) -> NoReturn:
        """Raise ENOTTY: the machine has no terminals."""
        raise os_error(ENOTTY)

    # -- the process and the machine ------------------------------------------------

    def putenv(self, name: Any, value: Any = None, /) -> None:
        """Do nothing: os.environ holds the variable, and there is no execve(2) that could pass it on."""

    unsetenv = putenv

    def register_at_fork(self, **functions: Any) -> None:
        """Register functions that `fork` calls: before the fork, and after it in the parent or the child."""
        self.fork_hooks.append(functions)

    def _exit(self, status: int) -> None:
        """End the process.  Functions of atexit do not run."""
        self._call.run(self._call.process.app.exit(status))

    def urandom(self, size: int, flags: int = 0) -> bytes:
        """Bytes from the machine's seed."""
        return self._call.process.random.randbytes(size)

    getrandom = urandom

    def uname(self) -> real.uname_result:
        """uname(2)."""
        return real.uname_result(self._call("uname"))

    def sysconf(self, name: Any, /) -> int:
        """Return the value of SC_IOV_MAX, which asyncio uses.  NotModelled for any other name."""
        if name != "SC_IOV_MAX":
            raise NotModelled(f"os.sysconf({name!r}) is not modelled: only SC_IOV_MAX is")
        return IOV_MAX

    def cpu_count(self) -> int:
        """One, whatever the host has: a program's behaviour shall not depend on it."""
        return 1

    def sched_getaffinity(self, pid: int, /) -> set[int]:
        """The one CPU."""
        return {0}


def posix_module(call: SystemCalls) -> ModuleType:
    """`posix` for one process."""
    functions = call.functions(name for name in AS_IN_APP if hasattr(real, name))
    more = {**functions, **path_functions(call), "environ": dict(ENVIRONMENT), "DirEntry": DirEntry}
    posix = Posix(call)
    aliases = {
        "geteuid": functions["getuid"],
        "getegid": functions["getgid"],
        "_exit": posix._exit,
        "fdatasync": functions["fsync"],
    }
    made = module(real, posix, AS_THEY_ARE, **more, **aliases)
    for name in ABSENT:
        vars(made).pop(name, None)
    return made
