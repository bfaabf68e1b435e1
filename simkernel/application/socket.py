"""Sockets of programs, with the names, arguments, results and errors of Python's `socket.socket`.

Each method that makes a system call returns an awaitable.  As in CPython, a timeout is not a kernel
timeout: the method polls first and raises TimeoutError.  Not available are the file wrappers (makefile,
sendfile) and the methods for other platforms and families (sendmsg_afalg, share, ioctl).
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Generic, Self, SupportsIndex, TypeVar

from simkernel.application import arguments, received
from simkernel.application.arguments import INT_MAX, Buffer, ControlMessage, NetlinkAddress, c_int
from simkernel.application.caller import Caller
from simkernel.application.lazy import LazyCoroutine, lazy
from simkernel.application.received import ADDRESS, Received, plain_data
from simkernel.engine import MILLISECOND, Call
from simkernel.uapi.ioctls import FIONBIO
from simkernel.uapi.poll import POLLIN, POLLOUT
from simkernel.uapi.socket import AF_NETLINK, SOCK_NONBLOCK, SOCK_STREAM, SOCK_TYPE_MASK
from simkernel.uapi.structure import S32
from simkernel.uapi.un import decode_sockaddr_un

A = TypeVar("A")
"""Type of the addresses in the socket's family, such as (port id, groups) for AF_NETLINK."""
S = TypeVar("S")
"""Type of the sender's address that a receive call returns."""
T = TypeVar("T")

NO_FLAGS: Final = 0
"""Default of the parameter `flags` of `send` and `recv`. If the caller omits the flags, no conversion to a C
int is needed.
"""

PAUSE: Final = MILLISECOND
"""Nanoseconds to sleep if poll(2) reports readiness and the call still fails with EAGAIN.

CPython retries at once.
"""


class Socket(Generic[A, S]):
    """A socket of any family.  Each subclass converts the addresses of one family."""

    __slots__ = ("_app", "_fd", "_timeout", "family", "proto", "type")

    def __init__(self, app: Caller, fd: int, family: int, type: int, proto: int) -> None:
        self._app = app
        self._fd = fd
        self._timeout: int | None = 0 if type & SOCK_NONBLOCK else None
        self.family = family
        self.type = type & SOCK_TYPE_MASK
        self.proto = proto

    def _encode(self, address: object, call: str) -> object:
        """Convert an address from the form that a program uses to the form that the system call takes.

        Raise TypeError, which names `call`, for a wrong type.
        """
        raise NotImplementedError

    def _decode(self, address: Any) -> Any:
        """Decode an address of any family, because dup2() can put a socket of another family behind the
        descriptor.
        """
        return decode_sockaddr_un(address) if isinstance(address, bytes) else address

    def _sender(self, received: Received) -> Any:
        """Return the address of the sender, or None if the sender is unbound."""
        return self._decode(received[ADDRESS]) if received[ADDRESS] else None

    def __repr__(self) -> str:
        closed = "[closed] " if self._fd < 0 else ""
        return f"<socket {closed}fd={self._fd}, family={self.family}, type={self.type}, proto={self.proto}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def fileno(self) -> int:
        """Return the file descriptor, or -1 if the socket is closed."""
        return self._fd

    # -- addresses ----------------------------------------------------------

    def bind(self, address: A, /) -> Call[None]:
        """Bind the socket to an address (bind(2)).

        Netlink: with port id 0 the kernel chooses one; the socket joins the groups of the mask.  Unix: for
        the empty name the kernel chooses a free abstract name (autobind).
        """
        return self._app.call("bind", self._fd, self._encode(address, "bind"))

    def connect(self, address: A, /) -> Call[None]:
        """Connect to a listener, or set the default destination of datagrams (connect(2)).

        A connected netlink socket receives unicast messages only from its peer.
        """
        return self._app.call("connect", self._fd, self._encode(address, "connect"))

    def connect_ex(self, address: A, /) -> Awaitable[int]:
        """Connect like `connect`, but return 0 or the kernel's error number instead of raising OSError."""
        return _errno_of(self._app.call("connect", self._fd, self._encode(address, "connect_ex")))

    def getsockname(self) -> Call[A]:
        """Return the address of the socket (getsockname(2))."""
        return self._app.call("getsockname", self._fd, convert=self._decode)

    def getpeername(self) -> Call[A]:
        """Return the address of the peer (getpeername(2)).  Raise ENOTCONN if the socket has no peer."""
        return self._app.call("getpeername", self._fd, convert=self._decode)

    # -- connections; netlink sockets raise EOPNOTSUPP ------------------------

    def listen(self, backlog: SupportsIndex = 128, /) -> Call[None]:
        """Listen for connections (listen(2)).  At most `backlog` + 1 connections can be pending."""
        return self._app.call("listen", self._fd, c_int(backlog))

    def accept(self, flags: int = 0) -> Awaitable[tuple[Self, A]]:
        """Accept a connection.  Return its socket and the peer's address.  `flags` are the flags of
        accept4(2).
        """
        return self._io(POLLIN, "accept4", (self._fd, c_int(flags)), self._accepted)

    def _accepted(self, result: tuple[int, object]) -> tuple[Self, A]:
        fd, address = result
        return self._like(fd), self._decode(address)

    def _like(self, fd: int) -> Self:
        """Return a socket object of the same class, family, type and protocol for another descriptor."""
        return type(self)(self._app, fd, self.family, self.type, self.proto)

    def shutdown(self, how: SupportsIndex, /) -> Call[None]:
        """Shut down one or both directions."""
        return self._app.call("shutdown", self._fd, c_int(how))

    # -- sending ------------------------------------------------------------

    def send(self, data: Buffer, flags: SupportsIndex = NO_FLAGS, /) -> Awaitable[int]:
        """Send a message to the peer (send(2)).  Return the number of bytes sent."""
        if type(data) is not bytes:
            data = arguments.data(data)
        if flags is not NO_FLAGS:
            flags = c_int(flags)
        if self._timeout:
            return self._io(POLLOUT, "sendto", (self._fd, data, flags, None))
        # INLINE: simkernel.application.caller.Caller.request, saves 0.9 % of round-trip
        app = self._app
        call: Call[int] = Call()
        call.owner = app.owner
        call.name = "sendto"
        call.arguments = (self._fd, data, flags, None)
        call.convert = None
        last, app._last = app._last, call
        if app._debug or last.owner is not None:
            app._remember(last, call)
        return call

    @lazy
    async def sendall(self, data: Buffer, flags: SupportsIndex = 0, /) -> None:
        """Send all of `data` to the peer, with several calls if needed.  A datagram is sent with one call."""
        rest = arguments.data(data)
        while True:
            sent = await self.send(rest, flags)
            rest = rest[sent:]
            if not rest or self.type != SOCK_STREAM:
                return

    def sendto(self, data: Buffer, /, *flags_and_address: Any) -> Awaitable[int]:
        """Send a message to an address: `sendto(data, address)` or `sendto(data, flags, address)`."""
        if not 1 <= len(flags_and_address) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(flags_and_address)} given)")
        flags = c_int(flags_and_address[0]) if len(flags_and_address) == 2 else 0
        address = self._encode(flags_and_address[-1], "sendto")
        return self._io(POLLOUT, "sendto", (self._fd, arguments.data(data), flags, address))

    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[SupportsIndex, SupportsIndex, Buffer]] = (),
        flags: SupportsIndex = 0,
        address: A | None = None,
        /,
    ) -> Awaitable[int]:
        """Send buffers as one message, with control messages (SCM_RIGHTS, SCM_CREDENTIALS)."""
        data = b"".join(map(arguments.data, buffers))
        control = arguments.control_messages(ancdata)
        where = None if address is None else self._encode(address, "sendmsg")
        return self._io(POLLOUT, "sendmsg", (self._fd, data, control, c_int(flags), where))

    # -- receiving ----------------------------------------------------------

    def recv(self, bufsize: SupportsIndex, flags: SupportsIndex = NO_FLAGS, /) -> Awaitable[bytes]:
        """Receive a message (recv(2)), truncated to `bufsize` bytes.

        For 0 bytes, return at once without a system call.
        """
        if type(bufsize) is not int or bufsize <= 0 or bufsize > INT_MAX:
            bufsize = arguments.size(bufsize, "negative buffersize in recv")
            if not bufsize:
                return _already(b"")
        if flags is NO_FLAGS and not self._timeout:
            # INLINE: simkernel.application.caller.Caller.request, saves 0.9 % of round-trip
            app = self._app
            call: Call[bytes] = Call()
            call.owner = app.owner
            call.name = "recvfrom"
            call.arguments = (self._fd, bufsize, 0)
            call.convert = plain_data
            last, app._last = app._last, call
            if app._debug or last.owner is not None:
                app._remember(last, call)
            return call
        return self._io(POLLIN, "recvfrom", (self._fd, bufsize, c_int(flags)), received.data)

    def recvfrom(self, bufsize: SupportsIndex, flags: SupportsIndex = 0, /) -> Awaitable[tuple[bytes, S]]:
        """Receive a message.  Return the message and the sender's address.  The address is None if the sender
        is unbound.
        """
        size = arguments.size(bufsize, "negative buffersize in recvfrom")
        return self._io(POLLIN, "recvfrom", (self._fd, size, c_int(flags)), self._data_and_sender)

    def _data_and_sender(self, got: Received) -> tuple[bytes, S]:
        return received.data(got), self._sender(got)

    def recvmsg(
        self, bufsize: SupportsIndex, ancbufsize: SupportsIndex = 0, flags: SupportsIndex = 0, /
    ) -> Awaitable[tuple[bytes, list[ControlMessage], int, S]]:
        """Receive a message (recvmsg(2)).  Return its data, control messages, MSG_ flags and sender."""
        size = arguments.size(bufsize, "negative buffer size in recvmsg()")
        controllen = arguments.control_size(ancbufsize)
        return self._io(
            POLLIN,
            "recvmsg",
            (self._fd, size, controllen, c_int(flags)),
            lambda got: (bytes(got[received.DATA]), *received.control_and_flags(got), self._sender(got)),
        )

    def recv_into(
        self, buffer: object, nbytes: SupportsIndex = 0, flags: SupportsIndex = 0
    ) -> Awaitable[int]:
        """Receive a message into a buffer.  Return the number of bytes."""
        view = arguments.writable(buffer, "recv_into")
        size = arguments.size(nbytes, "negative buffersize in recv_into") or len(view)
        if size > len(view):
            raise ValueError("buffer too small for requested bytes")
        flags = c_int(flags)
        if not size:
            return _already(0)
        return self._io(POLLIN, "recvfrom", (self._fd, size, flags), lambda got: received.fill(got, view))

    def recvfrom_into(
        self, buffer: object, nbytes: SupportsIndex = 0, flags: SupportsIndex = 0
    ) -> Awaitable[tuple[int, S]]:
        """Receive a message into a buffer.  Return the number of bytes and the sender."""
        view = arguments.writable(buffer, "recvfrom_into")
        size = arguments.size(nbytes, "negative buffersize in recvfrom_into") or len(view)
        if size > len(view):
            raise ValueError("nbytes is greater than the length of the buffer")
        return self._io(
            POLLIN,
            "recvfrom",
            (self._fd, size, c_int(flags)),
            lambda got: (received.fill(got, view), self._sender(got)),
        )

    def recvmsg_into(
        self, buffers: Iterable[object], ancbufsize: SupportsIndex = 0, flags: SupportsIndex = 0, /
    ) -> Awaitable[tuple[int, list[ControlMessage], int, S]]:
        """Receive a message into several buffers, which are filled one after the other (recvmsg(2)).

        Return the number of bytes, control messages, flags and sender.
        """
        views = [arguments.writable(buffer, "recvmsg_into") for buffer in buffers]
        controllen = arguments.control_size(ancbufsize)
        return self._io(
            POLLIN,
            "recvmsg",
            (self._fd, sum(map(len, views)), controllen, c_int(flags)),
            lambda got: (received.fill(got, *views), *received.control_and_flags(got), self._sender(got)),
        )

    # -- options ------------------------------------------------------------

    def setsockopt(
        self, level: SupportsIndex, option: SupportsIndex, value: SupportsIndex | Buffer, /
    ) -> Call[None]:
        """Set a socket option (setsockopt(2)).  An int is passed as a C int, bytes unchanged."""
        return self._app.call("setsockopt", self._fd, c_int(level), c_int(option), arguments.option(value))

    def getsockopt(
        self, level: SupportsIndex, option: SupportsIndex, buflen: SupportsIndex = 0, /
    ) -> Call[Any]:
        """Return a socket option as an int, or as at most `buflen` bytes if `buflen` is not 0
        (getsockopt(2)).
        """
        length = c_int(buflen)
        if not 0 <= length <= arguments.MAX_OPTION:
            raise OSError("getsockopt buflen out of range")
        convert = bytes if length else arguments.option_as_int
        length = length or S32.size
        return self._app.call("getsockopt", self._fd, c_int(level), c_int(option), length, convert=convert)

    def setblocking(self, flag: object, /) -> Call[int]:
        """Make calls on this socket blocking if `flag` is true, otherwise non-blocking."""
        return self.settimeout(None if flag else 0)

    def settimeout(self, seconds: float | SupportsIndex | None, /) -> Call[int]:
        """Limit the time that a call on this socket can block to a number of seconds.

        None means no timeout, 0 makes calls non-blocking.
        """
        self._timeout = arguments.timeout(seconds)
        return self._app.call("ioctl", self._fd, FIONBIO, self._timeout is not None)

    def gettimeout(self) -> float | None:
        """Return the timeout that `settimeout` set, in seconds, or None."""
        return None if self._timeout is None else self._timeout / 1e9

    timeout = property(gettimeout)

    def getblocking(self) -> bool:
        """Return True if calls on this socket block, with or without a timeout."""
        return self._timeout != 0

    # -- closing and duplicating ------------------------------------------------

    @lazy
    async def close(self) -> None:
        """Close the descriptor.  A second call has no effect."""
        fd = self.detach()
        if fd >= 0:
            await self._app.call("close", fd)

    def detach(self) -> int:
        """Detach the descriptor from this object without closing it, and return it."""
        fd, self._fd = self._fd, -1
        return fd

    @lazy
    async def dup(self) -> Self:
        """Duplicate the descriptor and return a socket object for it, with the same timeout."""
        fd: int = await self._app.call("dup", self._fd)
        duplicate = self._like(fd)
        duplicate._timeout = self._timeout
        await self._app.call("ioctl", fd, FIONBIO, self._timeout is not None)
        return duplicate

    # -- timeouts -----------------------------------------------------------

    def _io(
        self, events: int, name: str, args: tuple[object, ...], convert: Callable[[Any], T] | None = None
    ) -> Awaitable[T]:
        """Return an awaitable for a system call on this socket's descriptor, which is the first item of
        `args`.

        If a timeout is set, the call polls first.
        """
        app = self._app
        if not self._timeout or self._fd < 0:
            return app.request(name, args, convert)

        def make() -> Call[T]:
            return app.request(name, (self._fd, *args[1:]), convert)

        return app.made(LazyCoroutine(app.owner, name, lambda: self._within_timeout(events, make)))

    async def _within_timeout(self, events: int, make: Callable[[], Call[T]]) -> T:
        """Make a system call with the timeout of this socket, as `sock_call_impl()` of Modules/socketmodule.c
        does.

        Poll, make the call, and poll again if another task has consumed the data or the space.
        """
        assert self._timeout is not None
        left = self._timeout
        deadline = self._app.monotonic_ns() + left
        while left >= 0 and await self._app.call(
            "poll", [(self._fd, events)], -(-left // MILLISECOND) * MILLISECOND
        ):
            try:
                return await make()
            except BlockingIOError:
                await self._app.call("nanosleep", PAUSE)
            left = deadline - self._app.monotonic_ns()
        raise TimeoutError("timed out")


AnySocket = Socket[Any, Any]


class NetlinkSocket(Socket[NetlinkAddress, NetlinkAddress]):
    """A netlink socket.  An address is (port id, bit mask of the first 32 groups)."""

    __slots__ = ()

    def _encode(self, address: object, call: str) -> NetlinkAddress:
        return arguments.netlink_address(address, call)


def netlink_socket(app: Caller, type: int, protocol: int) -> Call[NetlinkSocket]:
    """Create a netlink socket (socket(2)), without the argument checks of `App.socket`."""
    return app.call(
        "socket", AF_NETLINK, type, protocol,
        convert=lambda fd: NetlinkSocket(app, fd, AF_NETLINK, type, protocol),
    )  # fmt: skip


async def _already(result: T) -> T:
    """Return `result` when awaited, without a system call."""
    return result


async def _errno_of(call: Call[None]) -> int:
    try:
        await call
    except OSError as error:
        return error.errno or errno.EIO
    return 0
