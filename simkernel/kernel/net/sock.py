"""The common part of all sockets: buffer limits, pending error, wait queue, options (net/core/sock.c)."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from random import Random
from typing import Any, ClassVar, Final

from simkernel.engine import SECOND
from simkernel.kernel.net.creds import Creds
from simkernel.kernel.net.dev_ioctl import sock_ioctl
from simkernel.kernel.net.filter import Filter
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.fasync import FasyncList, FasyncWaiter
from simkernel.kernel.vfs.file import SOCKFS, AnonAttributes, FileObject, OpenFile, SocketObject
from simkernel.kernel.vfs.socket import NO_CONTROL, Control, Received
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import poll as ev
from simkernel.uapi.errno import EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.socket import SO_LOCK_FILTER
from simkernel.uapi.stat import S_IFSOCK

HZ: Final = 250
"""Ticks per second (CONFIG_HZ of the Linux kernel on which the tests were recorded). Socket timeouts are
multiples of a tick.
"""
JIFFY: Final = SECOND // HZ

DEFAULT_BUFFER: Final = 212_992
"""Default size of receive and send buffers, in bytes (SK_RMEM_DEFAULT, SK_WMEM_DEFAULT)."""
MAXIMUM_BUFFER: Final = 4_194_304
"""Maximum of SO_RCVBUF and SO_SNDBUF without privilege, in bytes (rmem_max, wmem_max)."""

WRITE_SPACE: Final = ev.POLLOUT | ev.POLLWRNORM | ev.POLLWRBAND


class Sock(FileObject):
    """The protocol-independent part of a socket (`struct sock`).

    `rmem` is the memory of the receive queue in bytes, limited to about `rcvbuf`. `options` holds, by
    number, the options that are only stored. `rcvtimeo` and `sndtimeo` are in nanoseconds, None means no
    timeout.
    """

    __slots__ = (
        "_cookie",
        "_readers",
        "drops",
        "error",
        "fasync_list",
        "filter",
        "net",
        "opener",
        "options",
        "protocol",
        "rcvbuf",
        "rcvtimeo",
        "sndbuf",
        "sndtimeo",
        "type",
    )

    def __init__(self, net: Net, type: int, protocol: int, opener: Credentials) -> None:
        self.net = net.get()
        self.type = type
        self.protocol = protocol
        self.opener = opener
        """Credentials of the task that opened the socket. `file_ns_capable()` checks these credentials."""
        self.rcvbuf = DEFAULT_BUFFER
        self.sndbuf = DEFAULT_BUFFER
        self.drops = 0
        self.error = 0
        self._cookie = 0
        self.filter: Filter | None = None
        self.options: dict[int, int] | None = None
        self.rcvtimeo: int | None = None
        self.sndtimeo: int | None = None
        self._readers: WaitQueue | None = None
        self.fasync_list: FasyncList | None = None

    # -- waiting ------------------------------------------------------------

    @property
    def readers(self) -> WaitQueue:
        """Wait queue of tasks that wait for a message or poll the socket."""
        queue = self.receivers
        queue.name = queue.name or self.title
        return queue

    @property
    def receivers(self) -> WaitQueue:
        """Wait queue of tasks that wait for a message. The queue has no name until `readers` is used, because
        building a name for every socket is expensive.
        """
        if self._readers is None:
            self._readers = WaitQueue()
        return self._readers

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """Wait queues to which poll(2) adds the polling task."""
        return (self.readers,)

    def write_space(self) -> None:
        """Wake pollers if at most half of the send buffer is in use (`sock_def_write_space()`)."""
        if self._readers and self.wmem << 1 <= self.sndbuf:
            self._readers.wake_up_poll(WRITE_SPACE)

    def __repr__(self) -> str:
        return f"<{self.title}>"

    @property
    def title(self) -> str:
        """Text that identifies the socket in reports, for example in the list of sleeping tasks."""
        return f"socket of protocol {self.protocol}"

    def getpeername_bytes(self) -> bytes:
        """Return the peer's address as a packed `struct sockaddr` (getpeername(2)). Each protocol overrides
        this method.
        """
        raise NotImplementedError

    # -- file operations --------------------------------------------------------

    exclusive_read = True
    signals_readers: ClassVar[bool] = True
    """True if each wake-up of the socket's readers also sends SIGIO."""
    family: ClassVar[int]
    atomic_send: ClassVar[bool] = False
    rmem = 0
    wmem = 0
    """Memory of sent messages that the receiver has not read yet, in bytes. Only AF_UNIX uses this counter.
    Netlink counts the memory in the receiver's `rmem`.
    """
    peer_creds: Creds | None = None
    """Credentials of the peer (SO_PEERCRED)."""

    def recvmsg(self, task: Task, size: int, controllen: int = 0, flags: int = 0) -> Received | None:
        """Receive a message (recvmsg(2)). Each protocol overrides it."""
        raise NotImplementedError

    def sendmsg(
        self, task: Task, data: bytes, address: Any = None, control: Control = (), flags: int = 0
    ) -> int | Awaitable[int]:
        """Send a message (sendmsg(2)). Each protocol overrides it."""
        raise NotImplementedError

    @property
    def accepts(self) -> bool:
        """True if the socket is listening (SO_ACCEPTCONN)."""
        return False

    def opened(self, file: OpenFile) -> None:
        """Called after an open file was created for the socket."""

    # listen(), accept() and shutdown() fail here like sock_no_listen() and similar functions.
    # Only AF_UNIX sockets override listen(), accept() and shutdown().

    def listen(self, task: Task, backlog: int) -> None:
        """Accept connections from now on (listen(2))."""
        raise os_error(EOPNOTSUPP)

    def accept(self, task: Task) -> SocketObject | None:
        """Return the next connection, or None if no connection is pending (accept(2))."""
        raise os_error(EOPNOTSUPP)

    def shutdown(self, task: Task, how: int) -> None:
        """Close one or both directions of a connection (shutdown(2))."""
        raise os_error(EOPNOTSUPP)

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | Awaitable[bytes] | None:
        """Receive like recv(2) without flags (`sock_read_iter()`). A size of 0 returns no bytes and never
        blocks.
        """
        if not size:
            return b""
        received = self.recvmsg(task, size, 0, 0)
        return None if received is None else received[0]

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int | Awaitable[int]:
        """Send like send(2) without flags (`sock_write_iter()`)."""
        return self.sendmsg(task, data, None, NO_CONTROL, 0)

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int | Awaitable[int]:
        """Execute an ioctl(2) request that works in the same way for all protocols."""
        return sock_ioctl(self.ioctl_table, self.net, task, request, argument)

    def fasync(self, file: OpenFile, fd: int, on: bool) -> None:
        """Add or remove a recipient of SIGIO (`sock_fasync()`).

        Each wake-up of readers also sends SIGIO, unless the protocol clears `signals_readers`.
        """
        if self.fasync_list is None:
            self.fasync_list = FasyncList()
            if self.signals_readers:
                self.readers.add(FasyncWaiter(self.fasync_list))
        self.fasync_list.switch(file, fd, on)

    def cookie(self) -> int:
        """Return a number that identifies the socket, assigned on the first call (`__sock_gen_cookie()`)."""
        if not self._cookie:
            self._cookie = next(self.net.socket_cookies)
        return self._cookie

    @property
    def anon_attributes(self) -> AnonAttributes:
        """Attributes of the socket's inode. The inode number is equal to the socket's cookie. On Linux, these
        two numbers differ.
        """
        return AnonAttributes(S_IFSOCK | 0o777, self.cookie(), SOCKFS, self.opener.uid, self.opener.gid)

    @property
    def description(self) -> str:
        """Target of the link in /proc/self/fd (`sockfs_dname()`)."""
        return f"socket:[{self.cookie()}]"

    def accounts(self, nets: Iterable[Net]) -> tuple[str, int, int]:
        """Return the name of the socket's memory counter, the counter's value, and its correct value: the
        size of the queued messages in bytes.

        A checker compares the two values.
        """
        return "rmem", self.rmem, 0

    def changed(self) -> None:
        """Called after the filter, the error or an option changed. A protocol can override it to update its
        state.
        """

    # -- the pending error --------------------------------------------------

    def report_error(self, number: int) -> None:
        """Set the error that the next call on the socket raises, and wake waiting tasks
        (`sk_error_report()`).
        """
        self.error = number
        self.changed()
        if self._readers:
            self._readers.wake_up()

    def take_error(self) -> int:
        """Return the pending error, or 0, and clear it (`sock_error()`)."""
        number, self.error = self.error, 0
        self.changed()
        return number

    # -- the attached filter ------------------------------------------------

    def attach_filter(self, code: bytes, random: Random) -> None:
        """Attach a filter program (`sk_attach_filter()`).

        Raise EPERM if the filter is locked (SO_LOCK_FILTER), EINVAL if the program is invalid.
        """
        if self.option(SO_LOCK_FILTER):
            raise os_error(EPERM)
        self.filter = Filter(code, random)
        self.changed()

    # -- stored options -------------------------------------------------------

    def option(self, number: int) -> int:
        """Return the stored value of the option `number`, or 0 if no value is stored."""
        return self.options.get(number, 0) if self.options else 0

    def set_option(self, number: int, value: int) -> None:
        """Store the value of an option."""
        if self.options is None:
            self.options = {}
        self.options[number] = value
        self.changed()
