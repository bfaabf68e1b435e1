"""Connections between unix sockets: listen, connect and accept of SOCK_STREAM and SOCK_SEQPACKET."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from simkernel.kernel.net.truesize import allot
from simkernel.kernel.sched.wait import WouldBlock
from simkernel.kernel.unix.skb import UnixSkb
from simkernel.kernel.unix.socket import RCV_SHUTDOWN, SockState, UnixSocket, validate_address
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import errno
from simkernel.uapi import socket as so
from simkernel.uapi.errno import os_error


class ConnectionSocket(UnixSocket):
    """A socket of a connection-oriented type: SOCK_STREAM or SOCK_SEQPACKET."""

    __slots__ = ()

    connects: ClassVar[bool] = True

    def listen(self, task: Task, backlog: int) -> None:
        """Make the socket listen (listen(2)).  Raise EINVAL if it has no name or is connected."""
        if self.name is None or self.state not in (SockState.CLOSE, SockState.LISTEN):
            raise os_error(errno.EINVAL)
        backlog = min(backlog & 0xFFFFFFFF, so.SOMAXCONN)
        if backlog > self.backlog and self._peer_wait:
            self._peer_wait.wake_up_all()
        self.backlog = backlog
        self.state = SockState.LISTEN
        self.init_peercred(task)

    def connect(self, task: Task, address: bytes | tuple[int, int]) -> None:
        """Queue a connection at the listening socket (connect(2), `unix_stream_connect()`).

        Raises WouldBlock while the listener's queue is full, ECONNREFUSED if no socket listens, EISCONN.
        """
        raw = validate_address(address)
        self.autobind_for_creds()
        other = self.find(task, raw)
        if other.state is not SockState.LISTEN or other.shutdown_mask & RCV_SHUTDOWN:
            raise os_error(errno.ECONNREFUSED)
        if len(other.messages) > other.backlog:
            raise WouldBlock(other.peer_wait, partial(self._connect_again, task, address), exclusive=True)
        if self.state is not SockState.CLOSE:
            raise os_error(errno.EISCONN if self.state is SockState.ESTABLISHED else errno.EINVAL)
        end = type(self)(self.unix, task, self.type)
        end.peer = self
        end.init_peercred(task)
        end.name = other.name
        end.listener = other
        # the new socket inherits these options from the listening socket (`unix_sock_inherit_flags()`)
        for option in (so.SO_PASSCRED, so.SO_PASSSEC):
            if other.option(option):
                end.set_option(option, 1)
        end.state = self.state = SockState.ESTABLISHED
        self.peer = end
        self.copy_peercred(other)
        costs = self.unix.costs
        self.unix.engine.charged += costs.socket_create + costs.skb_alloc + costs.deliver
        size = allot(1)[1]
        end.wmem += size
        other.messages.append(UnixSkb(end, b"", size, None, (), self.unix.trace.flow))
        other.data_ready()

    def _connect_again(self, task: Task, address: bytes | tuple[int, int]) -> int:
        self.connect(task, address)
        return 0

    def accept(self, task: Task) -> ConnectionSocket | None:
        """Return the next connection, or None if the queue is empty (accept(2)).

        Raises EINVAL unless the socket listens.
        """
        if self.state is not SockState.LISTEN:
            raise os_error(errno.EINVAL)
        if not self.messages:
            if self.shutdown_mask & RCV_SHUTDOWN and self.may_block(0):
                raise os_error(errno.EINVAL)
            return None
        skb = self.messages.popleft()
        if self._peer_wait:
            self._peer_wait.wake_up()
        end = skb.sender
        assert isinstance(end, ConnectionSocket)
        end.listener = None
        end.opener = task.credentials  # accept(2) creates the inode, so its caller owns it (`sock_alloc()`)
        skb.free()
        return end

    def queued(self) -> int:
        """Return the number of bytes that can be received (SIOCINQ).  Raise EINVAL for a listening socket."""
        if self.state is SockState.LISTEN:
            raise os_error(errno.EINVAL)
        return sum(skb.length for skb in self.messages)
