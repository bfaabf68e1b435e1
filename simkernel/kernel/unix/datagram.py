"""Datagram sockets of AF_UNIX (`unix_dgram_ops`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from simkernel.kernel.net.creds import Creds
from simkernel.kernel.net.scm import ControlMessage
from simkernel.kernel.net.sock import WRITE_SPACE
from simkernel.kernel.sched.wait import WaitQueue, WouldBlock
from simkernel.kernel.unix.context import UnixContext
from simkernel.kernel.unix.skb import UnixSkb, datagram_pages, end_of_file, release_files, truesize
from simkernel.kernel.unix.socket import (
    RCV_SHUTDOWN,
    SockState,
    UnixSocket,
    validate_address,
)
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.socket import Control, Received
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import errno
from simkernel.uapi.errno import os_error
from simkernel.uapi.socket import AF_UNSPEC, MSG_CMSG_CLOEXEC, MSG_OOB, MSG_PEEK, MSG_TRUNC
from simkernel.uapi.structure import U16

RESERVE = 32
"""A message may be as large as the send buffer minus this number of bytes."""


class DatagramSocket(UnixSocket):
    """A datagram socket, which may be connected to a default receiver."""

    __slots__ = ("_relay",)

    connects: ClassVar[bool] = False

    def __init__(self, unix: UnixContext[UnixSocket], task: Task, type: int) -> None:
        super().__init__(unix, task, type)
        self._relay: PeerWake | None = None

    # -- the peer -------------------------------------------------------------------

    def connect(self, task: Task, address: bytes | tuple[int, int]) -> None:
        """Set the default receiver of messages (connect(2), `unix_dgram_connect()`). The address family
        AF_UNSPEC removes the receiver.

        Raises EPERM if the other socket is connected to a third one.
        """
        other: UnixSocket | None = None
        if not isinstance(address, bytes) or len(address) < U16.size:
            raise os_error(errno.EINVAL)
        if U16.unpack_from(address)[0] != AF_UNSPEC:
            raw = validate_address(address)
            self.autobind_for_creds()
            other = self.find(task, raw)
            if not self._may_send(other):
                raise os_error(errno.EPERM)
            self.state = other.state = SockState.ESTABLISHED
        old, self.peer = self.peer, other
        if old is None:
            return
        if other is None:
            self.state = SockState.CLOSE
        self._stop_relay()
        if other is not old:
            self._lost(old)
            if old.peer is None:
                old.state = SockState.CLOSE

    def _may_send(self, other: UnixSocket) -> bool:
        """Return True if `other` has no peer, or if its peer is this socket (`unix_may_send()`)."""
        return other.peer is None or other.peer is self

    def _lost(self, old: UnixSocket) -> None:
        """Drop all messages in the receive queue, because the socket's peer has changed. If messages were
        dropped and the old peer is connected to this socket, report ECONNRESET to the old peer.
        """
        if self.messages:
            while self.messages:
                self.messages.popleft().free()
            self.wake_senders()
            if not old.dead and old.peer is self:
                old.report_error(errno.ECONNRESET)

    def _disconnected(self, peer: UnixSocket | None) -> None:
        self._stop_relay()

    # -- sending --------------------------------------------------------------------

    def sendmsg(
        self,
        task: Task,
        data: bytes,
        address: bytes | tuple[int, int] | None = None,
        control: Control = (),
        flags: int = 0,
    ) -> int:
        """Send one datagram (`unix_dgram_sendmsg()`).

        Raises ENOTCONN, ECONNREFUSED, EPERM or EPIPE. Raises EMSGSIZE if the data exceeds the send buffer.
        """
        creds, files = self.send_control(task, control)
        return self._send(task, data, address, creds, files, flags)

    def _send(
        self,
        task: Task,
        data: bytes,
        address: bytes | tuple[int, int] | None,
        creds: Creds | None,
        files: tuple[OpenFile, ...],
        flags: int,
    ) -> int:
        pages = datagram_pages(len(data))
        size = truesize(len(data), pages)
        try:
            if flags & MSG_OOB:
                raise os_error(errno.EOPNOTSUPP)
            target = None if address is None else validate_address(address)
            self.autobind_for_creds()
            if len(data) > self.sndbuf - RESERVE:
                raise os_error(errno.EMSGSIZE)
            self.allocate(size, pages, files, partial(self._send, task, data, address, creds, files, flags))
        except OSError:
            release_files(files)
            raise
        costs = self.unix.costs
        self.unix.engine.charged += costs.send + costs.copy(len(data))
        skb = UnixSkb(self, data, size, creds, files, self.unix.trace.flow)
        if self.unix.faults is not None:
            self.check_copy(skb)
        return self._deliver(task, skb, target, flags)

    def _deliver(self, task: Task, skb: UnixSkb, target: bytes | None, flags: int) -> int:
        try:
            return self._queue(task, skb, target, flags)
        except OSError:
            skb.free()
            raise

    def _queue(self, task: Task, skb: UnixSkb, target: bytes | None, flags: int) -> int:
        """Put the message into the receiver's queue. This step is repeated after waiting for queue space."""
        other = self.peer if target is None else self.find(task, target)
        if other is None:
            raise os_error(errno.ENOTCONN)
        if not self._may_send(other):
            raise os_error(errno.EPERM)
        if other.dead:
            self.peer = None
            self.state = SockState.CLOSE
            self._stop_relay()
            self._lost(other)
            raise os_error(errno.ECONNREFUSED)
        sent = len(skb.data)
        if other.filter is not None:
            length = other.filter.run(skb.data)
            if not length:
                skb.free()
                return sent
            skb.data = skb.data[:length]
        if other.shutdown_mask & RCV_SHUTDOWN:
            raise os_error(errno.EPIPE)
        if other is not self and other.peer is not self and len(other.messages) > other.backlog:
            retry = partial(self._deliver, task, skb, target, flags)
            raise WouldBlock(other.peer_wait, retry, on_release=skb.free, exclusive=True)
        skb.creds = self.creds_for(task, skb.creds, other)
        self.unix.engine.charged += self.unix.costs.deliver
        other.enqueue(skb)
        return sent

    # -- receiving --------------------------------------------------------------------

    def recvmsg(self, task: Task, size: int, controllen: int = 0, flags: int = 0) -> Received | None:
        """Receive the oldest datagram and drop the bytes beyond `size`.  MSG_PEEK leaves it in the queue."""
        if flags & MSG_OOB:
            raise os_error(errno.EOPNOTSUPP)
        if self.error:
            raise os_error(self.take_error())
        if not self.messages:
            return end_of_file(flags) if self.shutdown_mask & RCV_SHUTDOWN and self.may_block(flags) else None
        peek = flags & MSG_PEEK
        skb = self.messages[0] if peek else self.messages.popleft()
        self.wake_senders()
        if self.unix.faults is not None:
            self.check_copy(skb, owned=not peek)
        data = skb.data[:size]
        costs = self.unix.costs
        self.unix.engine.charged += costs.receive + costs.copy(len(data))
        self.unix.trace.flow = skb.flow
        message_flags = flags & MSG_CMSG_CLOEXEC | (MSG_TRUNC if len(data) < len(skb.data) else 0)
        files = skb.files
        if peek:
            for file in files:
                file.get()
        control = self.control_for(task, controllen, skb, flags)
        messages: Sequence[ControlMessage] = control.messages
        length = len(skb.data) if flags & MSG_TRUNC else len(data)
        if peek:
            skb.files = files
        else:
            skb.free()
        address = skb.sender.name or b""
        return data, length, messages, message_flags | control.flags, address

    # -- state ----------------------------------------------------------------------

    def queued(self) -> int:
        """Return the length of the next datagram in bytes, 0 if the queue is empty (SIOCINQ)."""
        return self.messages[0].length if self.messages else 0

    def poll(self) -> int:
        """Return the poll events (`unix_dgram_poll()`).

        The socket is not writable while its peer's queue is full, unless the peer is connected to this
        socket.
        """
        events = super().poll()
        if events & WRITE_SPACE and self._peer_full():
            events &= ~WRITE_SPACE
        if not events & WRITE_SPACE:
            self.no_space = bool(self.fasync_list)
        return events

    def _peer_full(self) -> bool:
        other = self.peer
        if other is None or other.peer is self or len(other.messages) <= other.backlog or other.dead:
            return False
        if self._relay is None:
            self._relay = PeerWake(self, other.peer_wait)
        return True

    def _stop_relay(self) -> None:
        if self._relay is not None:
            self._relay.stop()
            self.writers.wake_up_poll(WRITE_SPACE)

    def relayed(self, events: int) -> None:
        """Wake the writers, because the peer's queue has space again."""
        self._relay = None
        self.writers.wake_up_poll(events)


class PeerWake:
    """The entry of a sending socket in the wait queue of a receiver whose receive queue is full.

    A wake-up of the entry wakes the pollers of the sender (`unix_dgram_peer_wake_relay()`).
    """

    exclusive = False

    def __init__(self, sock: DatagramSocket, queue: WaitQueue) -> None:
        self._sock = sock
        self._queue = queue
        queue.add(self)

    def wake(self, woken: bool) -> None:
        """Handle a wake-up without event mask: the receiver's queue has space, or the receiver is closed."""
        self.wake_for(self._queue, 0)

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Leave the receiver's wait queue and wake the sender's pollers."""
        self._queue.discard(self)
        self._sock.relayed(events)
        return False

    def stop(self) -> None:
        """Leave the receiver's wait queue, because the sender has another peer."""
        self._queue.discard(self)
        self._sock._relay = None
