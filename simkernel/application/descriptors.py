"""System calls on descriptors, with the names, arguments, results and errors of Python's os and fcntl.

Unlike in Python, spawned programs inherit new descriptors, as after fork(2).  O_CLOEXEC, or FD_CLOEXEC by
`fcntl`, prevents that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable, Sequence
from typing import Any, Final, SupportsIndex, TypeVar

from simkernel.application import arguments
from simkernel.application.arguments import SSIZE_MAX, Buffer, Descriptor, c_int, descriptor
from simkernel.application.caller import Caller
from simkernel.application.epoll import Epoll
from simkernel.application.received import scatter
from simkernel.engine import MILLISECOND, Call
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.eventfd import EFD_CLOEXEC
from simkernel.uapi.ioctl import _IOC_SIZE
from simkernel.uapi.structure import U64

D = TypeVar("D", bound=Descriptor)
R = TypeVar("R", bound=Descriptor)
W = TypeVar("W", bound=Descriptor)
X = TypeVar("X", bound=Descriptor)

IOCTL_BUFFER: Final = 1024
"""Maximum size in bytes of an fcntl() or ioctl() argument that CPython copies (Modules/fcntlmodule.c)."""
IOV_MAX: Final = 1024
FD_SETSIZE: Final = 1024
"""Upper limit of descriptors in select(): 0 to 1023 are allowed."""


class Descriptors(Caller):
    """The system calls on descriptors that a program can make, as in os, fcntl and select."""

    __slots__ = ()

    # -- reading and writing ------------------------------------------------------

    def read(self, fd: int, n: SupportsIndex, /) -> Call[bytes]:
        """Read up to `n` bytes; return b"" at the end of the file (read(2))."""
        return self.call("read", c_int(fd), _size(n))

    def write(self, fd: int, data: Buffer, /) -> Call[int]:
        """Write bytes and return how many were written (write(2))."""
        return self.call("write", c_int(fd), arguments.data(data))

    def pread(self, fd: int, n: SupportsIndex, offset: int, /) -> Call[bytes]:
        """Read up to `n` bytes at `offset` without moving the file position (pread(2))."""
        return self.call("pread64", c_int(fd), _size(n), offset)

    def pwrite(self, fd: int, data: Buffer, offset: int, /) -> Call[int]:
        """Write bytes at `offset` and return how many were written.  The file position does not change
        (pwrite(2)).
        """
        return self.call("pwrite64", c_int(fd), arguments.data(data), offset)

    def readv(self, fd: int, buffers: Sequence[object], /) -> Call[int]:
        """Read into consecutive buffers and return the number of bytes (readv(2))."""
        views = [arguments.writable(buffer, "readv") for buffer in buffers]

        def fill(data: bytes) -> int:
            scatter(data, views)
            return len(data)

        _check_count(views)
        return self.call("readv", c_int(fd), [len(view) for view in views], convert=fill)

    def writev(self, fd: int, buffers: Sequence[Buffer], /) -> Call[int]:
        """Write consecutive buffers and return the number of bytes (writev(2))."""
        _check_count(buffers)
        return self.call("writev", c_int(fd), b"".join(map(arguments.data, buffers)))

    def lseek(self, fd: int, position: int, whence: int, /) -> Call[int]:
        """Set the file position and return it (lseek(2))."""
        return self.call("lseek", c_int(fd), position, c_int(whence))

    # -- descriptors ----------------------------------------------------------------

    def close(self, fd: Descriptor) -> Call[None]:
        """Close a file descriptor, given as an int or as an object with fileno() (close(2))."""
        return self.call("close", descriptor(fd))

    def closerange(self, low: int, high: int, /) -> Call[None]:
        """Close the descriptors from `low` to `high` - 1 (close_range(2))."""
        return self.call("close_range", max(c_int(low), 0), c_int(high) - 1)

    def dup(self, fd: Descriptor) -> Call[int]:
        """Duplicate a descriptor and return the new one (dup(2))."""
        return self.call("dup", descriptor(fd))

    def dup2(self, fd: Descriptor, other: int, inheritable: bool = True) -> Call[int]:
        """Duplicate a descriptor to the number `other`, which is closed first if it is open (dup2(2))."""
        if inheritable:
            return self.call("dup2", descriptor(fd), c_int(other))
        return self.call("dup3", descriptor(fd), c_int(other), EFD_CLOEXEC)

    # -- fcntl ------------------------------------------------------------------------

    def fcntl(self, fd: Descriptor, command: int, argument: int | str | bytes = 0) -> Call[Any]:
        """Run the fcntl(2) command `command` on a descriptor, as Python's `fcntl.fcntl` does.

        Return an int if `argument` is an int, or the changed bytes if it is bytes.
        """
        if isinstance(argument, int):
            return self.call("fcntl", descriptor(fd), c_int(command), _unsigned_too(argument))
        raw = argument.encode() if isinstance(argument, str) else argument
        if len(raw) > IOCTL_BUFFER:
            raise ValueError("fcntl string arg too long")
        buffer = _copied(raw)
        return self.call(
            "fcntl", descriptor(fd), c_int(command), memoryview(buffer),
            convert=lambda _: bytes(buffer[: len(raw)]),
        )  # fmt: skip

    def ioctl(
        self, fd: Descriptor, request: int, argument: int | str | Buffer = 0, mutate_flag: bool = True
    ) -> Call[Any]:
        """Run ioctl(2), as `fcntl.ioctl` does.  If `argument` is an int, return an int.  If it is bytes,
        return the changed bytes.

        A writable buffer is changed in place, and the result is the call's return value.
        """
        number = descriptor(fd)
        request &= 0xFFFFFFFF
        if isinstance(argument, int):
            return self.call("ioctl", number, request, _unsigned_too(argument))
        raw = argument.encode() if isinstance(argument, str) else argument
        view = memoryview(raw).cast("B")
        if view.readonly or not mutate_flag:
            if len(view) > IOCTL_BUFFER:
                raise ValueError("ioctl string arg too long")
            buffer = _copied(view)
            return self.call(
                "ioctl", number, request, memoryview(buffer),
                convert=lambda _: bytes(buffer[: len(view)]),
            )  # fmt: skip
        if len(view) > IOCTL_BUFFER or 0 < _IOC_SIZE(request) <= len(view):
            return self.call(
                "ioctl", number, request, view
            )  # no copy: if the kernel changes the buffer and then fails, the caller sees the change
        buffer = _copied(view)

        def changed(result: int) -> int:
            view[:] = buffer[: len(view)]
            return result

        return self.call("ioctl", number, request, memoryview(buffer), convert=changed)

    # -- pipes and event counters ---------------------------------------------------------

    def pipe(self) -> Call[tuple[int, int]]:
        """Create a pipe and return its read and write descriptors (pipe(2))."""
        return self.call("pipe2", 0)

    def pipe2(self, flags: int, /) -> Call[tuple[int, int]]:
        """Create a pipe with the flags O_NONBLOCK, O_CLOEXEC or O_DIRECT (pipe2(2))."""
        return self.call("pipe2", c_int(flags))

    def eventfd(self, initval: int, flags: int = EFD_CLOEXEC) -> Call[int]:
        """Return a descriptor of a new event counter (eventfd(2))."""
        if initval < 0:
            raise ValueError("value must be positive")
        return self.call("eventfd2", initval, flags)

    def eventfd_read(self, fd: int) -> Call[int]:
        """Return an eventfd's counter and reset it to 0.  With EFD_SEMAPHORE, only decrement the counter, and
        return 1.
        """
        return self.call("read", fd, U64.size, convert=_counted)

    def eventfd_write(self, fd: int, value: int) -> Call[None]:
        """Add a value to an eventfd's counter."""
        return self.call("write", fd, arguments.to_int(value).to_bytes(U64.size, "little"), convert=_nothing)

    # -- polling --------------------------------------------------------------------------

    def poll(
        self, watched: Iterable[tuple[Descriptor, int]], timeout: float | None = None
    ) -> Call[list[tuple[int, int]]]:
        """Wait at most `timeout` milliseconds and return a (descriptor, events) pair for each ready
        descriptor.

        None means no limit.  The timeout is rounded up to whole milliseconds.
        """
        pairs = [(descriptor(what), c_int(events)) for what, events in watched]
        return self.call("poll", pairs, arguments.poll_timeout(timeout, MILLISECOND))

    def select(
        self,
        rlist: Iterable[R],
        wlist: Iterable[W],
        xlist: Iterable[X],
        timeout: float | None = None,
    ) -> Call[tuple[list[R], list[W], list[X]]]:
        """Wait at most `timeout` seconds.  Return three lists, with the items of `rlist`, `wlist` and `xlist`
        that are ready (select(2)).

        None means no limit.  The timeout is rounded up to whole microseconds.
        """
        lists = (list(rlist), list(wlist), list(xlist))
        fds = tuple([descriptor(what) for what in each] for each in lists)
        if any(fd >= FD_SETSIZE for each in fds for fd in each):
            raise ValueError("filedescriptor out of range in select()")
        ns = arguments.select_timeout(timeout)

        def chosen(ready: tuple[list[int], list[int], list[int]]) -> tuple[list[R], list[W], list[X]]:
            reading, writing, exceptional = lists
            return _among(reading, ready[0]), _among(writing, ready[1]), _among(exceptional, ready[2])

        return self.call("select", fds, ns, convert=chosen)

    def epoll(self, sizehint: int = -1, flags: int = 0) -> Awaitable[Epoll]:
        """Create an epoll object, with the interface of `select.epoll`."""
        if sizehint != -1 and sizehint <= 0:
            raise ValueError("negative sizehint")
        return self.call("epoll_create1", c_int(flags), convert=lambda fd: Epoll(self, fd))


def _size(n: SupportsIndex) -> int:
    """Check the number of bytes to read, and return it as an int.  For a negative number, raise EINVAL and
    make no system call.
    """
    number = arguments.to_int(n)
    if -SSIZE_MAX <= number < 0:
        raise os_error(EINVAL)
    return number


def _among(items: Iterable[D], fds: Collection[int]) -> list[D]:
    return [what for what in items if descriptor(what) in fds]


def _check_count(buffers: Sequence[object]) -> None:
    if len(buffers) > IOV_MAX:
        raise os_error(EINVAL)


def _unsigned_too(argument: int) -> int:
    """Convert an int to a C int.  An unsigned 32-bit value is accepted and converted to the signed value."""
    number = int(argument)
    if not -(1 << 31) <= number < 1 << 32:
        raise OverflowError("signed integer is greater than maximum")
    return number - (1 << 32) if number >= 1 << 31 else number


def _copied(raw: Buffer) -> bytearray:
    """Copy an argument of fcntl() or ioctl() to a buffer as large as CPython's, because the kernel may write
    more bytes than the argument has.
    """
    buffer = bytearray(IOCTL_BUFFER + 1)
    buffer[: len(raw)] = raw
    return buffer


def _counted(data: bytes) -> int:
    """Decode the counter that read(2) returns for an eventfd.  Raise EINVAL if `data` has fewer than 8 bytes,
    which is possible if the file is not an eventfd.
    """
    if len(data) < U64.size:
        raise os_error(EINVAL)
    return int(U64.unpack(data)[0])


def _nothing(_: object) -> None:
    pass
