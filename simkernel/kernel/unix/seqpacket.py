"""SOCK_SEQPACKET sockets of AF_UNIX (`unix_seqpacket_ops`)."""

from __future__ import annotations

from simkernel.kernel.unix.connection import ConnectionSocket
from simkernel.kernel.unix.datagram import DatagramSocket
from simkernel.kernel.unix.skb import end_of_file
from simkernel.kernel.unix.socket import RCV_SHUTDOWN, SockState
from simkernel.kernel.vfs.socket import Control, Received
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import errno
from simkernel.uapi.errno import os_error


class SeqpacketSocket(ConnectionSocket, DatagramSocket):
    """A connected or listening SOCK_SEQPACKET socket. It sends each record as one datagram to its peer."""

    __slots__ = ()

    def sendmsg(
        self,
        task: Task,
        data: bytes,
        address: bytes | tuple[int, int] | None = None,
        control: Control = (),
        flags: int = 0,
    ) -> int:
        """Send one record (`unix_seqpacket_sendmsg()`).  The address is ignored, as on Linux.

        Raises the pending error of the socket, ENOTCONN, or EPIPE without SIGPIPE.
        """
        if self.error:
            raise os_error(self.take_error())
        if self.state is not SockState.ESTABLISHED:
            raise os_error(errno.ENOTCONN)
        return super().sendmsg(task, data, None, control, flags)

    def recvmsg(self, task: Task, size: int, controllen: int = 0, flags: int = 0) -> Received | None:
        """Receive the oldest record (`unix_seqpacket_recvmsg()`). Raise ENOTCONN if the socket is not
        connected.

        Unlike a datagram socket, a non-blocking SOCK_SEQPACKET socket returns the end of file too.
        """
        if self.state is not SockState.ESTABLISHED:
            raise os_error(errno.ENOTCONN)
        received = super().recvmsg(task, size, controllen, flags)
        return end_of_file(flags) if received is None and self.shutdown_mask & RCV_SHUTDOWN else received
