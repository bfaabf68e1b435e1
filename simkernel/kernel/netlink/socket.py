"""System calls on a program's netlink socket (`netlink_ops`).

A socket does not know its caller and never blocks. If a send must wait for queue space, it raises
`WouldBlock`. If a driver sleeps before it answers, the send returns an awaitable. A receive from an empty
queue returns None.
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
    """A program's netlink socket, with the operations that system calls use."""

    __slots__ = ()

    def bind(self, task: Task, address: Address) -> None:
        """Assign a port id, and set the memberships in the first 32 groups to the group mask of the address
        (bind(2)).
        """
        addresses.bind(self, task, address)

    def connect(self, task: Task, address: Address) -> None:
        """Set the default destination of `sendmsg` (connect(2))."""
        addresses.connect(self, task, address)

    def getsockname(self) -> tuple[int, int]:
        """Return the port id and the mask of the first 32 groups (getsockname(2), `netlink_getname()`)."""
        return self.portid, self.groups & 0xFFFFFFFF

    def getpeername(self) -> tuple[int, int]:
        """Return the default destination, or (0, 0) for the kernel if the socket is not connected
        (getpeername(2)).
        """
        return self.destination, addresses.group_mask(self.destination_group)

    def getpeername_bytes(self) -> bytes:
        """Return the peer's address as a packed `struct sockaddr_nl`, for SO_PEERNAME."""
        portid, groups = self.getpeername()
        return SockaddrNl(pid=portid, groups=groups).pack()

    sendmsg = send.sendmsg
    recvmsg = receive.recvmsg

    def setsockopt(self, task: Task, level: int, option: int, value: bytes) -> None:
        """Set a socket option of level SOL_SOCKET or SOL_NETLINK (setsockopt(2))."""
        if level == SOL_SOCKET:
            sock_options.set_option(self, task, option, value)
        else:
            options.set_option(self, task, level, option, value)

    def getsockopt(self, task: Task, level: int, option: int, length: int) -> bytes:
        """Return the value of a socket option (getsockopt(2)). The length of the result is the `optlen` that
        the call reports.
        """
        if level == SOL_SOCKET:
            return sock_options.get_option(self, option, length)
        return options.get_option(self, level, option, length)

    def release(self) -> None:
        """Close the socket, after its last file descriptor was closed (`netlink_release()`)."""
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
