"""Sockets with the interface of `socket.socket`, for plain functions and for ordinary code."""

from __future__ import annotations

from typing import Any, Self

from simkernel.application.socket import AnySocket
from simkernel.blocking.descriptor import RealDescriptor
from simkernel.blocking.methods import CallRunner, blocking
from simkernel.blocking.sync_runner import SyncRunner


class BlockingSocket:
    """A look-alike of `socket.socket`: the same methods, arguments, results and exceptions.

    An address is of the type that the socket's family has in Python's socket module.
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

    # -- what it is -----------------------------------------------------------

    @property
    def family(self) -> int:
        """AF_ number."""
        return self.wrapped.family

    @property
    def type(self) -> int:
        """SOCK_ number."""
        return self.wrapped.type

    @property
    def proto(self) -> int:
        """The protocol's number: for a netlink socket NETLINK_."""
        return self.wrapped.proto

    @property
    def descriptor(self) -> int:
        """The descriptor inside the machine; -1 once closed."""
        return self.wrapped.fileno()

    def fileno(self) -> int:
        """Return the machine's descriptor; -1 once closed."""
        return self.wrapped.fileno()

    # -- the calls ------------------------------------------------------------

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
        """The next connection, and the address of its other end."""
        accepted, address = self.run(self.wrapped.accept())
        return self._around(accepted), address

    def _around(self, wrapped: AnySocket) -> Self:
        """A socket of the same process for another asynchronous one."""
        return type(self)(self._runner, wrapped)

    def setblocking(self, flag: object, /) -> None:
        """Set whether calls block."""
        self.run(self.wrapped.setblocking(flag))

    def settimeout(self, seconds: float | None, /) -> None:
        """Limit how long calls block, in simulated seconds; None for no limit, 0 for not at all."""
        self.run(self.wrapped.settimeout(seconds))

    def gettimeout(self) -> float | None:
        """What `settimeout` set."""
        return self.wrapped.gettimeout()

    timeout = property(gettimeout)

    def getblocking(self) -> bool:
        """Whether calls block."""
        return self.wrapped.getblocking()

    # -- the end --------------------------------------------------------------

    def dup(self) -> Self:
        """Another descriptor for the same socket."""
        return self._around(self.run(self.wrapped.dup()))

    def close(self) -> None:
        """Close the descriptor.  No effect if it is closed or its process has ended."""
        if self._runner.task.alive:
            self.run(self.wrapped.close())
        else:  # a process that has ended has closed its descriptors
            self.wrapped.detach()

    def detach(self) -> int:
        """Release the descriptor inside the machine without closing it; returns it."""
        return self.wrapped.detach()


class FacadeSocket(BlockingSocket):
    """A socket of ordinary code, with a descriptor of the host that the host's clients can poll."""

    _runner: SyncRunner
    _real: RealDescriptor | None = None

    def fileno(self) -> int:
        """Return a descriptor of the host, made on the first call; -1 once closed."""
        if self._real is None:
            if self.descriptor < 0:
                return -1
            self._real = self._runner.make_real(self.descriptor)
        return self._real.fileno()

    def close(self) -> None:
        """Close the descriptor, and the host's if there is one.  No effect if it is closed."""
        self._close_real()
        super().close()

    def detach(self) -> int:
        """Return the machine's descriptor without closing it, and close the host's."""
        self._close_real()
        return super().detach()

    def _close_real(self) -> None:
        if self._real is not None:
            self._runner.close_real(self._real)
            self._real = None
