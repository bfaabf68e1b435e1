"""`_socket` of a hosted program, the base of its `socket`, with the machine's sockets and descriptors.

Python's own socket.py, reread, adds makefile, send_fds, recv_fds and so on.  Names, arguments and results are
those of Modules/socketmodule.c; so are close-on-exec descriptors (PEP 446).
"""

from __future__ import annotations

import _socket as real
import warnings
from types import ModuleType
from typing import Any, Final, NoReturn

from simkernel.application.app import SOCKETS
from simkernel.application.socket import AnySocket, NetlinkSocket
from simkernel.blocking.socket import BlockingSocket
from simkernel.hosted.calls import SystemCalls, module
from simkernel.uapi.fcntl import F_DUPFD_CLOEXEC
from simkernel.uapi.socket import SOCK_CLOEXEC

AS_THEY_ARE: Final = (
    "CMSG_LEN", "CMSG_SPACE", "htonl", "htons", "inet_aton", "inet_ntoa", "inet_ntop", "inet_pton", "ntohl",
    "ntohs",
)  # fmt: skip
"""Functions that ask nothing of a kernel."""


class HostedSocket(BlockingSocket):
    """The base class of `socket.socket`, for sockets of any family.

    A socket without references emits ResourceWarning and is closed before its program's next call.
    """

    __slots__ = ()
    _sockets: Sockets

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
        wrapped: AnySocket | None = getattr(self, "wrapped", None)  # None if the constructor has raised
        if wrapped is not None and wrapped.fileno() >= 0 and self._sockets.call.process.task.alive:
            warnings.warn(f"unclosed {wrapped!r}", ResourceWarning, source=self, stacklevel=2)
            call = self._sockets.call
            call.defer(call.process.app.call("close", wrapped.detach()))

    def _accept(self) -> tuple[int, Any]:
        accepted, address = self.run(self.wrapped.accept(SOCK_CLOEXEC))
        return accepted.detach(), address


class Sockets:
    """The functions of the module."""

    def __init__(self, call: SystemCalls) -> None:
        self.call = call
        self.timeout: float | None = None
        self.socket = self.SocketType = type(
            "socket", (HostedSocket,), {"__slots__": (), "__module__": "_socket", "_sockets": self}
        )

    def getdefaulttimeout(self) -> float | None:
        """Return the timeout of new sockets in seconds, or None."""
        return self.timeout

    def setdefaulttimeout(self, timeout: float | None, /) -> None:
        """Set the timeout of new sockets in seconds, or None."""
        self.timeout = timeout

    def gethostname(self) -> str:
        """Return the machine's name."""
        name: str = self.call("uname").nodename
        return name

    def getaddrinfo(self, host: object, *_: object, **__: object) -> NoReturn:
        """Raise EAI_FAIL: a machine has no resolver."""
        raise real.gaierror(real.EAI_FAIL, f"{host!r} cannot be resolved: a machine has no internet")

    gethostbyaddr = gethostbyname = gethostbyname_ex = getnameinfo = getaddrinfo

    def dup(self, fd: int, /) -> int:
        """Duplicate a socket's descriptor."""
        duplicate: int = self.call("fcntl", fd, F_DUPFD_CLOEXEC, 0)
        return duplicate

    def close(self, fd: int, /) -> None:
        """Close a socket's descriptor."""
        self.call("close", fd)

    def socketpair(
        self, family: int = real.AF_UNIX, type: int = real.SOCK_STREAM, proto: int = 0, /
    ) -> tuple[Any, Any]:
        """Two sockets, connected to each other."""
        process = self.call.process
        pair = process.run(process.app.socketpair(family, type | SOCK_CLOEXEC, proto))
        one, other = (self.socket(family, type, proto, each.detach()) for each in pair)
        return one, other


def socket_module(call: SystemCalls) -> ModuleType:
    """Return the `_socket` of one process."""
    sockets = Sockets(call)
    return module(real, sockets, AS_THEY_ARE, socket=sockets.socket, SocketType=sockets.socket)
