"""Socket calls: from a descriptor to the socket behind it, waiting where the caller wants to wait.

Data and addresses cross here as bytes and numbers.  An address is (port id, groups mask), or the
bytes of a whole sockaddr.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from simkernel.kernel.file.file import OpenFile
from simkernel.kernel.file.socket import NO_CONTROL, Address, Control, Received, SocketObject
from simkernel.kernel.task.task import Task
from simkernel.kernel.task.wait import Blocked, WouldBlock
from simkernel.uapi.errno import EAFNOSUPPORT, EAGAIN, EINVAL, ENOTSOCK, EOPNOTSUPP, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.socket import AF_MAX, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_MAX, SOCK_NONBLOCK, SOCK_TYPE_MASK

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel

Create = Callable[[Task, int, int], SocketObject | Awaitable[SocketObject]]


class SocketCalls:
    """socket(2) and what is done with its result."""

    CALLS = (
        "socket",
        "bind",
        "connect",
        "getsockname",
        "getpeername",
        "sendto",
        "sendmsg",
        "recvfrom",
        "recvmsg",
        "setsockopt",
        "getsockopt",
        "listen",
        "accept4",
        "shutdown",
    )

    def __init__(self, kernel: Kernel) -> None:
        self._engine = kernel.engine
        self._families = kernel.socket_families
        self._unmodelled = kernel.unmodelled

    def socket(self, task: Task, family: int, type: int, protocol: int) -> int | Awaitable[int]:
        """A new socket's descriptor (`__sys_socket()`)."""
        flags = type & ~SOCK_TYPE_MASK
        if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
            raise os_error(EINVAL)
        kind = type & SOCK_TYPE_MASK
        if not 0 <= family < AF_MAX:
            raise os_error(EAFNOSUPPORT)
        if kind >= SOCK_MAX:
            raise os_error(EINVAL)
        create = self._families.get(family)
        if create is None:
            raise self._unmodelled(f"socket family {family}", EAFNOSUPPORT)
        made = create(task, kind, protocol)
        if isinstance(made, Awaitable):
            return self._install_later(task, made, flags)
        return self._install(task, made, flags)

    async def _install_later(self, task: Task, made: Awaitable[SocketObject], flags: int) -> int:
        return self._install(task, await made, flags)

    @staticmethod
    def _install(task: Task, made: SocketObject, flags: int) -> int:
        file = OpenFile(made, O_NONBLOCK if flags & SOCK_NONBLOCK else 0, socket=made)
        try:
            return task.files.install(file)
        except OSError:
            made.release()
            raise

    def bind(self, task: Task, fd: int, address: Address) -> None:
        """bind(2)."""
        _socket(task, fd).bind(task, address)

    def connect(self, task: Task, fd: int, address: Address) -> None:
        """connect(2)."""
        _socket(task, fd).connect(task, address)

    def getsockname(self, task: Task, fd: int) -> tuple[int, int]:
        """getsockname(2)."""
        return _socket(task, fd).getsockname()

    def getpeername(self, task: Task, fd: int) -> tuple[int, int]:
        """getpeername(2)."""
        return _socket(task, fd).getpeername()

    def setsockopt(self, task: Task, fd: int, level: int, option: int, value: bytes) -> None:
        """setsockopt(2)."""
        _socket(task, fd).setsockopt(task, level, option, value)

    def getsockopt(self, task: Task, fd: int, level: int, option: int, length: int) -> bytes:
        """getsockopt(2): at most `length` bytes."""
        return _socket(task, fd).getsockopt(task, level, option, length)

    def listen(self, task: Task, fd: int, backlog: int) -> None:
        """listen(2): no socket that there is has connections (`sock_no_listen()`)."""
        _socket(task, fd)
        raise os_error(EOPNOTSUPP)

    def accept4(self, task: Task, fd: int, flags: int) -> None:
        """accept4(2): the same (`sock_no_accept()`)."""
        _socket(task, fd)
        raise os_error(EOPNOTSUPP)

    def shutdown(self, task: Task, fd: int, how: int) -> None:
        """shutdown(2): the same (`sock_no_shutdown()`)."""
        _socket(task, fd)
        raise os_error(EOPNOTSUPP)

    def sendto(
        self, task: Task, fd: int, data: bytes, flags: int = 0, address: Address | None = None
    ) -> int | Awaitable[int] | Blocked:
        """sendto(2): the number of bytes sent."""
        return self.sendmsg(task, fd, data, NO_CONTROL, flags, address)

    def sendmsg(
        self,
        task: Task,
        fd: int,
        data: bytes,
        control: Control,
        flags: int = 0,
        address: Address | None = None,
    ) -> int | Awaitable[int] | Blocked:
        """sendmsg(2), its buffers joined to `data` by the caller's library."""
        file = task.files.get(fd)
        sock = file.socket
        if sock is None:
            raise os_error(ENOTSOCK)
        trace = self._engine.trace
        if trace.flow == task.own_flow:
            # What a task asks next is a new story, unless a message from elsewhere made it ask.
            task.own_flow = trace.new_flow()
        try:
            return sock.sendmsg(task, data, address, control, flags)
        except WouldBlock as blocked:
            if flags & MSG_DONTWAIT or file.flags & O_NONBLOCK:
                raise os_error(EAGAIN) from None
            return Blocked(blocked.queue, blocked.retry, file, self._deadline(sock.sndtimeo), False)

    def recvfrom(self, task: Task, fd: int, size: int, flags: int = 0) -> Received | Blocked:
        """recvfrom(2): one message of up to `size` bytes and its sender."""
        file = task.files.get(fd)
        sock = file.socket
        if sock is None:
            raise os_error(ENOTSOCK)
        received = sock.recvmsg(task, size, 0, flags)
        return self._receive_later(task, file, size, 0, flags) if received is None else received

    def recvmsg(
        self, task: Task, fd: int, size: int, control_size: int, flags: int = 0
    ) -> Received | Blocked:
        """recvmsg(2)."""
        file = task.files.get(fd)
        sock = file.socket
        if sock is None:
            raise os_error(ENOTSOCK)
        received = sock.recvmsg(task, size, control_size, flags)
        return self._receive_later(task, file, size, control_size, flags) if received is None else received

    def _receive_later(self, task: Task, file: OpenFile, size: int, control_size: int, flags: int) -> Blocked:
        if flags & MSG_DONTWAIT or file.flags & O_NONBLOCK:
            raise os_error(EAGAIN)
        sock = file.socket
        assert sock is not None
        retry = partial(sock.recvmsg, task, size, control_size, flags)
        return Blocked(sock.readers, retry, file, self._deadline(sock.rcvtimeo), True)

    def _deadline(self, timeout: int | None) -> int | None:
        """When a socket's own timeout is over."""
        return None if timeout is None else self._engine.time() + timeout


def _socket(task: Task, fd: int) -> SocketObject:
    sock = task.files.get(fd).socket
    if sock is None:
        raise os_error(ENOTSOCK)
    return sock
