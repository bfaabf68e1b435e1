"""A unix socket as a program has it: `socket.socket` with AF_UNIX.

An address is a path name (str), an abstract name (bytes that begin with a NUL), or the empty str.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

from simkernel.application import arguments, received
from simkernel.application.arguments import Buffer, ControlMessage, c_int
from simkernel.application.socket import Socket, _errno_of
from simkernel.application.steps import lazily
from simkernel.engine import Call
from simkernel.uapi.poll import POLLIN, POLLOUT
from simkernel.uapi.socket import SOCK_STREAM
from simkernel.uapi.un import UNIX_PATH_MAX, UnixAddress, decode_sockaddr_un, encode_sockaddr_un

if TYPE_CHECKING:
    from simkernel.application.app import App


class UnixSocket(Socket):
    """One end of a stream or of datagrams between programs."""

    __slots__ = ()

    # -- addresses ------------------------------------------------------------

    def bind(self, address: UnixAddress, /) -> Call[None]:  # type: ignore[override]
        """Take a name; the empty one: any abstract name that is free."""
        return self._app.call("bind", self._fd, unix_address(address))

    def connect(self, address: UnixAddress, /) -> Call[None]:  # type: ignore[override]
        """Connect to a listener, or set where datagrams go."""
        return self._app.call("connect", self._fd, unix_address(address))

    def connect_ex(self, address: UnixAddress, /) -> Awaitable[int]:  # type: ignore[override]
        """The same; an errno of the kernel is the result instead of an error."""
        return _errno_of(self.connect(address))

    def getsockname(self) -> Call[UnixAddress]:  # type: ignore[override]
        """Its name."""
        return self._app.call("getsockname", self._fd, convert=decode_sockaddr_un)

    def getpeername(self) -> Call[UnixAddress]:  # type: ignore[override]
        """The name of the other end.  ENOTCONN."""
        return self._app.call("getpeername", self._fd, convert=decode_sockaddr_un)

    # -- connections ------------------------------------------------------------

    def accept(self) -> Awaitable[tuple[Socket, UnixAddress]]:  # type: ignore[override]
        """The next connection, and the name of its other end."""
        return self._io(POLLIN, "accept4", (self._fd, 0), self._accepted)

    def _accepted(self, result: tuple[int, bytes]) -> tuple[Socket, UnixAddress]:
        fd, address = result
        return UnixSocket(self._app, fd, self.family, self.type, self.proto), decode_sockaddr_un(address)

    # -- sending ------------------------------------------------------------------

    @lazily
    async def sendall(self, data: Buffer, flags: SupportsIndex = 0, /) -> None:
        """Send all of `data`, in as many calls as it takes."""
        rest = arguments.data(data)
        while True:
            sent = await self.send(rest, flags)
            rest = rest[sent:]
            if not rest or self.type != SOCK_STREAM:
                return

    def sendto(self, data: Buffer, /, *flags_and_address: Any) -> Awaitable[int]:
        """sendto(data, address) or sendto(data, flags, address)."""
        if not 1 <= len(flags_and_address) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(flags_and_address)} given)")
        flags = c_int(flags_and_address[0]) if len(flags_and_address) == 2 else 0
        address = unix_address(flags_and_address[-1])
        return self._io(POLLOUT, "sendto", (self._fd, arguments.data(data), flags, address))

    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Any]] = (),
        flags: SupportsIndex = 0,
        address: UnixAddress | None = None,  # type: ignore[override]
        /,
    ) -> Awaitable[int]:
        """Send buffers as one message, with control messages: files (SCM_RIGHTS), credentials."""
        data = b"".join(map(arguments.data, buffers))
        control = arguments.control_messages(ancdata)
        where = None if address is None else unix_address(address)
        return self._io(POLLOUT, "sendmsg", (self._fd, data, control, c_int(flags), where))

    # -- receiving ------------------------------------------------------------------

    def recvfrom(  # type: ignore[override]
        self, bufsize: SupportsIndex, flags: SupportsIndex = 0, /
    ) -> Awaitable[tuple[bytes, UnixAddress | None]]:
        """Data, and who sent it; None if that one has no name."""
        size = arguments.size(bufsize, "negative buffersize in recvfrom")
        return self._io(
            POLLIN, "recvfrom", (self._fd, size, c_int(flags)), lambda got: (received.data(got), _sender(got))
        )

    def recvmsg(  # type: ignore[override]
        self, bufsize: SupportsIndex, ancbufsize: SupportsIndex = 0, flags: SupportsIndex = 0, /
    ) -> Awaitable[tuple[bytes, list[ControlMessage], int, UnixAddress | None]]:
        """Data, its control messages, MSG_ flags, and who sent it."""
        size = arguments.size(bufsize, "negative buffer size in recvmsg()")
        room = arguments.control_size(ancbufsize)
        return self._io(
            POLLIN,
            "recvmsg",
            (self._fd, size, room, c_int(flags)),
            lambda got: (*received.whole(got)[:-1], _sender(got)),
        )

    def recvfrom_into(  # type: ignore[override]
        self, buffer: Any, nbytes: SupportsIndex = 0, flags: SupportsIndex = 0
    ) -> Awaitable[tuple[int, UnixAddress | None]]:
        """Data into a buffer; the number of bytes, and who sent it."""
        view = arguments.writable(buffer, "recvfrom_into")
        size = arguments.size(nbytes, "negative buffersize in recvfrom_into") or len(view)
        if size > len(view):
            raise ValueError("nbytes is greater than the length of the buffer")
        return self._io(
            POLLIN,
            "recvfrom",
            (self._fd, size, c_int(flags)),
            lambda got: (received.fill(got, view), _sender(got)),
        )

    def recvmsg_into(  # type: ignore[override]
        self, buffers: Iterable[Any], ancbufsize: SupportsIndex = 0, flags: SupportsIndex = 0, /
    ) -> Awaitable[tuple[int, list[ControlMessage], int, UnixAddress | None]]:
        """Data into several buffers, one after the other, and what else `recvmsg` tells."""
        views = [arguments.writable(buffer, "recvmsg_into") for buffer in buffers]
        room = arguments.control_size(ancbufsize)
        return self._io(
            POLLIN,
            "recvmsg",
            (self._fd, sum(map(len, views)), room, c_int(flags)),
            lambda got: (received.fill(got, *views), *received.whole(got)[1:-1], _sender(got)),
        )


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


def _sender(got: Any) -> UnixAddress | None:
    address = got[received.ADDRESS]
    return decode_sockaddr_un(address) if address else None


def socketpair(app: App, family: int, type: int, proto: int) -> Call[tuple[UnixSocket, UnixSocket]]:
    """Two sockets, connected to each other."""

    def both(fds: tuple[int, int]) -> tuple[UnixSocket, UnixSocket]:
        first, second = (UnixSocket(app, fd, family, type, proto) for fd in fds)
        return first, second

    return app.call("socketpair", family, type, proto, convert=both)
