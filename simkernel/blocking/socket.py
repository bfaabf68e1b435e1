"""A look-alike of `socket.socket` for ordinary code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.application.socket import Socket
from simkernel.blocking.blocking import twin
from simkernel.blocking.descriptor import RealDescriptor

if TYPE_CHECKING:
    from simkernel.blocking.process import Blocking


class BlockingSocket:
    """A look-alike of `socket.socket`: the same methods, arguments, results and exceptions."""

    def __init__(self, owner: Blocking, inside: Socket) -> None:
        self._owner = owner
        self.run = owner.run
        self.inside = inside
        self._real: RealDescriptor | None = None

    def __repr__(self) -> str:
        return repr(self.inside)

    def __enter__(self) -> BlockingSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what it is -----------------------------------------------------------

    @property
    def family(self) -> int:
        """AF_ number."""
        return self.inside.family

    @property
    def type(self) -> int:
        """SOCK_ number."""
        return self.inside.type

    @property
    def proto(self) -> int:
        """NETLINK_ number."""
        return self.inside.proto

    @property
    def descriptor(self) -> int:
        """The descriptor inside the machine; -1 once closed."""
        return self.inside.fileno()

    def fileno(self) -> int:
        """A real descriptor for real clients to poll, made when it is first asked for; -1 once closed."""
        if self._real is None:
            if self.descriptor < 0:
                return -1
            self._real = self._owner.make_real(self.descriptor)
        return self._real.fileno()

    # -- the calls ------------------------------------------------------------

    bind = twin(Socket.bind)
    connect = twin(Socket.connect)
    connect_ex = twin(Socket.connect_ex)
    getsockname = twin(Socket.getsockname)
    getpeername = twin(Socket.getpeername)
    listen = twin(Socket.listen)
    accept = twin(Socket.accept)
    shutdown = twin(Socket.shutdown)
    send = twin(Socket.send)
    sendall = twin(Socket.sendall)
    sendto = twin(Socket.sendto)
    sendmsg = twin(Socket.sendmsg)
    recv = twin(Socket.recv)
    recvfrom = twin(Socket.recvfrom)
    recvmsg = twin(Socket.recvmsg)
    recv_into = twin(Socket.recv_into)
    recvfrom_into = twin(Socket.recvfrom_into)
    recvmsg_into = twin(Socket.recvmsg_into)
    setsockopt = twin(Socket.setsockopt)
    getsockopt = twin(Socket.getsockopt)

    def setblocking(self, flag: object, /) -> None:
        """Wait in calls that cannot go on, or not."""
        self.run(self.inside.setblocking(flag))

    def settimeout(self, seconds: float | None, /) -> None:
        """How long to wait in calls that cannot go on, in simulated seconds; None for ever, 0 not at all."""
        self.run(self.inside.settimeout(seconds))

    def gettimeout(self) -> float | None:
        """What `settimeout` set."""
        return self.inside.gettimeout()

    timeout = property(gettimeout)

    def getblocking(self) -> bool:
        """Whether calls may wait."""
        return self.inside.getblocking()

    # -- the end --------------------------------------------------------------

    def dup(self) -> BlockingSocket:
        """Another descriptor for the same socket."""
        return BlockingSocket(self._owner, self.run(self.inside.dup()))

    def close(self) -> None:
        """Close the descriptor, and the real one if there is one; harmless when it is closed."""
        fd = self.detach()
        if fd >= 0 and self._owner.task.alive:  # a process that has ended has closed it itself
            self._owner.close(fd)

    def detach(self) -> int:
        """The descriptor inside the machine, which this object lets go of without closing it."""
        if self._real is not None:
            self._owner.close_real(self._real)
            self._real = None
        return self.inside.detach()
