"""Socket system calls: they find the socket of a descriptor and call its methods.

Data and addresses are passed as bytes and numbers.  An address is (port id, groups mask), or the bytes of
a whole sockaddr.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import Any

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import Blocked, BlockedCall, WouldBlock
from simkernel.kernel.syscall.pipe import install_pair
from simkernel.kernel.syscall.sending import broken_pipe, done_or_eagain, wait_and_resume
from simkernel.kernel.vfs.broken_pipe import BrokenPipe
from simkernel.kernel.vfs.file import OpenFile, SocketObject
from simkernel.kernel.vfs.socket import NO_CONTROL, Address, Control, NeedMoreData, Received
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import (
    EAFNOSUPPORT,
    EAGAIN,
    EBADF,
    ECONNABORTED,
    EINVAL,
    ENOTSOCK,
    os_error,
)
from simkernel.uapi.fcntl import O_CLOEXEC, O_NONBLOCK, O_RDWR
from simkernel.uapi.socket import (
    AF_MAX,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SOCK_CLOEXEC,
    SOCK_MAX,
    SOCK_NONBLOCK,
    SOCK_TYPE_MASK,
)


class BlockedReceive(BlockedCall):
    """The state of a receive that blocks until data arrives. The task reuses this object if its next blocked
    receive is on the same file.
    """

    __slots__ = ("control_size", "flags", "size", "sock")

    control_size: int
    file: OpenFile
    flags: int
    size: int

    def __init__(self, file: OpenFile, sock: SocketObject) -> None:
        self.file = file
        self.sock = sock
        self.queue = sock.receivers
        self.timer = None
        self.held = False

    @property
    def exclusive(self) -> bool:
        return self.sock.exclusive_read

    @property
    def where(self) -> str:
        return self.sock.title

    def retry(self, task: Task) -> Received | Coroutine[Any, Any, Received] | None:
        try:
            return self.sock.recvmsg(task, self.size, self.control_size, self.flags)
        except NeedMoreData as wants:
            return _rest(self.file, wants, self.deadline)


class SocketCalls:
    """Handlers of socket(2) and of the calls on sockets."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel
        self._engine = kernel.engine
        self._trace = kernel.engine.trace
        self._receive_wait = kernel.costs.receive_wait
        self._families = kernel.socket_families
        self._unmodelled = kernel.unmodelled

    def socket(self, task: Task, family: int, type: int, protocol: int) -> int | Awaitable[int]:
        """Create a socket and return its descriptor (`__sys_socket()`)."""
        kind, flags = self._kind(family, type)
        made = self._families[family].socket(task, kind, protocol)
        if isinstance(made, Awaitable):
            return self._install_later(task, made, flags)
        return self._install(task, made, flags)

    def _kind(self, family: int, type: int) -> tuple[int, int]:
        """Split `type` into the socket's type and flags.  Raise EAFNOSUPPORT if the family is unknown."""
        flags = type & ~SOCK_TYPE_MASK
        if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
            raise os_error(EINVAL)
        kind = type & SOCK_TYPE_MASK
        if not 0 <= family < AF_MAX:
            raise os_error(EAFNOSUPPORT)
        if kind >= SOCK_MAX:
            raise os_error(EINVAL)
        if family not in self._families:
            raise self._unmodelled(f"socket family {family} is not modelled", EAFNOSUPPORT)
        return kind, flags

    def socketpair(self, task: Task, family: int, type: int, protocol: int) -> tuple[int, int]:
        """Create two connected sockets and return their descriptors (`__sys_socketpair()`)."""
        kind, flags = self._kind(family, type)
        one, other = self._families[family].socketpair(task, kind, protocol)
        first, second = self._file(one, flags), self._file(other, flags)
        return install_pair(self._kernel, task, first, second, O_CLOEXEC if flags & SOCK_CLOEXEC else 0)

    async def _install_later(self, task: Task, made: Awaitable[SocketObject], flags: int) -> int:
        return self._install(task, await made, flags)

    def _file(self, made: SocketObject, flags: int) -> OpenFile:
        file = self._kernel.socket_file(
            made, O_RDWR | (O_NONBLOCK if flags & SOCK_NONBLOCK else 0), socket=made
        )
        made.opened(file)
        return file

    def _install(self, task: Task, made: SocketObject, flags: int) -> int:
        file = self._file(made, flags)
        try:
            return task.files.install(file, close_on_exec=bool(flags & SOCK_CLOEXEC))
        except OSError:
            made.release()
            raise

    def bind(self, task: Task, fd: int, address: Address) -> None:
        """Bind a socket to an address (bind(2))."""
        _socket(task, fd).bind(task, address)

    def connect(self, task: Task, fd: int, address: Address) -> Blocked | None:
        """Connect a socket (connect(2)).  If the listener's backlog is full, block until it has space."""
        sock = _socket(task, fd)
        try:
            sock.connect(task, address)
        except WouldBlock as blocked:
            file: OpenFile = task.files.get(fd)
            if file.flags & O_NONBLOCK:
                raise os_error(EAGAIN) from None
            deadline = self._deadline(sock.sndtimeo)
            return Blocked(blocked.queue, blocked.retry, file, deadline, blocked.exclusive)
        return None

    def getsockname(self, task: Task, fd: int) -> Address:
        """Return the socket's own address (getsockname(2))."""
        return _socket(task, fd).getsockname()

    def getpeername(self, task: Task, fd: int) -> Address:
        """Return the address of the peer (getpeername(2))."""
        return _socket(task, fd).getpeername()

    def setsockopt(self, task: Task, fd: int, level: int, option: int, value: bytes) -> None:
        """Set a socket option (setsockopt(2))."""
        _socket(task, fd).setsockopt(task, level, option, value)

    def getsockopt(self, task: Task, fd: int, level: int, option: int, length: int) -> bytes:
        """Return at most `length` bytes of the value of a socket option (getsockopt(2))."""
        return _socket(task, fd).getsockopt(task, level, option, length)

    def listen(self, task: Task, fd: int, backlog: int) -> None:
        """Make a socket accept connections (listen(2))."""
        _socket(task, fd).listen(task, backlog)

    def accept4(self, task: Task, fd: int, flags: int) -> tuple[int, Address] | Blocked:
        """Return the descriptor of the next connection, and the peer's address (accept4(2))."""
        file: OpenFile = task.files.get(fd)
        if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
            raise os_error(EINVAL)
        # Linux checks RLIMIT_NOFILE before it checks that `fd` is a socket (`__sys_accept4_file()`)
        task.files.check_limit()
        sock = _socket(task, fd)
        accepted = self._accept(task, sock, flags)
        if accepted is not None:
            return accepted
        if file.flags & O_NONBLOCK:
            raise os_error(EAGAIN)
        retry = partial(self._accept, task, sock, flags)
        return Blocked(sock.readers, retry, file, self._deadline(sock.rcvtimeo), True)

    def _accept(self, task: Task, sock: SocketObject, flags: int) -> tuple[int, Address] | None:
        task.files.check_limit()  # raise EMFILE before the connection leaves the backlog
        made = sock.accept(task)
        if made is None:
            return None
        fd = self._install(task, made, flags)
        try:
            return fd, made.getpeername()
        except OSError:  # the peer has closed its socket
            task.files.close(fd)
            raise os_error(ECONNABORTED) from None

    def shutdown(self, task: Task, fd: int, how: int) -> None:
        """Shut down receiving, sending or both (shutdown(2))."""
        _socket(task, fd).shutdown(task, how)

    def sendto(
        self,
        task: Task,
        fd: int,
        data: bytes,
        flags: int = 0,
        address: Address | None = None,
        control: Control = NO_CONTROL,
    ) -> int | Awaitable[int] | BlockedCall:
        """Send data and return the number of bytes sent (sendto(2))."""
        # INLINE: simkernel.kernel.vfs.fdtable.FileTable.get, saves 35 ns
        try:
            file: OpenFile | None = task.files.open[fd]
        except (IndexError, TypeError):
            file = None
        if file is None or fd < 0:
            raise os_error(EBADF)
        sock = file.socket
        if sock is None:
            raise os_error(ENOTSOCK)
        trace = self._trace
        if trace.emit is not None and trace.flow == task.own_flow:
            # Trace records with the same flow id belong to one request. Here, the current flow is 0 (no
            # flow) or belongs to the task's previous request. This send is a new request, so begin a flow.
            task.own_flow = trace.flow = trace.flows = trace.flows + 1
        try:
            return sock.sendmsg(task, data, address, control, flags)
        except WouldBlock as blocked:
            if flags & MSG_DONTWAIT or file.flags & O_NONBLOCK:
                return done_or_eagain(blocked)
            if sock.atomic_send:
                return Blocked(blocked.queue, blocked.retry, file, self._deadline(sock.sndtimeo), False)
            signal = not flags & MSG_NOSIGNAL
            return wait_and_resume(self._kernel, task, file, blocked, signal=signal)
        except BrokenPipe as broken:
            return broken_pipe(self._kernel, task, broken, signal=not flags & MSG_NOSIGNAL)

    def sendmsg(
        self,
        task: Task,
        fd: int,
        data: bytes,
        control: Control,
        flags: int = 0,
        address: Address | None = None,
    ) -> int | Awaitable[int] | BlockedCall:
        """Send `data`, the joined contents of all buffers, with control messages (sendmsg(2))."""
        return self.sendto(task, fd, data, flags, address, control)

    def recvfrom(
        self, task: Task, fd: int, size: int, flags: int = 0, control_size: int = 0
    ) -> Received | BlockedCall | Coroutine[Any, Any, Received]:
        """Receive up to `size` bytes of one message, with the sender's address (recvfrom(2))."""
        # INLINE: simkernel.kernel.vfs.fdtable.FileTable.get, saves 35 ns
        try:
            file: OpenFile | None = task.files.open[fd]
        except (IndexError, TypeError):
            file = None
        if file is None or fd < 0:
            raise os_error(EBADF)
        sock = file.socket
        if sock is None:
            raise os_error(ENOTSOCK)
        try:
            received = sock.recvmsg(task, size, control_size, flags)
        except NeedMoreData as wants:
            return _rest(file, wants, self._deadline(sock.rcvtimeo))
        if received is not None:
            return received
        if (flags and flags & MSG_DONTWAIT) or file.flags & O_NONBLOCK:
            raise os_error(EAGAIN)
        self._engine.charged += self._receive_wait
        blocked = task.receive
        if type(blocked) is not BlockedReceive or blocked.file is not file:
            blocked = task.receive = BlockedReceive(file, sock)
        if task.files.users > 1:
            blocked.hold()
        blocked.deadline = None if sock.rcvtimeo is None else self._deadline(sock.rcvtimeo)
        blocked.size = size
        blocked.control_size = control_size
        blocked.flags = flags
        return blocked

    def recvmsg(
        self, task: Task, fd: int, size: int, control_size: int, flags: int = 0
    ) -> Received | BlockedCall | Coroutine[Any, Any, Received]:
        """Receive one message with its control messages (recvmsg(2))."""
        return self.recvfrom(task, fd, size, flags, control_size)

    def _deadline(self, timeout: int | None) -> int | None:
        """Return the instant in ns at which a timeout that starts now expires, or None without a timeout."""
        return None if timeout is None else self._engine.time() + timeout


async def _rest(file: OpenFile, wants: NeedMoreData, deadline: int | None) -> Received:
    """Wait for the remaining bytes of a receive, and return the result of the receive. A reference keeps the
    file open during the wait.
    """
    file.get()
    try:
        return await wants.rest(deadline)
    finally:
        file.put()


def _socket(task: Task, fd: int) -> SocketObject:
    sock: SocketObject | None = task.files.get(fd).socket
    if sock is None:
        raise os_error(ENOTSOCK)
    return sock
