"""What every socket has: buffers and their limits, an error, a queue, who sleeps on it (net/core/sock.c)."""

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
"""Ticks a second: timeouts of sockets are whole ticks (CONFIG_HZ of the recorded kernel)."""
JIFFY: Final = SECOND // HZ

DEFAULT_BUFFER: Final = 212_992
"""rmem_default and wmem_default (SK_WMEM_DEFAULT, SK_RMEM_DEFAULT)."""
MAXIMUM_BUFFER: Final = 4_194_304
"""rmem_max and wmem_max: what SO_RCVBUF and SO_SNDBUF may be set to without privilege."""

WRITE_SPACE: Final = ev.POLLOUT | ev.POLLWRNORM | ev.POLLWRBAND


class Sock(FileObject):
    """The general part of a socket (`struct sock`).

    `rmem` is what its queue holds in memory, at most about `rcvbuf`; `options` those options that
    are only stored, by number; `rcvtimeo` and `sndtimeo` are nanoseconds, None is for ever.
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
        """Who opened it: what `file_ns_capable()` asks."""
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
        """Who waits for something to read, or polls."""
        queue = self.receivers
        queue.name = queue.name or self.title
        return queue

    @property
    def receivers(self) -> WaitQueue:
        """The same, for who knows where it waits: without a name, of which there would be many."""
        if self._readers is None:
            self._readers = WaitQueue()
        return self._readers

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """What poll(2) waits on."""
        return (self.readers,)

    def write_space(self) -> None:
        """Wake pollers if at most half of the send buffer is in use (`sock_def_write_space()`)."""
        if self._readers and self.wmem << 1 <= self.sndbuf:
            self._readers.wake_up_poll(WRITE_SPACE)

    def __repr__(self) -> str:
        return f"<{self.title}>"

    @property
    def title(self) -> str:
        """What it is called in lists of who waits where."""
        return f"socket of protocol {self.protocol}"

    def getpeername_bytes(self) -> bytes:
        """getpeername(2) as it is in memory; each protocol has its own."""
        raise NotImplementedError

    # -- as a file --------------------------------------------------------------

    exclusive_read = True
    signals_readers: ClassVar[bool] = True
    """Whether SIGIO is sent whenever a reader would be woken, and at no other time."""
    family: ClassVar[int]
    atomic_send: ClassVar[bool] = False
    rmem = 0
    wmem = 0
    """Memory of received and of sent messages; the receiver is charged for netlink, the sender for unix."""
    peer_creds: Creds | None = None
    """Who has the other end (SO_PEERCRED)."""

    def recvmsg(self, task: Task, size: int, controllen: int = 0, flags: int = 0) -> Received | None:
        """recvmsg(2); each protocol has its own."""
        raise NotImplementedError

    def sendmsg(
        self, task: Task, data: bytes, address: Any = None, control: Control = (), flags: int = 0
    ) -> int | Awaitable[int]:
        """sendmsg(2); each protocol has its own."""
        raise NotImplementedError

    @property
    def accepts(self) -> bool:
        """Whether it listens (SO_ACCEPTCONN)."""
        return False

    def opened(self, file: OpenFile) -> None:
        """It has an open file."""

    # What only connections have; the answers are those of sock_no_listen() and its like.

    def listen(self, task: Task, backlog: int) -> None:
        """listen(2)."""
        raise os_error(EOPNOTSUPP)

    def accept(self, task: Task) -> SocketObject | None:
        """accept(2): the next connection, None if there is none."""
        raise os_error(EOPNOTSUPP)

    def shutdown(self, task: Task, how: int) -> None:
        """shutdown(2)."""
        raise os_error(EOPNOTSUPP)

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | Awaitable[bytes] | None:
        """What recv(2) without flags gives; nothing if nothing is asked for (`sock_read_iter()`)."""
        if not size:
            return b""
        received = self.recvmsg(task, size, 0, 0)
        return None if received is None else received[0]

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int | Awaitable[int]:
        """What send(2) without flags does (`sock_write_iter()`)."""
        return self.sendmsg(task, data, None, NO_CONTROL, 0)

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int | Awaitable[int]:
        """Execute a request that every protocol handles."""
        return sock_ioctl(self.ioctl_table, self.net, task, request, argument)

    def fasync(self, file: OpenFile, fd: int, on: bool) -> None:
        """`sock_fasync()`; what wakes a reader is what sends the signal, unless the protocol knows better."""
        if self.fasync_list is None:
            self.fasync_list = FasyncList()
            if self.signals_readers:
                self.readers.add(FasyncWaiter(self.fasync_list))
        self.fasync_list.switch(file, fd, on)

    def cookie(self) -> int:
        """A number that no other socket has, from when it is first asked for (`__sock_gen_cookie()`)."""
        if not self._cookie:
            self._cookie = next(self.net.socket_cookies)
        return self._cookie

    @property
    def anon_attributes(self) -> AnonAttributes:
        """Its inode's number is its cookie, which on Linux are two numbers."""
        return AnonAttributes(S_IFSOCK | 0o777, self.cookie(), SOCKFS, self.opener.uid, self.opener.gid)

    @property
    def description(self) -> str:
        """What /proc/self/fd says (`sockfs_dname()`)."""
        return f"socket:[{self.cookie()}]"

    def accounts(self, nets: Iterable[Net]) -> tuple[str, int, int]:
        """Name and value of the counter of its memory, and the memory of its messages, in bytes."""
        return "rmem", self.rmem, 0

    def changed(self) -> None:
        """It has a filter, an error or an option, or has one no longer: a protocol may look at itself."""

    # -- the error ----------------------------------------------------------

    def report_error(self, number: int) -> None:
        """Let the next call fail with `number`, and whoever sleeps know (`sk_error_report()`)."""
        self.error = number
        self.changed()
        if self._readers:
            self._readers.wake_up()

    def take_error(self) -> int:
        """The error there is, if any; it is gone then (`sock_error()`)."""
        number, self.error = self.error, 0
        self.changed()
        return number

    # -- the filter ---------------------------------------------------------

    def attach_filter(self, code: bytes, random: Random) -> None:
        """Attach a filter program (`sk_attach_filter()`).  EPERM if it is locked, EINVAL if it is invalid."""
        if self.option(SO_LOCK_FILTER):
            raise os_error(EPERM)
        self.filter = Filter(code, random)
        self.changed()

    # -- options that are only stored -----------------------------------------

    def option(self, number: int) -> int:
        """The value of a stored option, 0 unless it was set."""
        return self.options.get(number, 0) if self.options else 0

    def set_option(self, number: int, value: int) -> None:
        """Store an option."""
        if self.options is None:
            self.options = {}
        self.options[number] = value
        self.changed()
