"""A socket as a program has it: the names, arguments and results of Python's `socket.socket`.

Every method that is a system call returns something to await.  A timeout is Python's, not the
kernel's: it polls first, and raises TimeoutError.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from simkernel.engine import Call, nanoseconds_up
from simkernel.uapi.poll import POLLIN, POLLOUT
from simkernel.uapi.socket import SOCK_NONBLOCK, SOCK_TYPE_MASK

if TYPE_CHECKING:
    from simkernel.application.app import App

T = TypeVar("T")
Address = tuple[int, int]
Buffer = bytes | bytearray | memoryview
Ancillary = tuple[int, int, bytes]

FIONBIO = 0x5421
"""ioctl(2) that sets O_NONBLOCK, as Python does it (include/uapi/asm-generic/ioctls.h)."""

INT = struct.Struct("<i")
LARGEST_OPTION = 1024
"""Bytes that getsockopt takes at most (Modules/socketmodule.c)."""


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

    def __repr__(self) -> str:
        return f"<socket fd={self._fd} family={self.family} type={self.type} proto={self.proto}>"

    async def __aenter__(self) -> Socket:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._fd

    # -- addresses ----------------------------------------------------------

    def bind(self, address: Address) -> Call[None]:
        """Take a port id (0: let the kernel choose) and join the groups of a bit mask."""
        return self._app.call("bind", self._fd, _address(address, "bind"))

    def connect(self, address: Address) -> Call[None]:
        """Set where `send` goes, and from whom unicast is taken."""
        return self._app.call("connect", self._fd, _address(address, "connect"))

    def getsockname(self) -> Call[Address]:
        """Port id and the mask of the first 32 groups."""
        return self._app.call("getsockname", self._fd)

    def getpeername(self) -> Call[Address]:
        """Where `send` goes."""
        return self._app.call("getpeername", self._fd)

    # -- sending ------------------------------------------------------------

    def send(self, data: Buffer, flags: int = 0) -> Awaitable[int]:
        """Send to the peer; the number of bytes."""
        return self._io(POLLOUT, "sendto", bytes(data), flags, None)

    def sendto(self, data: Buffer, *arguments: Any) -> Awaitable[int]:
        """sendto(data, address) or sendto(data, flags, address)."""
        flags, address = _flags_and_address(arguments)
        return self._io(POLLOUT, "sendto", bytes(data), flags, _address(address, "sendto"))

    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Address | None = None,
    ) -> Awaitable[int]:
        """Send buffers as one message, with control messages."""
        control = [(level, type, bytes(data)) for level, type, data in ancdata]
        where = None if address is None else _address(address, "sendmsg")
        return self._io(POLLOUT, "sendmsg", b"".join(map(bytes, buffers)), control, flags, where)

    # -- receiving ----------------------------------------------------------

    def recv(self, bufsize: int, flags: int = 0) -> Awaitable[bytes]:
        """One message, cut to `bufsize` bytes."""
        _check_size(bufsize, "recv")
        return self._io(POLLIN, "recvfrom", bufsize, flags, convert=_data)

    def recvfrom(self, bufsize: int, flags: int = 0) -> Awaitable[tuple[bytes, Address]]:
        """One message, and who sent it."""
        _check_size(bufsize, "recvfrom")
        return self._io(POLLIN, "recvfrom", bufsize, flags, convert=_data_and_address)

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> Awaitable[tuple[bytes, list[Ancillary], int, Address]]:
        """One message, its control messages, MSG_ flags, and who sent it."""
        _check_size(bufsize, "recvmsg")
        if ancbufsize < 0:
            raise ValueError("invalid ancillary data buffer length")
        return self._io(POLLIN, "recvmsg", bufsize, ancbufsize, flags, convert=_whole)

    # -- options ------------------------------------------------------------

    def setsockopt(self, level: int, option: int, value: int | Buffer) -> Call[None]:
        """Set an option to an int, or to bytes as they are."""
        return self._app.call("setsockopt", self._fd, level, option, _option(value))

    def getsockopt(self, level: int, option: int, buflen: int = 0) -> Call[Any]:
        """An option as an int, or as up to `buflen` bytes."""
        if not 0 <= buflen <= LARGEST_OPTION:
            raise OSError("getsockopt buflen out of range")
        convert = _as_int if buflen == 0 else bytes
        return self._app.call("getsockopt", self._fd, level, option, buflen or INT.size, convert=convert)

    def setblocking(self, flag: bool) -> Call[int]:
        """Wait in calls that cannot go on, or not."""
        return self.settimeout(None if flag else 0)

    def settimeout(self, seconds: float | None) -> Call[int]:
        """How long to wait in calls that cannot go on; None for ever, 0 not at all."""
        timeout = None if seconds is None else nanoseconds_up(seconds)
        if timeout is not None and timeout < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = timeout
        return self._app.call("ioctl", self._fd, FIONBIO, timeout is not None)

    def gettimeout(self) -> float | None:
        """What `settimeout` set, in seconds."""
        return None if self._timeout is None else self._timeout / 1e9

    def getblocking(self) -> bool:
        """Whether calls may wait."""
        return self._timeout != 0

    # -- the end ------------------------------------------------------------

    async def close(self) -> None:
        """Close the descriptor; harmless when it is closed."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            await self._app.call("close", fd)

    def detach(self) -> int:
        """The descriptor, which this object lets go of without closing it."""
        fd, self._fd = self._fd, -1
        return fd

    async def dup(self) -> Socket:
        """Another descriptor for the same socket."""
        fd: int = await self._app.call("dup", self._fd)
        twin = Socket(self._app, fd, self.family, self.type, self.proto)
        twin._timeout = self._timeout
        return twin

    # -- timeouts -----------------------------------------------------------

    def _io(
        self, events: int, name: str, *arguments: Any, convert: Callable[[Any], T] | None = None
    ) -> Awaitable[T]:
        if not self._timeout:
            return self._app.call(name, self._fd, *arguments, convert=convert)
        return self._within_timeout(
            events, lambda: self._app.call(name, self._fd, *arguments, convert=convert)
        )

    async def _within_timeout(self, events: int, make: Callable[[], Call[T]]) -> T:
        """`sock_call_impl()` of Modules/socketmodule.c: poll, try, and poll again while others are faster."""
        assert self._timeout is not None
        deadline = self._app.monotonic_ns() + self._timeout
        while True:
            left = max(0, deadline - self._app.monotonic_ns())
            if not await self._app.call("poll", [(self._fd, events)], left):
                raise TimeoutError("timed out")
            try:
                return await make()
            except BlockingIOError:
                continue


def _address(address: object, call: str) -> Address:
    """Two ints, taken modulo 2**32 as Python's own parser takes them."""
    if not isinstance(address, tuple):
        raise TypeError(f"{call}(): AF_NETLINK address must be tuple, not {type(address).__name__}")
    if len(address) != 2 or not all(isinstance(part, int) for part in address):
        raise TypeError(f"{call}(): AF_NETLINK address must be a pair (port id, groups)")
    return (address[0] & 0xFFFFFFFF, address[1] & 0xFFFFFFFF)


def _flags_and_address(arguments: tuple[Any, ...]) -> tuple[int, Any]:
    if len(arguments) == 1:
        return 0, arguments[0]
    if len(arguments) == 2:
        return arguments[0], arguments[1]
    raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(arguments)} given)")


def _check_size(bufsize: int, call: str) -> None:
    if bufsize < 0:
        raise ValueError(f"negative buffersize in {call}")


def _option(value: int | Buffer) -> bytes:
    if not isinstance(value, int):
        return bytes(value)
    try:
        return INT.pack(value)
    except struct.error:
        raise OverflowError("signed integer does not fit a C int") from None


def _as_int(value: bytes) -> int:
    return int(INT.unpack(value.ljust(INT.size, b"\0"))[0])


def _data(received: Any) -> bytes:
    return bytes(received.data)


def _data_and_address(received: Any) -> tuple[bytes, Address]:
    return bytes(received.data), received.address


def _whole(received: Any) -> tuple[bytes, list[Ancillary], int, Address]:
    return bytes(received.data), list(received.control), received.flags, received.address
