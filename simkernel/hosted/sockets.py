"""The `_socket` module of a hosted program, with sockets of the machine.  The program's `socket` module is
based on it.

Python's socket.py, reread, adds makefile, send_fds, recv_fds and other functions.  Names, arguments and
results are those of Modules/socketmodule.c.  Descriptors are close-on-exec (PEP 446).
"""

from __future__ import annotations

import _socket as real
import warnings
from types import ModuleType
from typing import Any, Final, NoReturn

from simkernel.application.app import SOCKETS
from simkernel.application.socket import AnySocket, NetlinkSocket
from simkernel.blocking.socket import BlockingSocket
from simkernel.hosted.calls import ProcessCalls, module
from simkernel.uapi.fcntl import F_DUPFD_CLOEXEC
from simkernel.uapi.socket import SOCK_CLOEXEC

FROM_PYTHON: Final = (
    "CMSG_LEN", "CMSG_SPACE", "htonl", "htons", "inet_aton", "inet_ntoa", "inet_ntop", "inet_pton", "ntohl",
    "ntohs",
)  # fmt: skip
"""Functions that make no system call.  The module takes them from Python's `_socket` module."""


class HostedSocket(BlockingSocket):
    """The base class of `socket.socket` in a hosted program, for sockets of any address family.

    If a socket is garbage-collected while open, it emits ResourceWarning and is closed before the next
    system call.
    """

    __slots__ = ()
    _sockets: SocketFunctions

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        process = self._sockets.call.process
        if fileno is not None and -1 not in (family, type, proto):
            wrapped: AnySocket = SOCKETS.get(family, NetlinkSocket)(process.app, fileno, family, type, proto)
        else:
            kind = real.SOCK_STREAM if type == -1 else type
            wrapped = process.run(process.app.socket(family, kind | SOCK_CLOEXEC, proto, fileno))
        super().__init__(process.runner, wrapped)
        self.run = self._sockets.call.run
        if self._sockets.timeout is not None and fileno is None:
            self.settimeout(self._sockets.timeout)

    def __del__(self) -> None:
        # __init__() does not set `wrapped` if it raises an exception
        wrapped: AnySocket | None = getattr(self, "wrapped", None)
        if wrapped is not None and wrapped.fileno() >= 0 and self._sockets.call.process.task.alive:
            warnings.warn(f"unclosed {wrapped!r}", ResourceWarning, source=self, stacklevel=2)
            call = self._sockets.call
            call.defer(call.process.app.call("close", wrapped.detach()))

    def _accept(self) -> tuple[int, Any]:
        accepted, address = self.run(self.wrapped.accept(SOCK_CLOEXEC))
        return accepted.detach(), address


class SocketFunctions:
    """The functions of the `_socket` module of one process."""

    def __init__(self, call: ProcessCalls) -> None:
        self.call = call
        self.timeout: float | None = None
        self.socket = self.SocketType = type(
            "socket", (HostedSocket,), {"__slots__": (), "__module__": "_socket", "_sockets": self}
        )

    def getdefaulttimeout(self) -> float | None:
        """Return the default timeout of new sockets in seconds, or None."""
        return self.timeout

    def setdefaulttimeout(self, timeout: float | None, /) -> None:
        """Set the default timeout of new sockets in seconds, or None."""
        self.timeout = timeout

    def gethostname(self) -> str:
        """Return the machine's host name."""
        name: str = self.call("uname").nodename
        return name

    def getaddrinfo(self, host: object, *_: object, **__: object) -> NoReturn:
        """Raise EAI_FAIL, because a machine has no name resolver."""
        raise real.gaierror(real.EAI_FAIL, f"{host!r} cannot be resolved: a machine has no internet")

    gethostbyaddr = gethostbyname = gethostbyname_ex = getnameinfo = getaddrinfo

    def dup(self, fd: int, /) -> int:
        """Duplicate the descriptor of a socket, with close-on-exec."""
        duplicate: int = self.call("fcntl", fd, F_DUPFD_CLOEXEC, 0)
        return duplicate

    def close(self, fd: int, /) -> None:
        """Close the descriptor of a socket."""
        self.call("close", fd)

    def socketpair(
        self, family: int = real.AF_UNIX, type: int = real.SOCK_STREAM, proto: int = 0, /
    ) -> tuple[Any, Any]:
        """Create two sockets that are connected to each other."""
        process = self.call.process
        pair = process.run(process.app.socketpair(family, type | SOCK_CLOEXEC, proto))
        one, other = (self.socket(family, type, proto, each.detach()) for each in pair)
        return one, other


def socket_module(call: ProcessCalls) -> ModuleType:
    """Return the `_socket` module of one process."""
    sockets = SocketFunctions(call)
    return module(real, sockets, FROM_PYTHON, socket=sockets.socket, SocketType=sockets.socket)
