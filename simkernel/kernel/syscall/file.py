"""System calls on file descriptors: close, dup, fcntl, ioctl."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from simkernel.kernel.lib.known import known_ioctls, refusal
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.vfs.fasync import FileOwner
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.pipe import PipeEnd
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import fcntl, stat
from simkernel.uapi.capability import CAP_FOWNER
from simkernel.uapi.errno import EBADF, EINVAL, ENOTTY, EPERM, os_error
from simkernel.uapi.fcntl import FD_CLOEXEC, O_ASYNC, O_CLOEXEC, O_DIRECT, O_NOATIME, O_NONBLOCK
from simkernel.uapi.ioctls import FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD
from simkernel.uapi.structure import S32, U32

SETTABLE: Final = fcntl.O_APPEND | fcntl.O_NONBLOCK | fcntl.O_DIRECT | fcntl.O_NOATIME
"""File flags that F_SETFL can change, apart from O_ASYNC (SETFL_MASK)."""
PATH_COMMANDS: Final = (
    fcntl.F_DUPFD, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_DUPFD_CLOEXEC, fcntl.F_DUPFD_QUERY,
    fcntl.F_CREATED_QUERY,
)  # fmt: skip
"""fcntl(2) commands that are allowed on a file opened with O_PATH (`check_fcntl_cmd()`)."""
ALL_CALLS: Final = 0xFFFFFFFF

Argument = int | memoryview
"""The third argument of fcntl(2) or ioctl(2): a number, or a buffer of the program."""
Outcome = int | Coroutine[Any, Any, int]


class FileCalls:
    """Handlers of system calls that work on every kind of open file."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel
        self._engine = kernel.engine
        self._unmodelled = kernel.unmodelled
        self._commands: dict[int, Callable[[Task, OpenFile, int, int], int]] = {
            fcntl.F_DUPFD: lambda task, file, fd, lowest: self._dup_from(task, file, lowest, False),
            fcntl.F_DUPFD_CLOEXEC: lambda task, file, fd, lowest: self._dup_from(task, file, lowest, True),
            fcntl.F_GETFD: lambda task, file, fd, _: FD_CLOEXEC if task.files.closes_on_exec(fd) else 0,
            fcntl.F_SETFD: self._set_descriptor_flags,
            fcntl.F_GETFL: lambda task, file, fd, _: file.flags,
            fcntl.F_SETFL: self._set_flags,
            fcntl.F_GETOWN: lambda task, file, fd, _: file.owner.get() if file.owner else 0,
            fcntl.F_SETOWN: self._set_owner,
            fcntl.F_GETSIG: lambda task, file, fd, _: file.owner.signal if file.owner else 0,
            fcntl.F_SETSIG: self._set_signal,
            fcntl.F_GETPIPE_SZ: lambda task, file, fd, _: _pipe(file).pipe.size,
            fcntl.F_SETPIPE_SZ: lambda task, file, fd, size: _pipe(file).pipe.set_size(task, size),
        }
        self._unsupported = frozenset(
            value
            for name, value in vars(fcntl).items()
            if name.startswith("F_") and value not in self._commands
        )
        self._requests: dict[int, Callable[[Task, OpenFile, int, int], None]] = {
            FIOCLEX: lambda task, file, fd, _: task.files.set_close_on_exec(fd, True),
            FIONCLEX: lambda task, file, fd, _: task.files.set_close_on_exec(fd, False),
            FIONBIO: self._set_nonblocking,
            FIOASYNC: self._set_async,
        }

    # -- descriptors ------------------------------------------------------------

    def close(self, task: Task, fd: int) -> Coroutine[Any, Any, None] | None:
        """Close a descriptor (close(2)).

        The last close of a file waits until the driver's release returns.
        """
        self._engine.charged += self._kernel.costs.file
        pending = task.files.close(fd)
        return None if pending is None else _finish(pending)

    def close_range(self, task: Task, first: int, last: int, flags: int = 0) -> None:
        """Close the descriptors from `first` to `last` (close_range(2)). Raise EINVAL if `last` is below
        `first`.

        Flags are not modelled.
        """
        if flags:
            raise self._unmodelled(f"close_range flags {flags:#x} are not modelled", EINVAL)
        if last & ALL_CALLS < first & ALL_CALLS:
            raise os_error(EINVAL)
        task.files.close_many([fd for fd, _ in task.files.items() if first <= fd <= last & ALL_CALLS])

    def dup(self, task: Task, fd: int) -> int:
        """Return another descriptor for the same open file (dup(2))."""
        return task.files.install(task.files.get_raw(fd))

    def dup2(self, task: Task, fd: int, other: int) -> int:
        """Make `other` a descriptor for the open file of `fd`. If `other` is open, close it first (dup2(2)).

        No effect if they are equal.
        """
        file: OpenFile = task.files.get_raw(fd)
        return fd if fd == other else task.files.install_at(other, file)

    def dup3(self, task: Task, fd: int, other: int, flags: int) -> int:
        """Like dup2(2), but `flags` may hold O_CLOEXEC.  Raise EINVAL if `other` equals `fd` (dup3(2))."""
        if flags & ~O_CLOEXEC or fd == other:
            raise os_error(EINVAL)
        if not 0 <= other < task.files.limit:
            raise os_error(EBADF)
        return task.files.install_at(other, task.files.get_raw(fd), close_on_exec=bool(flags))

    # -- fcntl --------------------------------------------------------------------

    def fcntl(self, task: Task, fd: int, command: int, argument: Argument = 0) -> int:
        """Read or change a descriptor, an open file, its signal owner or its pipe size (fcntl(2)).

        Raise EINVAL for an unknown command.
        """
        file: OpenFile = task.files.get_raw(fd)
        if file.path_only and command not in PATH_COMMANDS:
            raise os_error(EBADF)
        self._engine.charged += self._kernel.costs.file
        do = self._commands.get(command)
        if do is None or not isinstance(argument, int):
            if command in self._unsupported or do is not None:
                raise self._unmodelled(f"fcntl command {command} is not modelled", EINVAL)
            raise os_error(EINVAL)
        return do(task, file, fd, argument)

    @staticmethod
    def _dup_from(task: Task, file: OpenFile, lowest: int, close_on_exec: bool) -> int:
        if not 0 <= lowest < task.files.limit:
            raise os_error(EINVAL)
        return task.files.install(file, lowest, close_on_exec=close_on_exec)

    @staticmethod
    def _set_descriptor_flags(task: Task, file: OpenFile, fd: int, flags: int) -> int:
        task.files.set_close_on_exec(fd, bool(flags & FD_CLOEXEC))
        return 0

    def _set_flags(self, task: Task, file: OpenFile, fd: int, flags: int) -> int:
        """Set the flags of the open file (F_SETFL, `setfl()`)."""
        if flags & O_NOATIME and not file.flags & O_NOATIME:
            owned = file.object.inode or file.object.anon_attributes
            if task.credentials.uid != owned.uid and not task.credentials.capable(CAP_FOWNER):
                raise os_error(EPERM)
        if flags & O_DIRECT and not (isinstance(file.object, PipeEnd) or file.object.can_direct):
            raise os_error(EINVAL)
        if (flags ^ file.flags) & O_ASYNC:
            try:
                file.object.fasync(file, fd, bool(flags & O_ASYNC))
            except OSError as error:
                if error.errno != ENOTTY:
                    raise
        file.flags = (file.flags & ~SETTABLE) | (flags & SETTABLE)
        return 0

    def _owner(self, file: OpenFile) -> FileOwner:
        if file.owner is None:
            file.owner = FileOwner(self._kernel.processes)
        return file.owner

    def _set_owner(self, task: Task, file: OpenFile, fd: int, pid: int) -> int:
        if pid < 0:
            raise self._unmodelled("F_SETOWN with a process group is not modelled", EINVAL)
        self._owner(file).set(task, pid)
        return 0

    def _set_signal(self, task: Task, file: OpenFile, fd: int, number: int) -> int:
        self._owner(file).set_signal(number)
        return 0

    # -- ioctl --------------------------------------------------------------------

    def ioctl(self, task: Task, fd: int, request: int, argument: Argument = 0) -> Outcome:
        """Handle a request that every file supports, such as FIONBIO. Pass any other request to the ioctl
        operation of the file (ioctl(2)).

        If `argument` is a buffer, it is mapped into the caller's memory during the call.
        """
        file: OpenFile = task.files.get(fd)
        self._engine.charged += self._kernel.costs.file
        request &= ALL_CALLS
        if isinstance(argument, int):
            done = self._ioctl(task, file, fd, request, argument)
            return done if isinstance(done, int) else self._finish_ioctl(task, file, request, None, done)
        address = task.mm.map_buffer(argument)
        try:
            result = self._ioctl(task, file, fd, request, address)
        except BaseException:
            task.mm.unmap_buffer(address)
            raise
        if isinstance(result, int):
            task.mm.unmap_buffer(address)
            return result
        return self._finish_ioctl(task, file, request, address, result)

    async def _finish_ioctl(
        self, task: Task, file: OpenFile, request: int, buffer: int | None, pending: Awaitable[int]
    ) -> int:
        try:
            return await pending
        except OSError as error:
            raise self._refusal(file, request, error) from None
        finally:
            if buffer is not None:
                task.mm.unmap_buffer(buffer)

    def _ioctl(
        self, task: Task, file: OpenFile, fd: int, request: int, argument: int
    ) -> int | Awaitable[int]:
        """Handle a request with a number or an address as its argument (`do_vfs_ioctl()`)."""
        if (do := self._requests.get(request)) is not None:
            do(task, file, fd, argument)
            return 0
        inode = file.object.inode
        if request == FIONREAD and inode is not None and inode.kind == stat.S_IFREG:
            task.mm.write(argument, U32.pack((inode.size - file.position) & ALL_CALLS))
            return 0
        try:
            return file.object.ioctl(task, file, request, argument)
        except OSError as error:
            raise self._refusal(file, request, error) from None

    def _refusal(self, file: OpenFile, request: int, error: OSError) -> Exception:
        """Return the exception that ioctl(2) raises after the file has rejected the request with the
        exception `error`.

        If `error` is ENOTTY or EINVAL and Linux knows a request that simkernel does not handle, replace
        `error`: by the errno with which Linux refuses the request, or by an error that the request is not
        modelled.
        """
        words = known_ioctls(file.object.ioctl_table).get(request)
        if words is None or "handled" in words or error.errno not in (ENOTTY, EINVAL):
            return error
        number = refusal(words[1:])
        if number is not None:
            return os_error(number)
        return self._unmodelled(
            f"ioctl {words[0]} of {file.object.ioctl_table or 'a file'} is not modelled", error.errno
        )

    @staticmethod
    def _set_nonblocking(task: Task, file: OpenFile, fd: int, argument: int) -> None:
        file.flags = (file.flags & ~O_NONBLOCK) | (O_NONBLOCK if _int_at(task, argument) else 0)

    @staticmethod
    def _set_async(task: Task, file: OpenFile, fd: int, argument: int) -> None:
        on = bool(_int_at(task, argument))
        if on != bool(file.flags & O_ASYNC):
            file.object.fasync(file, fd, on)


def _int_at(task: Task, argument: int) -> int:
    """Return the int at the address `argument` in the program's memory.

    A bool is the value itself, as `socket.settimeout` passes it.
    """
    if isinstance(argument, bool):
        return argument
    (value,) = S32.unpack(task.mm.read(argument, S32.size))
    return int(value)


def _pipe(file: OpenFile) -> PipeEnd:
    if not isinstance(file.object, PipeEnd):
        raise os_error(EBADF)
    return file.object


async def _finish(pending: Awaitable[Any]) -> Any:
    return await pending
