"""`posix` of a hosted program, which its `os` is made of: descriptors, and what a process asks of itself.

Names, arguments and results are those of Modules/posixmodule.c.  Paths are in paths.py.
"""

from __future__ import annotations

import posix as real
from collections.abc import Iterable
from operator import index
from types import ModuleType
from typing import Any, Final

from simkernel.application.received import scatter
from simkernel.hosted.calls import SystemCalls, descriptor, module, public
from simkernel.hosted.paths import DirEntry, Paths
from simkernel.uapi.eventfd import EFD_CLOEXEC
from simkernel.uapi.fcntl import F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, O_CLOEXEC, O_NONBLOCK
from simkernel.uapi.structure import U64

AS_THEY_ARE: Final = (
    "WCOREDUMP", "WEXITSTATUS", "WIFCONTINUED", "WIFEXITED", "WIFSIGNALED", "WIFSTOPPED", "WSTOPSIG",
    "WTERMSIG", "_path_isdevdrive", "_path_normpath", "_path_splitroot_ex", "device_encoding", "error",
    "fspath", "get_terminal_size", "major", "makedev", "minor", "putenv", "register_at_fork", "sched_param",
    "stat_result", "statvfs_result", "strerror", "terminal_size", "times_result", "uname_result", "unsetenv",
    "waitid_result", "waitstatus_to_exitcode",
)  # fmt: skip
"""Functions and types that ask nothing of a kernel, or of the terminal that the output goes to."""

ABSENT: Final = ("sendfile", "getxattr", "listxattr", "removexattr", "setxattr")
"""Functions that not every platform has: shutil looks whether there are any, and does without."""

ENVIRONMENT: Final = {
    b"HOME": b"/", b"LANG": b"C.UTF-8", b"PATH": b"/usr/sbin:/usr/bin:/sbin:/bin", b"TMPDIR": b"/tmp",
}  # fmt: skip
"""What a hosted program finds in os.environ: nothing of the host's."""


class Descriptors:
    """Calls on descriptors."""

    def __init__(self, call: SystemCalls) -> None:
        self._call = call

    def close(self, fd: int) -> None:
        """close(2)."""
        self._call("close", fd)

    def closerange(self, fd_low: int, fd_high: int, /) -> None:
        """close_range(2), passing over what is not open."""
        if fd_low < fd_high:
            self._call("close_range", fd_low, fd_high - 1)

    def read(self, fd: int, length: int, /) -> bytes:
        """read(2)."""
        if length < 0:
            raise OSError(22, "Invalid argument")
        data: bytes = self._call("read", index(fd), length)
        return data

    def write(self, fd: int, data: Any, /) -> int:
        """write(2)."""
        written: int = self._call("write", index(fd), bytes(memoryview(data)))
        return written

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        """pread(2)."""
        data: bytes = self._call("pread64", fd, length, offset)
        return data

    def pwrite(self, fd: int, buffer: Any, offset: int, /) -> int:
        """pwrite(2)."""
        written: int = self._call("pwrite64", fd, bytes(memoryview(buffer)), offset)
        return written

    def readv(self, fd: int, buffers: Iterable[Any], /) -> int:
        """readv(2)."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        data: bytes = self._call("readv", fd, [len(view) for view in views])
        scatter(data, views)
        return len(data)

    def writev(self, fd: int, buffers: Iterable[Any], /) -> int:
        """writev(2)."""
        written: int = self._call("writev", fd, b"".join(bytes(memoryview(each)) for each in buffers))
        return written

    def lseek(self, fd: int, position: int, whence: int, /) -> int:
        """lseek(2)."""
        moved: int = self._call("lseek", fd, position, whence)
        return moved

    def dup(self, fd: int, /) -> int:
        """dup(2), close-on-exec."""
        twin: int = self._call("dup", fd)
        self.set_inheritable(twin, False)
        return twin

    def dup2(self, fd: int, fd2: int, inheritable: bool = True) -> int:
        """dup2(2)."""
        if inheritable or fd == fd2:
            self._call("dup2", fd, fd2)
        else:
            self._call("dup3", fd, fd2, O_CLOEXEC)
        return fd2

    def pipe(self) -> tuple[int, int]:
        """pipe2(2), close-on-exec."""
        return self.pipe2(O_CLOEXEC)

    def pipe2(self, flags: int, /) -> tuple[int, int]:
        """pipe2(2)."""
        ends: tuple[int, int] = self._call("pipe2", flags)
        return ends

    def eventfd(self, initval: int, flags: int = EFD_CLOEXEC) -> int:
        """eventfd(2)."""
        fd: int = self._call("eventfd2", initval, flags)
        return fd

    def eventfd_read(self, fd: int) -> int:
        """The counter, taken."""
        return int(U64.unpack(self.read(fd, U64.size))[0])

    def eventfd_write(self, fd: int, value: int) -> None:
        """Add to the counter."""
        self.write(fd, U64.pack(value))

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
        """No: the machine has no terminals."""
        return False

    def fsync(self, fd: Any) -> None:
        """fsync(2)."""
        self._call("fsync", descriptor(fd))

    fdatasync = fsync

    def memfd_create(self, name: Any, flags: int = 1) -> int:
        """memfd_create(2)."""
        fd: int = self._call("memfd_create", real.fspath(name), flags)
        return fd


class Itself:
    """What a process asks about itself and others."""

    def __init__(self, call: SystemCalls) -> None:
        self._call = call

    def getpid(self) -> int:
        """getpid(2)."""
        return int(self._call("getpid"))

    def getppid(self) -> int:
        """getppid(2)."""
        return int(self._call("getppid"))

    def getuid(self) -> int:
        """getuid(2)."""
        return int(self._call("getuid"))

    def getgid(self) -> int:
        """getgid(2)."""
        return int(self._call("getgid"))

    geteuid, getegid = getuid, getgid

    def getgroups(self) -> list[int]:
        """getgroups(2)."""
        groups: list[int] = self._call("getgroups")
        return groups

    def setuid(self, uid: int, /) -> None:
        """setuid(2)."""
        self._call("setuid", uid)

    def setgid(self, gid: int, /) -> None:
        """setgid(2)."""
        self._call("setgid", gid)

    def kill(self, pid: int, signal: int, /) -> None:
        """kill(2)."""
        self._call("kill", pid, int(signal))

    def sched_yield(self) -> None:
        """sched_yield(2)."""
        self._call("sched_yield")

    def waitpid(self, pid: int, options: int, /) -> tuple[int, int]:
        """waitpid(2)."""
        ended: tuple[int, int] = self._call("wait4", pid, options)
        return ended

    def urandom(self, size: int, /) -> bytes:
        """Bytes from the machine's seed."""
        return self._call.process.random.randbytes(size)

    def getrandom(self, size: int, flags: int = 0) -> bytes:
        """The same."""
        return self.urandom(size)

    def uname(self) -> real.uname_result:
        """uname(2)."""
        return real.uname_result(self._call("uname"))

    def cpu_count(self) -> int:
        """One, whatever the host has: a program's behaviour shall not depend on it."""
        return 1

    def sched_getaffinity(self, pid: int, /) -> set[int]:
        """That one."""
        return {0}


def posix_module(call: SystemCalls) -> ModuleType:
    """`posix` for one process."""
    more = {**public(Itself(call)), **public(Paths(call)), "environ": dict(ENVIRONMENT), "DirEntry": DirEntry}
    made = module(real, Descriptors(call), AS_THEY_ARE, **more)
    for name in ABSENT:
        vars(made).pop(name, None)
    return made
