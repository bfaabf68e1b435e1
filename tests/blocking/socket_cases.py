"""Calls of every method of `socket.socket` on a netlink socket, with every kind of argument."""

from __future__ import annotations

import array
import math
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from simkernel.uapi.netlink import NETLINK_LIST_MEMBERSHIPS, NETLINK_USERSOCK
from simkernel.uapi.socket import (
    AF_NETLINK,
    MSG_DONTWAIT,
    MSG_PEEK,
    MSG_TRUNC,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_NETLINK,
    SOL_SOCKET,
)

Sock = Any
Open = Callable[..., Sock]
Case = Callable[[Sock, Open], Any]
"""A test case: a function that gets a new socket and a socket factory, and returns a result."""
Named = Iterator[tuple[str, Case]]


class Index:
    """An object that is not an int, but has a method `__index__()`."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


ADDRESSES: tuple[Any, ...] = (
    None, [0, 0], (), (0,), (0, 0, 0), ("a", 0), (0.0, 0), b"x", "ab", 0,
    (0, 0), (1 << 32, 0), (77777 + (1 << 32), 0), (-1, 0), (0, 1 << 40), (Index(77777), 0), (True, 0),
)  # fmt: skip
TIMEOUTS: tuple[Any, ...] = (
    None, 0, 0.0, 1, 1.5, 0.1, 1e-12, 2e-9, 1.0000000001, 9_223_372_036, True, -1, -0.5, -1e-12,
    math.nan, math.inf, 1e30, 1 << 63, 1 << 70, 9_223_372_037, "1", Decimal("0.5"), [],
)  # fmt: skip
DATA: tuple[Any, ...] = (
    b"x" * 16, bytearray(b"x" * 16), memoryview(b"x" * 16), array.array("i", [1, 2, 3, 4]), b"",
    memoryview(b"x" * 32)[::2], memoryview(b"abcdefgh").cast("B", (2, 4)), "x", None, 5, [1],
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (0, 1, Index(1), True, "f", 1.0, None, 1 << 31, 1 << 40, -(1 << 40))
SIZES: tuple[Any, ...] = (0, 10, Index(10), -1, "a", 1.0, None, 1 << 63, -(1 << 70))
VALUES: tuple[Any, ...] = (
    4096, Index(4096), True, -1, b"\0\0\1\0", b"\0\0\1\0\0\0\0\0", b"", b"abc", bytearray(4),
    memoryview(b"\1\0\0\0"), array.array("i", [4096]), 1 << 31, 1 << 40, None, "x", 1.0,
)  # fmt: skip
TIMES: tuple[Any, ...] = (
    struct.pack("<qq", 1, 500_000), struct.pack("<qq", 1, 5_000_000), struct.pack("<qq", -1, 0), 5,
)  # fmt: skip
CONTROL: tuple[Any, ...] = (
    (), [], None, 5, [(1, 2)], [(1, 2, "x")], [(1, 2, 3, 4)], [("a", 2, b"")], [(1, 2, b"x")],
    [(1 << 40, 2, b"")],
)  # fmt: skip
BUFFERS: tuple[Callable[[], Any], ...] = (
    lambda: bytearray(30), lambda: bytearray(5), lambda: memoryview(bytearray(30)), bytearray,
    lambda: array.array("i", [0] * 9), lambda: b"read-only", lambda: "s", lambda: None,
    lambda: memoryview(bytearray(30))[::2],
)  # fmt: skip
KINDS: tuple[tuple[Any, ...], ...] = (
    (AF_NETLINK, SOCK_DGRAM, 0), (AF_NETLINK, SOCK_STREAM, 0), (AF_NETLINK, 5, 0), (AF_NETLINK, -1, 0),
    (AF_NETLINK, SOCK_RAW, 22), (AF_NETLINK, SOCK_RAW, 32), (AF_NETLINK, SOCK_RAW, -1),
    (AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 2), (AF_NETLINK, SOCK_RAW | 0x1000, 0), (99, 1, 0), ("a", 1, 0),
    (AF_NETLINK, "a", 0), (AF_NETLINK, SOCK_RAW, 1.0), (1 << 40, 1, 0), (Index(AF_NETLINK), SOCK_RAW, 0),
    (AF_NETLINK, SOCK_RAW, 0, None), (AF_NETLINK, SOCK_RAW, 0, 9999), (AF_NETLINK, SOCK_RAW, 0, -1),
    (AF_NETLINK, SOCK_RAW, 0, "x"),
)  # fmt: skip
CALLS: dict[str, Callable[[Sock], Any]] = {
    "bind": lambda s: s.bind((0, 0)),
    "connect": lambda s: s.connect((0, 0)),
    "connect_ex": lambda s: s.connect_ex((0, 0)),
    "send": lambda s: s.send(b"x"),
    "sendall": lambda s: s.sendall(b"x"),
    "sendto": lambda s: s.sendto(b"x", (0, 0)),
    "sendmsg": lambda s: s.sendmsg([b"x"]),
    "recv": lambda s: s.recv(1),
    "recv of nothing": lambda s: s.recv(0),
    "recv at once": lambda s: s.recv(1, MSG_DONTWAIT),
    "recvfrom": lambda s: s.recvfrom(1),
    "recvmsg": lambda s: s.recvmsg(1),
    "recv_into": lambda s: s.recv_into(bytearray(1)),
    "recv_into nothing": lambda s: s.recv_into(bytearray()),
    "getpeername": lambda s: s.getpeername(),
    "setsockopt": lambda s: s.setsockopt(SOL_SOCKET, SO_RCVBUF, 1),
    "getsockopt": lambda s: s.getsockopt(SOL_SOCKET, SO_RCVBUF),
    "settimeout": lambda s: s.settimeout(1),
    "gettimeout": lambda s: s.gettimeout(),
    "setblocking": lambda s: s.setblocking(True),
    "getblocking": lambda s: s.getblocking(),
    "dup": lambda s: dup(s),
    "close": lambda s: s.close(),
    "listen": lambda s: s.listen(),
    "accept": lambda s: s.accept(),
    "shutdown": lambda s: s.shutdown(0),
    "what it is": lambda s: (s.family, s.type, s.proto),
}


def after(*calls: Callable[[Sock], Any]) -> Case:
    """Make several calls on one socket, and return the last result."""

    def case(sock: Sock, _: Open) -> Any:
        return [call(sock) for call in calls][-1]

    return case


def with_message(call: Callable[[Sock], Any]) -> Case:
    """Make a call on a non-blocking socket that has sent 20 bytes to itself."""

    def case(sock: Sock, _: Open) -> Any:
        sock.bind((0, 0))
        sock.sendto(bytes(range(20)), (sock.getsockname()[0], 0))
        sock.setblocking(False)
        return call(sock)

    return case


def describe(sock: Sock) -> Any:
    """Return family, type, protocol and timeout of a socket, and close it."""
    with sock:
        return sock.family, sock.type, sock.proto, sock.gettimeout()


def dup(sock: Sock) -> Any:
    """Duplicate a socket with dup(), and return the attributes of the duplicate."""
    twin = sock.dup()
    return type(twin) is type(sock), twin.fileno() != sock.fileno(), describe(twin)


def into(call: Callable[[Any], Any], buffer: Any) -> Any:
    """Return the result of a call, and the buffer that it has written to."""
    return call(buffer), bytes(buffer)


def addresses() -> Named:
    """Call bind, connect, sendto and sendmsg with every kind of address."""
    for n, a in enumerate(ADDRESSES):
        named = lambda s: s.getsockname()[0] in (77777, 1)  # noqa: E731 - the others are the kernel's choice
        yield f"bind {n}", after(lambda s, a=a: s.bind(a), named)
        yield f"connect {n}", after(lambda s, a=a: s.connect(a), lambda s: s.getpeername())
        yield f"connect_ex {n}", after(lambda s, a=a: s.connect_ex(a))
        yield f"sendto {n}", after(lambda s, a=a: s.sendto(b"x" * 16, a))
        yield f"sendto with flags {n}", after(lambda s, a=a: s.sendto(b"x" * 16, 0, a))
        yield f"sendmsg to {n}", after(lambda s, a=a: s.sendmsg([b"x" * 16], [], 0, a))


def numbers() -> Named:
    """For each parameter that must be a C int, pass valid and invalid values."""
    for n, v in enumerate(NUMBERS):
        # Python 3.11 raises an error if the argument of setblocking() is no int, Python 3.13 does not.
        if isinstance(v, int):
            yield f"setblocking {n}", after(lambda s, v=v: s.setblocking(v), lambda s: s.gettimeout())
        yield f"send flags {n}", after(lambda s, v=v: s.send(b"x" * 16, v))
        yield f"sendto flags {n}", after(lambda s, v=v: s.sendto(b"x" * 16, v, (0, 0)))
        yield f"sendmsg flags {n}", after(lambda s, v=v: s.sendmsg([b"x" * 16], [], v))
        yield f"recv flags {n}", with_message(lambda s, v=v: s.recv(30, v))
        yield f"listen {n}", after(lambda s, v=v: s.listen(v))
        yield f"shutdown {n}", after(lambda s, v=v: s.shutdown(v))
        yield f"setsockopt level {n}", after(lambda s, v=v: s.setsockopt(v, 0x7FFF, 1))
        yield f"setsockopt option {n}", after(lambda s, v=v: s.setsockopt(SOL_NETLINK, v, 1))
        yield f"getsockopt level {n}", after(lambda s, v=v: s.getsockopt(v, 0x7FFF))
        yield f"getsockopt length {n}", after(lambda s, v=v: s.getsockopt(SOL_SOCKET, SO_RCVBUF, v))
    for n, t in enumerate(TIMEOUTS):
        state = lambda s: (s.gettimeout(), s.getblocking(), s.timeout)  # noqa: E731
        yield f"settimeout {n}", after(lambda s, t=t: s.settimeout(t), state)


def sending() -> Named:
    """Send every kind of data and of control messages."""
    for n, d in enumerate(DATA):
        yield f"send {n}", after(lambda s, d=d: s.send(d))
        yield f"sendall {n}", after(lambda s, d=d: s.sendall(d))
        yield f"sendto data {n}", after(lambda s, d=d: s.sendto(d, (0, 0)))
        yield f"sendmsg {n}", after(lambda s, d=d: s.sendmsg([d]))
        yield f"sendmsg bare {n}", after(lambda s, d=d: s.sendmsg(d))
    for n, c in enumerate(CONTROL):
        yield f"sendmsg control {n}", after(lambda s, c=c: s.sendmsg([b"x" * 16], c))


def receiving() -> Named:
    """Receive with every kind of size, buffer and flag."""
    for n, v in enumerate(SIZES):
        yield f"recv {n}", with_message(lambda s, v=v: s.recv(v))
        yield f"recvfrom {n}", with_message(lambda s, v=v: s.recvfrom(v)[0])
        yield f"recvmsg {n}", with_message(lambda s, v=v: s.recvmsg(v)[:3])
        yield f"recvmsg room {n}", with_message(lambda s, v=v: s.recvmsg(10, v)[:3])
    for n, make in enumerate(BUFFERS):
        yield f"recv_into {n}", with_message(lambda s, m=make: into(s.recv_into, m()))
        yield f"recvfrom_into {n}", with_message(lambda s, m=make: into(lambda b: s.recvfrom_into(b)[0], m()))
        yield f"recvmsg_into bare {n}", with_message(lambda s, m=make: s.recvmsg_into(m())[:3])
        yield (
            f"recvmsg_into {n}",
            with_message(lambda s, m=make: into(lambda b: s.recvmsg_into([b, bytearray(3)])[:3], m())),
        )
    for v in (-1, 0, 5, 30, 31, "x"):
        yield f"recv_into {v!r}", with_message(lambda s, v=v: s.recv_into(bytearray(30), nbytes=v, flags=0))
        yield f"recvfrom_into {v!r}", with_message(lambda s, v=v: s.recvfrom_into(bytearray(30), v, 0)[0])
    for f in (MSG_TRUNC, MSG_PEEK, MSG_TRUNC | MSG_PEEK, MSG_DONTWAIT):
        yield f"recv with {f}", with_message(lambda s, f=f: (len(s.recv(5, f)), len(s.recv(30, MSG_PEEK))))
        yield f"recvfrom with {f}", with_message(lambda s, f=f: s.recvfrom(5, f)[0][:5])
        yield f"recvmsg with {f}", with_message(lambda s, f=f: s.recvmsg(5, 0, f)[:3])
        yield f"recv_into with {f}", with_message(lambda s, f=f: s.recv_into(bytearray(5), 0, f))
        yield f"recvmsg_into with {f}", with_message(lambda s, f=f: s.recvmsg_into([bytearray(5)], 0, f)[:3])


def options() -> Named:
    """Set and get options with every kind of value, and every length."""
    for n, v in enumerate(VALUES):
        value = lambda s: s.getsockopt(SOL_SOCKET, SO_RCVBUF)  # noqa: E731
        yield f"setsockopt {n}", after(lambda s, v=v: s.setsockopt(SOL_SOCKET, SO_RCVBUF, v), value)
    for n, v in enumerate(TIMES):
        value = lambda s: s.getsockopt(SOL_SOCKET, SO_RCVTIMEO, 16)  # noqa: E731
        yield f"SO_RCVTIMEO {n}", after(lambda s, v=v: s.setsockopt(SOL_SOCKET, SO_RCVTIMEO, v), value)
    for v in (1, 3, 4, 8, 1024, 1025, -1):
        yield f"getsockopt of {v}", after(lambda s, v=v: s.getsockopt(SOL_SOCKET, SO_RCVBUF, v))
        yield (
            f"memberships in {v} bytes",
            after(lambda s, v=v: s.getsockopt(SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, v)),
        )


def lives() -> Named:
    """Create sockets of many types and protocols. Call methods on non-blocking and closed sockets, and with a
    timeout.
    """
    for n, kind in enumerate(KINDS):
        yield f"socket {n}", lambda _, opened, kind=kind: describe(opened(*kind))
    for name, call in CALLS.items():
        yield f"{name}, not blocking", after(lambda s: s.setblocking(False), call)
        yield f"{name} when closed", after(lambda s: s.close(), call)
        yield (
            f"{name} when closed, with a timeout",
            after(lambda s: s.settimeout(1), lambda s: s.close(), call),
        )
    for name in (
        "recv",
        "recv of nothing",
        "recv at once",
        "recvfrom",
        "recvmsg",
        "recv_into",
        "accept",
        "dup",
    ):
        yield f"{name} within a time", after(lambda s: s.settimeout(0.001), CALLS[name])
    yield "detach", after(lambda s: (s.detach() >= 0, s.fileno(), s.detach(), s.close()))
    yield (
        "with",
        after(lambda s: s.__enter__() is s, lambda s: s.__exit__(None, None, None), lambda s: s.fileno()),
    )
    yield "an adopted descriptor", _adopted
    yield "a twin lives on", _twin_lives_on


def _adopted(_: Sock, opened: Open) -> Any:
    return describe(opened(-1, -1, -1, opened(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK).detach()))


def _twin_lives_on(sock: Sock, _: Open) -> Any:
    sock.bind((0, 0))
    with sock.dup() as twin:
        sock.close()
        return twin.getsockname()[0] > 0


CASES = {
    name: case for group in (addresses, numbers, sending, receiving, options, lives) for name, case in group()
}
