"""The common base of unix sockets: names, peers, memory, options and state (net/unix/af_unix.c)."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from functools import partial
from typing import ClassVar, Final

from simkernel.kernel.lib.fault import check_fault
from simkernel.kernel.net import sock_options
from simkernel.kernel.net.creds import Creds, own_creds
from simkernel.kernel.net.namespace import Net, PernetSlot, net_of
from simkernel.kernel.net.scm import ControlBuffer
from simkernel.kernel.net.sock import WRITE_SPACE, Sock
from simkernel.kernel.sched.wait import WaitQueue, WouldBlock
from simkernel.kernel.unix import scm
from simkernel.kernel.unix.context import UnixContext
from simkernel.kernel.unix.skb import UnixSkb, allocation, release_files
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.socket import Control, Received
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import errno
from simkernel.uapi import poll as ev
from simkernel.uapi import socket as so
from simkernel.uapi.errno import os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.ioctls import SIOCATMARK, SIOCINQ, SIOCOUTQ
from simkernel.uapi.structure import S32, U16, U32
from simkernel.uapi.un import SOCKADDR_UN_SIZE

RCV_SHUTDOWN: Final = 1
SEND_SHUTDOWN: Final = 2
SHUTDOWN_MASK: Final = RCV_SHUTDOWN | SEND_SHUTDOWN

DATA_READY: Final = ev.POLLIN | ev.POLLPRI | ev.POLLRDNORM | ev.POLLRDBAND

FIXED: Final = {so.SO_PEEK_OFF: -1, so.SO_PASSPIDFD: 0, so.SO_PASSRIGHTS: 1}
"""Maps options of unix sockets to their fixed values. If a program sets such an option to a different value,
this is not modelled.
"""

NO_NAME: Final = U16.pack(so.AF_UNIX)
"""The address of an unnamed socket."""


class SockState(Enum):
    """The state of a socket (`sk_state`), with the names of TCP's states."""

    CLOSE = "close"
    LISTEN = "listen"
    ESTABLISHED = "established"


class UnixSocket(Sock):
    """A unix socket (`struct unix_sock`).

    `name` is the whole address of the socket, or None. `peer` is the socket to which it sends. `wmem` is
    the memory of sent messages that are not received yet, in bytes.  Senders and connecting sockets wait
    on `peer_wait` for queue space.  Until accept(2), `listener` is the listening socket that has this one
    in its queue.
    """

    __slots__ = (
        "_peer_wait",
        "_writers",
        "backlog",
        "dead",
        "file",
        "listener",
        "messages",
        "name",
        "no_space",
        "peer",
        "peer_creds",
        "peer_groups",
        "scm_fds",
        "shutdown_mask",
        "state",
        "unix",
        "wmem",
    )

    family: ClassVar[int] = so.AF_UNIX
    ioctl_table = "unix"
    signals_readers: ClassVar[bool] = False
    connects: ClassVar[bool]
    """True for the connection-oriented types, SOCK_STREAM and SOCK_SEQPACKET. With these types, the two ends
    of a connection are the peers of each other.
    """

    def __init__(self, unix: UnixContext[UnixSocket], task: Task, type: int) -> None:
        super().__init__(net_of(task), type, 0, task.credentials)
        SOCKETS.of(self.net)[self] = None
        self.unix = unix
        self.name: bytes | None = None
        self.peer: UnixSocket | None = None
        self.peer_creds: Creds | None = None
        self.peer_groups: tuple[int, ...] | None = None
        self.state = SockState.CLOSE
        self.shutdown_mask = 0
        self.backlog = unix.max_dgram_qlen
        self.dead = False
        self.file: OpenFile | None = None
        self.listener: UnixSocket | None = None
        self.wmem = 0
        self.scm_fds = 0
        """Number of files in flight to the socket: the files in messages that no program has received
        (`scm_stat`). If the socket connects to another peer, the kernel drops the queued messages, but does
        not subtract their files, as on Linux.
        """
        self.no_space = False
        """True if a send found no space since the last SIGIO (SOCKWQ_ASYNC_NOSPACE)."""
        self.messages: deque[UnixSkb] = deque()
        self._writers: WaitQueue | None = None
        self._peer_wait: WaitQueue | None = None

    # -- waiting ----------------------------------------------------------------

    @property
    def title(self) -> str:
        """The name of the socket in lists of sleeping tasks."""
        return f"unix socket {self.name[U16.size :]!r}" if self.name else "a unix socket"

    @property
    def writers(self) -> WaitQueue:
        """The wait queue of tasks that wait for send memory."""
        if self._writers is None:
            self._writers = WaitQueue(f"send memory of {self.title}")
        return self._writers

    @property
    def peer_wait(self) -> WaitQueue:
        """The wait queue of senders that wait for space in this socket's queue."""
        if self._peer_wait is None:
            self._peer_wait = WaitQueue(f"queue space of {self.title}")
        return self._peer_wait

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """The wait queues for poll(2)."""
        return (self.readers, self.writers)

    def opened(self, file: OpenFile) -> None:
        """Store the socket's open file (`sock->file`)."""
        self.file = file

    def may_block(self, flags: int) -> bool:
        """Return True if a call with these MSG_ flags may block."""
        return not (flags & so.MSG_DONTWAIT or (self.file is not None and self.file.flags & O_NONBLOCK))

    def enqueue(self, skb: UnixSkb) -> None:
        """Append a message to the receive queue and wake readers."""
        self.messages.append(skb)
        if skb.files:
            self.unix.carriers.add(self)
            self.scm_fds += len(skb.files)
        self.data_ready()

    def data_ready(self) -> None:
        """Wake readers and send SIGIO, because a message has arrived (`sock_def_readable()`)."""
        if self._readers:
            self._readers.wake_up_poll(DATA_READY)
        if self.fasync_list:
            self.fasync_list.kill()

    def state_change(self) -> None:
        """Wake all readers and writers, because the state of the socket has changed (`sock_def_wakeup()`)."""
        for queue in (self._readers, self._writers):
            if queue:
                queue.wake_up_all()

    def report_error(self, number: int) -> None:
        """Set the pending error of the socket and wake readers and writers (`sk_error_report()`)."""
        self.error = number
        for queue in (self._readers, self._writers):
            if queue:
                queue.wake_up_poll(ev.POLLERR)
        if self.fasync_list:
            self.fasync_list.kill()

    def wake_senders(self) -> None:
        """Wake senders, because the receive queue has space (`unix_dgram_recvmsg()`)."""
        if self._peer_wait:
            self._peer_wait.wake_up_poll(WRITE_SPACE)

    # -- memory -----------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """True if poll(2) reports the socket as writable (`unix_writable()`)."""
        return self.state is not SockState.LISTEN and (self.wmem + 1) << 2 <= self.sndbuf

    def accounts(self, nets: Iterable[Net]) -> tuple[str, int, int]:
        if not self.wmem:
            return "wmem", 0, 0
        queues = (sock.messages for net in nets for sock in SOCKETS.of(net))
        return "wmem", self.wmem, sum(skb.truesize for each in queues for skb in each if skb.sender is self)

    def memory_freed(self, truesize: int) -> None:
        """Release the memory of a message that was received or dropped (`sock_wfree()`)."""
        self.wmem -= truesize
        self.write_space()

    def write_space(self) -> None:
        """Wake writers and pollers if at most a quarter of the send buffer is used (`unix_write_space()`)."""
        if self.writable:
            if self._writers:
                self._writers.wake_up_poll(WRITE_SPACE)
            if self.fasync_list and self.no_space:
                self.no_space = False
                self.fasync_list.kill()

    def allocate(
        self, truesize: int, pages: int, files: tuple[OpenFile, ...], retry: Callable[[], int]
    ) -> None:
        """Allocate send memory for a buffer (`sock_alloc_send_pskb()`). Raise WouldBlock if the send buffer
        is full.

        The operation that raised WouldBlock holds `files`. It drops them if it is not retried.
        """
        if self.error:
            raise os_error(self.take_error())
        if self.shutdown_mask & SEND_SHUTDOWN:
            raise os_error(errno.EPIPE)
        if self.wmem >= self.sndbuf:
            self.no_space = bool(self.fasync_list)
            raise WouldBlock(self.writers, retry, on_release=partial(release_files, files))
        check_fault(self.unix.faults, "skb.alloc")
        self.wmem += truesize
        self.unix.engine.charged += allocation(self.unix.costs, truesize, pages)

    def check_copy(self, skb: UnixSkb, *, owned: bool = True) -> None:
        """Check the copy of the data in `skb` from or to a program. Raise EFAULT if the fault point
        `usercopy` makes this copy fail.

        If the copy fails, an `owned` buffer is freed.
        """
        faults = self.unix.faults
        if faults is not None:
            try:
                faults.check_copy(len(skb.data))
            except OSError:
                if owned:
                    skb.free()
                raise

    def creds_for(self, task: Task, claimed: Creds | None, other: UnixSocket) -> Creds | None:
        """Return the credentials that a message carries. If the sender has passed credentials in a control
        message, `claimed` has these credentials and is returned. Otherwise, return the sender's own
        credentials if the sender or the receiver has set SO_PASSCRED, else None.

        A message to a connection that is not accepted yet also gets credentials, because the receiver may
        set SO_PASSCRED later (`maybe_add_creds()`).
        """
        asked = self.option(so.SO_PASSCRED) or other.option(so.SO_PASSCRED) or other.file is None
        return own_creds(task) if claimed is None and asked else claimed

    # -- names --------------------------------------------------------------------

    def bind(self, task: Task, address: bytes | tuple[int, int]) -> None:
        """Bind to a path or an abstract name (bind(2)).  An empty address selects a free abstract name."""
        raw = validate_address(address, unnamed=True)
        if raw == NO_NAME:
            self.unix.autobind(self)
        else:
            self.unix.bind(self, task, raw)

    def autobind_for_creds(self) -> None:
        """If the socket has SO_PASSCRED but no name, bind it to a free abstract name, as Linux does before
        connect(2) and before it sends a datagram.
        """
        if self.name is None and self.option(so.SO_PASSCRED):
            self.unix.autobind(self)

    def find(self, task: Task, address: bytes) -> UnixSocket:
        """Return the socket that is bound to `address` and has the same type as this socket.

        Raises ECONNREFUSED, ENOENT or EPROTOTYPE.
        """
        return self.unix.find(task, self.net, address, self.type)

    def getsockname(self) -> bytes:
        """Return the socket's own address (getsockname(2))."""
        return self.name or NO_NAME

    def getpeername(self) -> bytes:
        """Return the peer's address (getpeername(2)).  Raise ENOTCONN without a peer."""
        if self.peer is None:
            raise os_error(errno.ENOTCONN)
        return self.peer.getsockname()

    def getpeername_bytes(self) -> bytes:
        """Return the peer's address as bytes, for SO_PEERNAME."""
        return self.getpeername()

    def connect(self, task: Task, address: bytes | tuple[int, int]) -> None:
        """Connect the socket to an address (connect(2))."""
        raise NotImplementedError

    def init_peercred(self, task: Task) -> None:
        """Store the credentials and groups of `task` as the values of SO_PEERCRED and SO_PEERGROUPS
        (`init_peercred()`).
        """
        self.peer_creds = own_creds(task)
        self.peer_groups = tuple(sorted(task.credentials.groups))

    def copy_peercred(self, other: UnixSocket) -> None:
        """Copy the peer credentials of `other` (`copy_peercred()`)."""
        self.peer_creds, self.peer_groups = other.peer_creds, other.peer_groups

    def _peer_groups(self, length: int) -> bytes:
        """Return the value of SO_PEERGROUPS. Raise ENODATA if the socket has no peer credentials, ERANGE if
        `length` is too small for the value.
        """
        if self.peer_groups is None:
            raise os_error(errno.ENODATA)
        if length < len(self.peer_groups) * U32.size:
            raise os_error(errno.ERANGE)
        return b"".join(map(U32.pack, self.peer_groups))

    # -- options ------------------------------------------------------------------

    def setsockopt(self, task: Task, level: int, option: int, value: bytes) -> None:
        """Set an option of SOL_SOCKET (setsockopt(2)).  Raise EOPNOTSUPP for other levels."""
        if level != so.SOL_SOCKET:
            raise os_error(errno.EOPNOTSUPP)
        if option in FIXED and len(value) >= S32.size:
            if S32.unpack_from(value)[0] != FIXED[option]:
                raise self.unix.unmodelled(
                    f"socket option {option} of a unix socket is not modelled", errno.EOPNOTSUPP
                )
            return
        sock_options.set_option(self, task, option, value)

    def getsockopt(self, task: Task, level: int, option: int, length: int) -> bytes:
        """Return an option of SOL_SOCKET (getsockopt(2)).  Raise EOPNOTSUPP for other levels."""
        if level != so.SOL_SOCKET:
            raise os_error(errno.EOPNOTSUPP)
        if option in FIXED and length >= 0:
            return S32.pack(FIXED[option])[:length]
        if option == so.SO_PEERGROUPS:
            return self._peer_groups(length)
        if option == so.SO_PEERPIDFD and self.peer_creds is not None:
            raise self.unix.unmodelled("SO_PEERPIDFD is not modelled", errno.ENODATA)
        return sock_options.get_option(self, option, length)

    @property
    def accepts(self) -> bool:
        """True if the socket listens (SO_ACCEPTCONN)."""
        return self.state is SockState.LISTEN

    # -- ioctl --------------------------------------------------------------------

    def queued(self) -> int:
        """Return the number of bytes that can be received (SIOCINQ, `unix_inq_len()`)."""
        raise NotImplementedError

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int | Awaitable[int]:
        """Execute SIOCINQ, SIOCOUTQ or SIOCATMARK.

        SIOCATMARK returns 0, because urgent data is not modelled.
        """
        if request == SIOCATMARK and self.type != so.SOCK_STREAM:
            raise os_error(errno.EOPNOTSUPP)
        ask = {SIOCOUTQ: lambda: self.wmem, SIOCINQ: self.queued}.get(request)
        if ask is None and request != SIOCATMARK:
            return super().ioctl(task, file, request, argument)
        task.mm.write(argument, S32.pack(ask() if ask else 0))
        return 0

    def fdinfo(self) -> str:
        """Return the number of files in flight to the socket (`unix_show_fdinfo()`).

        A listening socket counts the files in flight to its queued connections.
        """
        travelling = self.scm_fds
        if self.state is SockState.LISTEN:
            travelling = sum(skb.sender.scm_fds for skb in self.messages)
        shown = not self.connects or self.state is not SockState.CLOSE
        return f"scm_fds: {travelling if shown else 0}\n"

    # -- state ----------------------------------------------------------------------

    def poll(self) -> int:
        """Return the poll events (`unix_poll()`)."""
        events = ev.POLLERR if self.error else 0
        if self.shutdown_mask == SHUTDOWN_MASK or (self.connects and self.state is SockState.CLOSE):
            events |= ev.POLLHUP
        if self.shutdown_mask & RCV_SHUTDOWN:
            events |= ev.POLLRDHUP | ev.POLLIN | ev.POLLRDNORM
        if self.messages:
            events |= ev.POLLIN | ev.POLLRDNORM
        if self.writable:
            events |= WRITE_SPACE
        return events

    def shutdown(self, task: Task, how: int) -> None:
        """Shut down receiving, sending or both (shutdown(2)).

        The peer of a connection is shut down in the opposite direction.
        """
        if not so.SHUT_RD <= how <= so.SHUT_RDWR:
            raise os_error(errno.EINVAL)
        mask = how + 1
        self.shutdown_mask |= mask
        self.state_change()
        other = self.peer
        if other is None or not self.connects:
            return
        theirs = (SEND_SHUTDOWN if mask & RCV_SHUTDOWN else 0) | (RCV_SHUTDOWN if mask & SEND_SHUTDOWN else 0)
        other.shutdown_mask |= theirs
        other.state_change()
        if other.fasync_list and theirs & RCV_SHUTDOWN:
            other.fasync_list.kill()

    def release(self, *, embryo: bool = False) -> None:
        """Close the socket (`unix_release_sock()`).

        `embryo` is true for a connection that was never accepted.
        """
        self.unix.engine.charged += self.unix.costs.socket_close
        self.unix.forget(self)
        SOCKETS.of(self.net).pop(self, None)
        self.dead = True
        self.shutdown_mask = SHUTDOWN_MASK
        listening = self.state is SockState.LISTEN
        self.state = SockState.CLOSE
        peer, self.peer = self.peer, None
        if self._peer_wait:
            self._peer_wait.wake_up_all()
        if peer is not None and self.connects:
            peer.shutdown_mask = SHUTDOWN_MASK
            # Linux does not count an empty first message, which remains after its MSG_OOB byte was read
            skipped = bool(self.messages) and not self.messages[0].length
            if len(self.messages) > skipped or embryo:
                peer.error = errno.ECONNRESET
            peer.state_change()
            if peer.fasync_list:
                peer.fasync_list.kill()
        self._disconnected(peer)
        while self.messages:
            skb = self.messages.popleft()
            if listening:
                skb.sender.release(embryo=True)
            skb.free()
        self.unix.carriers.collect()
        self.net.put()

    def _disconnected(self, peer: UnixSocket | None) -> None:
        """Do nothing when the socket is closed. A datagram socket overrides this method to leave the wait
        queue of its peer.
        """

    # -- removing messages from the queue ---------------------------------------------

    def control_for(self, task: Task, controllen: int, skb: UnixSkb, flags: int) -> ControlBuffer:
        """Return the control messages for the receiver of a message."""
        control = ControlBuffer(controllen)
        files, skb.files = skb.files, ()
        self.scm_fds -= 0 if flags & so.MSG_PEEK else len(files)
        scm.receive(self, task, control, skb.creds, files, flags)
        return control

    def send_control(self, task: Task, control: Control) -> tuple[Creds | None, tuple[OpenFile, ...]]:
        """Return the credentials and the files in the control messages of a send."""
        return scm.send(task, control, self.unix.pid_exists) if control else (None, ())

    def recvmsg(self, task: Task, size: int, controllen: int = 0, flags: int = 0) -> Received | None:
        """Receive a message (recvmsg(2))."""
        raise NotImplementedError


SOCKETS: Final[PernetSlot[dict[UnixSocket, None]]] = PernetSlot(dict)
"""The unix sockets of a network namespace, in the order of their creation."""


def validate_address(address: bytes | tuple[int, int], *, unnamed: bool = False) -> bytes:
    """Return `address` if it is a valid sockaddr (`unix_validate_addr()`).

    Raises EINVAL for another family, an address that is too long, or one without a name unless `unnamed`.
    """
    if not isinstance(address, bytes) or len(address) < U16.size:
        raise os_error(errno.EINVAL)
    if len(address) > SOCKADDR_UN_SIZE or U16.unpack_from(address)[0] != so.AF_UNIX:
        raise os_error(errno.EINVAL)
    if address == NO_NAME and not unnamed:
        raise os_error(errno.EINVAL)
    return address
