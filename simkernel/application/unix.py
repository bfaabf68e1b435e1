"""Unix sockets of programs, with the interface of `socket.socket`.

An address is a path (str), an abstract name (bytes that begin with NUL), or the empty str if unbound.
"""

from __future__ import annotations

from simkernel.application.caller import Caller
from simkernel.application.socket import Socket
from simkernel.engine import Call
from simkernel.uapi.un import UNIX_PATH_MAX, UnixAddress, encode_sockaddr_un


class UnixSocket(Socket[UnixAddress, UnixAddress | None]):
    """A socket of the family AF_UNIX. It encodes each address as a struct sockaddr_un."""

    __slots__ = ()

    def _encode(self, address: object, call: str) -> bytes:
        return unix_address(address)


def unix_address(value: object) -> bytes:
    """Encode an address as struct sockaddr_un.

    Raise TypeError for a wrong type, OSError if it is too long.
    """
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
    """Create two unix sockets that are connected to each other (socketpair(2))."""

    def both(fds: tuple[int, int]) -> tuple[UnixSocket, UnixSocket]:
        first, second = (UnixSocket(app, fd, family, type, proto) for fd in fds)
        return first, second

    return app.call("socketpair", family, type, proto, convert=both)
