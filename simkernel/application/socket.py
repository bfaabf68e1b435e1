"""A socket as a program has it: the names, arguments, results and errors of Python's `socket.socket`.

Every method that is a system call returns something to await.  A timeout is Python's, not the
kernel's: it polls first, and raises TimeoutError.  Left out is what makes a file of a socket
(makefile, sendfile) and what is for other families (sendmsg_afalg, share, ioctl).
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeVar

from simkernel.application import arguments, received
from simkernel.application.arguments import INT_MAX, Address, Buffer, ControlMessage, c_int
from simkernel.application.received import plain_data
from simkernel.application.steps import Steps, lazily
from simkernel.engine import MILLISECOND, Call
from simkernel.uapi.poll import POLLIN, POLLOUT
from simkernel.uapi.socket import SO_DOMAIN, SO_PROTOCOL, SO_TYPE, SOCK_NONBLOCK, SOCK_TYPE_MASK, SOL_SOCKET

if TYPE_CHECKING:
    from simkernel.application.app import App

T = TypeVar("T")

FIONBIO = 0x5421
"""ioctl(2) that sets O_NONBLOCK, as Python does it (include/uapi/asm-generic/ioctls.h)."""

NO_FLAGS: Final = 0
"""What almost every call has for its flags, by default: it need not be looked at."""

PAUSE = MILLISECOND
"""How long a call with a timeout rests when poll(2) says it can go on and it cannot; Python spins there."""


class Socket:
    """One end of a netlink protocol."""

    __slots__ = ("_app", "_fd", "_timeout", "family", "proto", "type")

    def __init__(self, app: App, fd: int, family: int, type: int, proto: int) -> None:
        self._app = app
        self._fd = fd
        self._timeout: int | None = 0 if type & SOCK_NONBLOCK else None
        self.family = family
        self.type = type & SOCK_TYPE_MASK
        self.proto = proto

    @classmethod
    async def adopt(cls, app: App, fd: int, kinds: Mapping[int, type[Socket]]) -> Socket:
        """A socket for a descriptor that is open already; the kernel says what it is.  EBADF, ENOTSOCK.

        `kinds` has the classes of families that are not as netlink is.
        """
        if fd < 0:
            raise ValueError("negative file descriptor")
        about: list[bytes] = []
        for option in (SO_DOMAIN, SO_TYPE, SO_PROTOCOL):
            about.append(await app.call("getsockopt", fd, SOL_SOCKET, option, arguments.INT.size))
        family, kind, protocol = map(arguments.option_as_int, about)
        return kinds.get(family, cls)(app, fd, family, kind, protocol)

    def __repr__(self) -> str:
        closed = "[closed] " if self._fd < 0 else ""
        return f"<socket {closed}fd={self._fd}, family={self.family}, type={self.type}, proto={self.proto}>"

    async def __aenter__(self) -> Socket:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._fd

    # -- addresses ----------------------------------------------------------

    def bind(self, address: Address, /) -> Call[None]:
        """Take a port id (0: let the kernel choose) and join the groups of a bit mask."""
        return self._app.call("bind", self._fd, arguments.address(address, "bind"))

    def connect(self, address: Address, /) -> Call[None]:
        """Set where `send` goes, and from whom unicast is taken."""
        return self._app.call("connect", self._fd, arguments.address(address, "connect"))

    def connect_ex(self, address: Address, /) -> Awaitable[int]:
        """The same; an errno of the kernel is the result instead of an error."""
        return _errno_of(self._app.call("connect", self._fd, arguments.address(address, "connect_ex")))

    def getsockname(self) -> Call[Address]:
        """Port id and the mask of the first 32 groups."""
        return self._app.call("getsockname", self._fd)

    def getpeername(self) -> Call[Address]:
        """Where `send` goes."""
        return self._app.call("getpeername", self._fd)

    # -- connections, which netlink has not -----------------------------------

    def listen(self, backlog: SupportsIndex = 128, /) -> Call[None]:
        """OSError (EOPNOTSUPP)."""
        return self._app.call("listen", self._fd, c_int(backlog))

    def accept(self) -> Awaitable[tuple[Socket, Address]]:
        """OSError (EOPNOTSUPP)."""
        return self._io(POLLIN, "accept4", (self._fd, 0))

    def shutdown(self, how: SupportsIndex, /) -> Call[None]:
        """OSError (EOPNOTSUPP)."""
        return self._app.call("shutdown", self._fd, c_int(how))

    # -- sending ------------------------------------------------------------

    def send(self, data: Buffer, flags: SupportsIndex = NO_FLAGS, /) -> Awaitable[int]:
        """Send to the peer; the number of bytes."""
        if type(data) is not bytes:
            data = arguments.data(data)
        if flags is not NO_FLAGS:
            flags = c_int(flags)
        if self._timeout:
            return self._io(POLLOUT, "sendto", (self._fd, data, flags, None))
        app = self._app  # App.request(), in place
        call: Call[int] = Call()
        call.owner = app.owner
        call.name = "sendto"
        call.arguments = (self._fd, data, flags, None)
        call.convert = None
        last, app._last = app._last, call
        if app._debug or last.owner is not None:
            app._remember(last, call)
        return call

    def sendall(self, data: Buffer, flags: SupportsIndex = 0, /) -> Awaitable[None]:
        """Send to the peer.  Netlink sends all or nothing."""
        return self._io(POLLOUT, "sendto", (self._fd, arguments.data(data), c_int(flags), None), _nothing)

    def sendto(self, data: Buffer, /, *flags_and_address: Any) -> Awaitable[int]:
        """sendto(data, address) or sendto(data, flags, address)."""
        flags, address = arguments.flags_and_address(flags_and_address)
        return self._io(POLLOUT, "sendto", (self._fd, arguments.data(data), flags, address))

    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: SupportsIndex = 0,
        address: Address | None = None,
        /,
    ) -> Awaitable[int]:
        """Send buffers as one message, with control messages."""
        data = b"".join(map(arguments.data, buffers))
        control = arguments.control_messages(ancdata)
        where = None if address is None else arguments.address(address, "sendmsg")
        return self._io(POLLOUT, "sendmsg", (self._fd, data, control, c_int(flags), where))

    # -- receiving ----------------------------------------------------------

    def recv(self, bufsize: SupportsIndex, flags: SupportsIndex = NO_FLAGS, /) -> Awaitable[bytes]:
        """One message, cut to `bufsize` bytes; for 0 bytes the kernel is not asked."""
        if type(bufsize) is not int or bufsize <= 0 or bufsize > INT_MAX:
            bufsize = arguments.size(bufsize, "negative buffersize in recv")
            if not bufsize:
                return _already(b"")
        if flags is NO_FLAGS and not self._timeout:
            app = self._app  # App.request(), in place
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

    def recvfrom(
        self, bufsize: SupportsIndex, flags: SupportsIndex = 0, /
    ) -> Awaitable[tuple[bytes, Address]]:
        """One message, and who sent it."""
        size = arguments.size(bufsize, "negative buffersize in recvfrom")
        return self._io(POLLIN, "recvfrom", (self._fd, size, c_int(flags)), received.data_and_address)

    def recvmsg(
        self, bufsize: SupportsIndex, ancbufsize: SupportsIndex = 0, flags: SupportsIndex = 0, /
    ) -> Awaitable[tuple[bytes, list[ControlMessage], int, Address]]:
        """One message, its control messages, MSG_ flags, and who sent it."""
        size = arguments.size(bufsize, "negative buffer size in recvmsg()")
        room = arguments.control_size(ancbufsize)
        return self._io(POLLIN, "recvmsg", (self._fd, size, room, c_int(flags)), received.whole)

    def recv_into(self, buffer: Any, nbytes: SupportsIndex = 0, flags: SupportsIndex = 0) -> Awaitable[int]:
        """One message into a buffer; the number of bytes."""
        view = arguments.writable(buffer, "recv_into")
        size = arguments.size(nbytes, "negative buffersize in recv_into") or len(view)
        if size > len(view):
            raise ValueError("buffer too small for requested bytes")
        flags = c_int(flags)
        if not size:
            return _already(0)
        return self._io(POLLIN, "recvfrom", (self._fd, size, flags), lambda got: received.fill(got, view))

    def recvfrom_into(
        self, buffer: Any, nbytes: SupportsIndex = 0, flags: SupportsIndex = 0
    ) -> Awaitable[tuple[int, Address]]:
        """One message into a buffer; the number of bytes, and who sent it."""
        view = arguments.writable(buffer, "recvfrom_into")
        size = arguments.size(nbytes, "negative buffersize in recvfrom_into") or len(view)
        if size > len(view):
            raise ValueError("nbytes is greater than the length of the buffer")
        return self._io(
            POLLIN,
            "recvfrom",
            (self._fd, size, c_int(flags)),
            lambda got: (received.fill(got, view), got[received.ADDRESS]),
        )

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: SupportsIndex = 0, flags: SupportsIndex = 0, /
    ) -> Awaitable[tuple[int, list[ControlMessage], int, Address]]:
        """One message into several buffers, one after the other, and what else `recvmsg` tells."""
        views = [arguments.writable(buffer, "recvmsg_into") for buffer in buffers]
        room = arguments.control_size(ancbufsize)
        return self._io(
            POLLIN,
            "recvmsg",
            (self._fd, sum(map(len, views)), room, c_int(flags)),
            lambda got: (received.fill(got, *views), *received.whole(got)[1:]),
        )

    # -- options ------------------------------------------------------------

    def setsockopt(
        self, level: SupportsIndex, option: SupportsIndex, value: SupportsIndex | Buffer, /
    ) -> Call[None]:
        """Set an option to an int, or to bytes as they are."""
        return self._app.call("setsockopt", self._fd, c_int(level), c_int(option), arguments.option(value))

    def getsockopt(
        self, level: SupportsIndex, option: SupportsIndex, buflen: SupportsIndex = 0, /
    ) -> Call[Any]:
        """An option as an int, or as up to `buflen` bytes."""
        length = c_int(buflen)
        if not 0 <= length <= arguments.LARGEST_OPTION:
            raise OSError("getsockopt buflen out of range")
        convert = bytes if length else arguments.option_as_int
        length = length or arguments.INT.size
        return self._app.call("getsockopt", self._fd, c_int(level), c_int(option), length, convert=convert)

    def setblocking(self, flag: object, /) -> Call[int]:
        """Wait in calls that cannot go on, or not."""
        return self.settimeout(None if flag else 0)

    def settimeout(self, seconds: float | SupportsIndex | None, /) -> Call[int]:
        """How long to wait in calls that cannot go on; None for ever, 0 not at all."""
        self._timeout = arguments.timeout(seconds)
        return self._app.call("ioctl", self._fd, FIONBIO, self._timeout is not None)

    def gettimeout(self) -> float | None:
        """What `settimeout` set, in seconds."""
        return None if self._timeout is None else self._timeout / 1e9

    timeout = property(gettimeout)

    def getblocking(self) -> bool:
        """Whether calls may wait."""
        return self._timeout != 0

    # -- the end ------------------------------------------------------------

    @lazily
    async def close(self) -> None:
        """Close the descriptor; harmless when it is closed."""
        fd = self.detach()
        if fd >= 0:
            await self._app.call("close", fd)

    def detach(self) -> int:
        """The descriptor, which this object lets go of without closing it."""
        fd, self._fd = self._fd, -1
        return fd

    @lazily
    async def dup(self) -> Socket:
        """Another descriptor for the same socket."""
        fd: int = await self._app.call("dup", self._fd)
        twin = type(self)(self._app, fd, self.family, self.type, self.proto)
        twin._timeout = self._timeout
        await self._app.call("ioctl", fd, FIONBIO, self._timeout is not None)
        return twin

    # -- timeouts -----------------------------------------------------------

    def _io(
        self, events: int, name: str, args: tuple[Any, ...], convert: Callable[[Any], T] | None = None
    ) -> Awaitable[T]:
        """A call on the descriptor, which is its first argument."""
        app = self._app
        if not self._timeout or self._fd < 0:
            return app.request(name, args, convert)

        def make() -> Call[T]:
            return app.request(name, (self._fd, *args[1:]), convert)

        return app.made(Steps(app.owner, name, lambda: self._within_timeout(events, make)))

    async def _within_timeout(self, events: int, make: Callable[[], Call[T]]) -> T:
        """`sock_call_impl()` of Modules/socketmodule.c: poll, try, and poll again while others are faster."""
        assert self._timeout is not None
        left = self._timeout
        deadline = self._app.monotonic_ns() + left
        while left >= 0 and await self._app.call("poll", [(self._fd, events)], left):
            try:
                return await make()
            except BlockingIOError:
                await self._app.call("nanosleep", PAUSE)
            left = deadline - self._app.monotonic_ns()
        raise TimeoutError("timed out")


async def _already(result: T) -> T:
    """The result of a call that the kernel need not be asked for."""
    return result


async def _errno_of(call: Call[None]) -> int:
    try:
        await call
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _nothing(_: Any) -> None:
    pass
