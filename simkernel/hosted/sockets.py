"""`socket` of a hosted program: the machine's sockets, whose descriptors are the machine's too."""

from __future__ import annotations

import socket as real
from enum import EnumMeta
from types import ModuleType
from typing import Any, Final, Self

from simkernel.application.socket import AnySocket
from simkernel.blocking.process import Blocking
from simkernel.blocking.socket import BlockingSocket
from simkernel.hosted.calls import SystemCalls, module

AS_THEY_ARE: Final = ("htonl", "htons", "inet_aton", "inet_ntoa", "inet_ntop", "inet_pton", "ntohl", "ntohs")
"""Functions that ask nothing of a kernel."""


class HostedSocket(BlockingSocket):
    """A socket with the constructor of `socket.socket`, which is of any family."""

    _process: Blocking

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        process = self._process
        super().__init__(process.runner, process.run(process.app.socket(family, type, proto, fileno)))

    @classmethod
    def around(cls, wrapped: AnySocket) -> Self:
        """One for a socket that is open already."""
        made = cls.__new__(cls)
        BlockingSocket.__init__(made, cls._process.runner, wrapped)
        return made

    def _around(self, wrapped: AnySocket) -> Self:
        return self.around(wrapped)


def socket_module(call: SystemCalls) -> ModuleType:
    """`socket` for one process."""
    process = call.process
    kind: Any = type("socket", (HostedSocket,), {"__module__": "socket", "_process": process})
    enums = tuple(name for name, value in vars(real).items() if isinstance(value, EnumMeta))
    made = module(real, None, (*AS_THEY_ARE, *enums), socket=kind, SocketType=kind)

    def gethostname() -> str:
        """The machine's name."""
        name: str = call("uname").nodename
        return name

    def socketpair(family: int = -1, type: int = real.SOCK_STREAM, proto: int = 0) -> tuple[Any, Any]:
        """Two sockets, connected to each other."""
        family = real.AF_UNIX if family == -1 else family
        one, other = process.run(process.app.socketpair(family, type, proto))
        return kind.around(one), kind.around(other)

    def fromfd(fd: int, family: int, type: int, proto: int = 0) -> Any:
        """Another descriptor for a socket."""
        return kind(family, type, proto, fileno=call("dup", fd))

    vars(made).update(gethostname=gethostname, socketpair=socketpair, fromfd=fromfd)
    return made
