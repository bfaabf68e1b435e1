"""SO_RCVTIMEO: any call that waits fails with EAGAIN when this time has passed (`sock_rcvtimeo()`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import pack
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOL_SOCKET
from tests.kernel.refused import refused

SO_RCVTIMEO, SO_RCVLOWAT, MSG_WAITALL = 20, 18, 0x100


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


SOCKETS: dict[str, Callable[[Any], Any]] = {
    "stream": lambda app: app.socketpair(AF_UNIX, SOCK_STREAM),
    "datagram": lambda app: app.socketpair(AF_UNIX, SOCK_DGRAM),
    "netlink": lambda app: (app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK), None),
}
CALLS: dict[str, Callable[[Any, Any], object]] = {
    "recv": lambda app, sock: sock.recv(10),
    "recvmsg": lambda app, sock: sock.recvmsg(10),
    "read": lambda app, sock: app.read(sock.descriptor, 10),
}


@pytest.mark.parametrize("kind", SOCKETS)
@pytest.mark.parametrize("call", CALLS)
def test_a_receive_ends_at_its_time(machine: Machine, kind: str, call: str) -> None:
    app = machine.blocking()
    sock, _ = SOCKETS[kind](app)
    sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("qq", 0, 30_000))
    before = machine.now
    assert refused(lambda: CALLS[call](app, sock)) == "EAGAIN"
    assert millis(32) <= machine.now - before < millis(33), "in ticks of 4 ms"


@pytest.mark.parametrize("call", ["waitall", "lowat", "read"])
def test_a_receive_of_a_part_returns_it_at_its_time(machine: Machine, call: str) -> None:
    """With MSG_WAITALL or SO_RCVLOWAT, a receive waits for more bytes. When the timeout has passed, it
    returns those that have arrived.
    """
    app = machine.blocking()
    sock, other = app.socketpair(AF_UNIX, SOCK_STREAM)
    sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("qq", 0, 30_000))
    if call != "waitall":
        sock.setsockopt(SOL_SOCKET, SO_RCVLOWAT, 5)
    other.send(b"abc")
    before = machine.now
    if call == "read":
        assert app.read(sock.descriptor, 10) == b"abc"
    else:
        assert sock.recv(10, MSG_WAITALL if call == "waitall" else 0) == b"abc"
    assert millis(32) <= machine.now - before < millis(33), "in ticks of 4 ms"
