"""`socket` of a hosted program: the machine's sockets, whose descriptors are the machine's too."""

from __future__ import annotations

import socket as real
from enum import EnumMeta
from types import ModuleType
from typing import Final

from simkernel.testing.blocking import Blocking
from simkernel.testing.hosted.calls import SystemCalls, module
from simkernel.testing.socket import BlockingSocket

AS_THEY_ARE: Final = ("htonl", "htons", "inet_aton", "inet_ntoa", "inet_ntop", "inet_pton", "ntohl", "ntohs")
"""Functions that ask nothing of a kernel."""


class HostedSocket(BlockingSocket):
    """A socket with the constructor of `socket.socket`."""

    _process: Blocking

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        process = self._process
        super().__init__(process, process.run(process.app.socket(family, type, proto, fileno)))

    def fileno(self) -> int:
        """The descriptor inside the machine; -1 once closed."""
        return self.descriptor

    def dup(self) -> HostedSocket:
        """Another descriptor for the same socket."""
        twin = self.run(self.inside.dup())
        made = self.__class__.__new__(self.__class__)
        BlockingSocket.__init__(made, self._process, twin)
        return made


def socket_module(call: SystemCalls) -> ModuleType:
    """`socket` for one process."""
    process = call.process
    kind = type("socket", (HostedSocket,), {"__module__": "socket", "_process": process})
    enums = tuple(name for name, value in vars(real).items() if isinstance(value, EnumMeta))
    made = module(real, None, (*AS_THEY_ARE, *enums), socket=kind, SocketType=kind)

    def gethostname() -> str:
        """The machine's name."""
        name: str = call("uname").nodename
        return name

    vars(made).update(gethostname=gethostname)
    return made
