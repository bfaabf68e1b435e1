"""The address family AF_UNIX of a machine (`unix_family_ops`)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.lib.fault import check_fault
from simkernel.kernel.unix.context import UnixContext
from simkernel.kernel.unix.datagram import DatagramSocket
from simkernel.kernel.unix.seqpacket import SeqpacketSocket
from simkernel.kernel.unix.socket import SockState, UnixSocket
from simkernel.kernel.unix.stream import StreamSocket
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EPROTONOSUPPORT, ESOCKTNOSUPPORT, os_error
from simkernel.uapi.socket import AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM

KINDS: Final[dict[int, type[UnixSocket]]] = {
    SOCK_STREAM: StreamSocket,
    SOCK_DGRAM: DatagramSocket,
    SOCK_SEQPACKET: SeqpacketSocket,
}


class Unix(UnixContext[UnixSocket]):
    """The factory of unix sockets."""

    def socket(self, task: Task, kind: int, protocol: int) -> UnixSocket:
        """Create a socket (`unix_create()`). Raise EPROTONOSUPPORT for an unknown protocol, ESOCKTNOSUPPORT
        for an unknown type.
        """
        if protocol not in (0, AF_UNIX):
            raise os_error(EPROTONOSUPPORT)
        if kind == SOCK_RAW:
            kind = SOCK_DGRAM
        make = KINDS.get(kind)
        if make is None:
            raise os_error(ESOCKTNOSUPPORT)
        check_fault(self.faults, "kmalloc", what="socket")
        self.engine.charged += self.costs.socket_create
        return make(self, task, kind)

    def socketpair(self, task: Task, kind: int, protocol: int) -> tuple[UnixSocket, UnixSocket]:
        """Create two sockets that are connected to each other (`unix_socketpair()`)."""
        one, other = self.socket(task, kind, protocol), self.socket(task, kind, protocol)
        for sock, peer in ((one, other), (other, one)):
            sock.peer = peer
            sock.init_peercred(task)
            sock.state = SockState.ESTABLISHED
        return one, other
