"""The calls on a program's netlink socket (`netlink_ops`).

A socket does not know its caller and never waits.  A send that would have to wait raises `WouldBlock`, and
one that a driver answers only after sleeping returns an awaitable; a receive that finds nothing is None.
"""

from __future__ import annotations

from simkernel.kernel.net import sock_options
from simkernel.kernel.netlink import address as addresses
from simkernel.kernel.netlink import options, receive, send
from simkernel.kernel.netlink.owner import put_owner
from simkernel.kernel.netlink.sock import NetlinkSock, group_numbers
from simkernel.kernel.vfs.socket import Address
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.netlink import SockaddrNl
from simkernel.uapi.socket import SOL_SOCKET


class NetlinkSocket(NetlinkSock):
    """A netlink socket with its operations."""

    __slots__ = ()

    def bind(self, task: Task, address: Address) -> None:
        """bind(2): take a port id, and the first 32 groups as the mask says."""
        addresses.bind(self, task, address)

    def connect(self, task: Task, address: Address) -> None:
        """connect(2): where `sendmsg` sends without an address."""
        addresses.connect(self, task, address)

    def getsockname(self) -> tuple[int, int]:
        """getsockname(2): port id, and the mask of the first 32 groups (`netlink_getname()`)."""
        return self.portid, self.groups & 0xFFFFFFFF

    def getpeername(self) -> tuple[int, int]:
        """getpeername(2): where it is connected to; the kernel (0, 0) if nowhere."""
        return self.destination, addresses.group_mask(self.destination_group)

    def getpeername_bytes(self) -> bytes:
        """getpeername(2) as it is in memory, for SO_PEERNAME."""
        portid, groups = self.getpeername()
        return SockaddrNl(pid=portid, groups=groups).pack()

    sendmsg = send.sendmsg
    recvmsg = receive.recvmsg

    def setsockopt(self, task: Task, level: int, option: int, value: bytes) -> None:
        """setsockopt(2)."""
        if level == SOL_SOCKET:
            sock_options.set_option(self, task, option, value)
        else:
            options.set_option(self, task, level, option, value)

    def getsockopt(self, task: Task, level: int, option: int, length: int) -> bytes:
        """getsockopt(2): the value, as long as the call reports it to be."""
        if level == SOL_SOCKET:
            return sock_options.get_option(self, option, length)
        return options.get_option(self, level, option, length)

    def release(self) -> None:
        """Close the socket with its last descriptor (`netlink_release()`)."""
        netlink, entry, groups = self.netlink, self.entry, self.groups
        netlink.engine.charged += netlink.costs.socket_close
        self.ports.remove(self.portid, self)
        entry.update(self, 0)
        if entry.release is not None:
            entry.release(self)
        addresses.leave(self, group_numbers(groups))
        if self._senders:
            self._senders.wake_up_all()
        if self.dump is not None:
            self.dump.close()
            self.dump = None
        self.queue = None
        self.rmem = 0
        put_owner(self.owner)
        netlink.statistics.sockets -= 1
        self.net.put()
