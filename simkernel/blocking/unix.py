"""A look-alike of `socket.socket` with AF_UNIX for ordinary code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.application.socket import Socket
from simkernel.application.unix import UnixSocket
from simkernel.blocking.blocking import twin
from simkernel.blocking.socket import BlockingSocket
from simkernel.uapi.un import UnixAddress

if TYPE_CHECKING:
    from simkernel.blocking.process import Blocking


class BlockingUnixSocket(BlockingSocket):
    """A unix socket whose calls return their results.

    Its addresses are of another type than a netlink socket's, as in Python's socket module.
    """

    bind = twin(UnixSocket.bind)  # type: ignore[arg-type]
    connect = twin(UnixSocket.connect)  # type: ignore[arg-type]
    connect_ex = twin(UnixSocket.connect_ex)  # type: ignore[arg-type]
    getsockname = twin(UnixSocket.getsockname)  # type: ignore[arg-type]
    getpeername = twin(UnixSocket.getpeername)  # type: ignore[arg-type]
    sendall = twin(UnixSocket.sendall)
    sendto = twin(UnixSocket.sendto)
    sendmsg = twin(UnixSocket.sendmsg)  # type: ignore[arg-type]
    recvfrom = twin(UnixSocket.recvfrom)  # type: ignore[arg-type]
    recvmsg = twin(UnixSocket.recvmsg)  # type: ignore[arg-type]
    recvfrom_into = twin(UnixSocket.recvfrom_into)  # type: ignore[arg-type]
    recvmsg_into = twin(UnixSocket.recvmsg_into)  # type: ignore[arg-type]

    def accept(self) -> tuple[BlockingSocket, UnixAddress]:  # type: ignore[override]
        """The next connection, and the name of its other end."""
        accepted, address = self.run(self.inside.accept())
        return BlockingUnixSocket(self._owner, accepted), address

    def dup(self) -> BlockingSocket:
        """Another descriptor for the same socket."""
        return BlockingUnixSocket(self._owner, self.run(self.inside.dup()))


def blocking_socket(owner: Blocking, inside: Socket) -> BlockingSocket:
    """The look-alike of a socket, as its family needs it."""
    kind = BlockingUnixSocket if isinstance(inside, UnixSocket) else BlockingSocket
    return kind(owner, inside)
