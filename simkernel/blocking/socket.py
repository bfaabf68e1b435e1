"""Blocking sockets with the interface of `socket.socket`, for plain functions and for code outside the
simulation.
"""

from __future__ import annotations

from typing import Any, Self

from simkernel.application.socket import AnySocket
from simkernel.blocking.descriptor import RealDescriptor
from simkernel.blocking.methods import CallRunner, blocking
from simkernel.blocking.sync_runner import SyncRunner


class BlockingSocket:
    """A simulated socket with the methods, arguments, results and exceptions of `socket.socket`.

    An address has the type that Python's socket module uses for the socket's family.
    """

    __slots__ = ("__dict__",)

    def __init__(self, runner: CallRunner, wrapped: AnySocket) -> None:
        self._runner = runner
        self.run = runner.run
        self.wrapped = wrapped

    def __repr__(self) -> str:
        return repr(self.wrapped)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- attributes -----------------------------------------------------------

    @property
    def family(self) -> int:
        """The address family, an AF_ number."""
        return self.wrapped.family

    @property
    def type(self) -> int:
        """The socket type, a SOCK_ number."""
        return self.wrapped.type

    @property
    def proto(self) -> int:
        """The protocol number.  For a netlink socket it is a NETLINK_ number."""
        return self.wrapped.proto

    @property
    def descriptor(self) -> int:
        """The file descriptor inside the machine, or -1 if it is closed."""
        return self.wrapped.fileno()

    def fileno(self) -> int:
        """Return the file descriptor inside the machine, or -1 if it is closed."""
        return self.wrapped.fileno()

    # -- system calls ---------------------------------------------------------

    bind = blocking(AnySocket.bind)
    connect = blocking(AnySocket.connect)
    connect_ex = blocking(AnySocket.connect_ex)
    getsockname = blocking(AnySocket.getsockname)
    getpeername = blocking(AnySocket.getpeername)
    listen = blocking(AnySocket.listen)
    shutdown = blocking(AnySocket.shutdown)
    send = blocking(AnySocket.send)
    sendall = blocking(AnySocket.sendall)
    sendto = blocking(AnySocket.sendto)
    sendmsg = blocking(AnySocket.sendmsg)
    recv = blocking(AnySocket.recv)
    recvfrom = blocking(AnySocket.recvfrom)
    recvmsg = blocking(AnySocket.recvmsg)
    recv_into = blocking(AnySocket.recv_into)
    recvfrom_into = blocking(AnySocket.recvfrom_into)
    recvmsg_into = blocking(AnySocket.recvmsg_into)
    setsockopt = blocking(AnySocket.setsockopt)
    getsockopt = blocking(AnySocket.getsockopt)

    def accept(self) -> tuple[Self, Any]:
        """Block until a connection arrives.  Return the socket of the connection and the address of the
        peer.
        """
        accepted, address = self.run(self.wrapped.accept())
        return self._around(accepted), address

    def _around(self, wrapped: AnySocket) -> Self:
        """Return a blocking socket of this process that wraps the asynchronous socket `wrapped`."""
        return type(self)(self._runner, wrapped)

    def setblocking(self, flag: object, /) -> None:
        """Set blocking mode if `flag` is true, else non-blocking mode."""
        self.run(self.wrapped.setblocking(flag))

    def settimeout(self, seconds: float | None, /) -> None:
        """Set the timeout in simulated seconds: None for no limit, 0 for non-blocking mode."""
        self.run(self.wrapped.settimeout(seconds))

    def gettimeout(self) -> float | None:
        """Return the timeout in simulated seconds, or None for no limit."""
        return self.wrapped.gettimeout()

    timeout = property(gettimeout)

    def getblocking(self) -> bool:
        """Return True if the socket is in blocking or timeout mode."""
        return self.wrapped.getblocking()

    # -- closing --------------------------------------------------------------

    def dup(self) -> Self:
        """Return a new socket object with another descriptor of the same open file."""
        return self._around(self.run(self.wrapped.dup()))

    def close(self) -> None:
        """Close the socket's descriptor.  No effect if the descriptor is closed already or the process has
        ended.
        """
        if self._runner.task.alive:
            self.run(self.wrapped.close())
        else:  # the process has ended: the kernel has closed its descriptors
            self.wrapped.detach()

    def detach(self) -> int:
        """Mark the socket object as closed.  Return its descriptor inside the machine, which stays open."""
        return self.wrapped.detach()


class FacadeSocket(BlockingSocket):
    """A socket for code outside the simulation.  Event loops of the host can poll its host file
    descriptor.
    """

    _runner: SyncRunner
    _real: RealDescriptor | None = None

    def fileno(self) -> int:
        """Return the host's file descriptor for the socket, or -1 if the socket is closed.  The first call
        makes the descriptor.
        """
        if self._real is None:
            if self.descriptor < 0:
                return -1
            self._real = self._runner.make_real(self.descriptor)
        return self._real.fileno()

    def close(self) -> None:
        """Close the socket's descriptor inside the machine.  Close the host's descriptor if `fileno` has made
        it.

        No effect if the socket is closed.
        """
        self._close_real()
        super().close()

    def detach(self) -> int:
        """Return the descriptor inside the machine and leave it open.  Close the host's descriptor."""
        self._close_real()
        return super().detach()

    def _close_real(self) -> None:
        if self._real is not None:
            self._runner.close_real(self._real)
            self._real = None
