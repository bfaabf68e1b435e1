"""A unix socket as a program has it: `socket.socket` with AF_UNIX.

An address is a path name (str), an abstract name (bytes that begin with a NUL), or the empty str.
"""

from __future__ import annotations

from simkernel.application.caller import Caller
from simkernel.application.socket import Socket
from simkernel.engine import Call
from simkernel.uapi.un import UNIX_PATH_MAX, UnixAddress, encode_sockaddr_un


class UnixSocket(Socket[UnixAddress, UnixAddress | None]):
    """One end of a stream or of datagrams between programs."""

    __slots__ = ()

    def _encode(self, address: object, call: str) -> bytes:
        return unix_address(address)


def unix_address(value: object) -> bytes:
    """An address as it is in memory.  TypeError, or OSError if the name is too long."""
    if isinstance(value, str):
        path = value.encode("utf-8", "surrogateescape")
    elif isinstance(value, bytes | bytearray | memoryview):
        path = bytes(value)
    else:
        raise TypeError(f"a bytes-like object is required, not '{type(value).__name__}'")
    if len(path) > UNIX_PATH_MAX - (not path.startswith(b"\0")):
        raise OSError("AF_UNIX path too long")
    return encode_sockaddr_un(path)


def socketpair(app: Caller, family: int, type: int, proto: int) -> Call[tuple[UnixSocket, UnixSocket]]:
    """Two sockets, connected to each other."""

    def both(fds: tuple[int, int]) -> tuple[UnixSocket, UnixSocket]:
        first, second = (UnixSocket(app, fd, family, type, proto) for fd in fds)
        return first, second

    return app.call("socketpair", family, type, proto, convert=both)
